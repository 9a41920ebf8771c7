"""The page of a plan, opened in a real headless browser: it reads, filters, prints, and lets no record do harm."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from target_expensein import page
from target_expensein.guard import Gated, Hold
from target_expensein.model import Field, FieldChange, Kind, Origin, Row
from target_expensein.plan import ItemPlan
from target_expensein.planfile import approval_line, dump, load, plan_document

WIDE, PHONE = (1280, 800), (390, 844)
CONFIGURATION = f"sha256:{'0' * 64}"
HOSTILE = [
    "<script>document.title='pwned'</script>",
    "<img src=//127.0.0.1:9/x onerror=\"document.title='pwned'\">",
    "</table></section><h1>pwned</h1>",
    "\"'><svg/onload=document.title='pwned'>",
    "{{ 7 * 7 }}{% raw %}",
    "=cmd()|' /C calc'!A0",
    "javascript:document.title='pwned'",
    "left \u202eto right",
    "half a pair \ud800",
]


# The browser, by its own debugging protocol over a pipe: no driver, no port, nothing to install beside it.


class Browser:
    """One headless Chromium with one tab.

    Args:
        executable: Where it is.
        profile: An empty folder for its profile.
    """

    def __init__(self, executable: str, profile: Path) -> None:
        """Start it."""
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._buffer = b""
        its_input, self._out = os.pipe()
        self._in, its_output = os.pipe()
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{its_input} 4>&{its_output} 2>/dev/null', "browser"),
                *(executable, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
                *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
                *("--disable-sync", "--hide-scrollbars", "about:blank"),
            ],
            pass_fds=(its_input, its_output),
            stdout=subprocess.DEVNULL,
        )
        os.close(its_input)
        os.close(its_output)
        self._session: str | None = None
        targets = self.call("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give one command and return its result; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_for(self, event: str) -> None:
        """Wait until an event has come."""
        while not any(one.get("method") == event for one in self.events):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "the browser is gone"
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, path: Path, size: tuple[int, int] = WIDE, *, javascript: bool = True) -> None:
        """Open a file and wait until it has loaded."""
        self.call("Emulation.setScriptExecutionDisabled", value=not javascript)
        self.call("Emulation.setEmulatedMedia", media="")
        self.resize(size)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def resize(self, size: tuple[int, int]) -> None:
        """Change the size of the window, in CSS pixels."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", **screen, mobile=size == PHONE)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page; works also while the page's own scripts are off."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        self.click(selector)
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Take a picture of what is in view, or of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    @property
    def complaints(self) -> list[Any]:
        """Whatever the page wrote on the console, and whatever the browser had to complain about."""
        self.evaluate("new Promise((done) => setTimeout(done))")
        loud = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self.events if event.get("method") in loud]

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")
        self._process.wait(20)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, or a skipped test where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        reason = f"no browser on this machine (looked for {', '.join(names)})"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"REQUIRE_BROWSER is set, but there is {reason}")
        pytest.skip(reason)
    browser = Browser(executable, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


# Plans to show


def over_limit(*examples: str) -> Hold:
    """A limit that tripped."""
    return Hold("too_many_updates", 2, 1, "2 to change, 1 allowed", examples)


def update(reference: str, before: str | None, after: str, origin: Origin = Origin.SOURCE) -> Row:
    change = FieldChange(Field.NAME, before, after, origin)
    return Row("categories", Kind.UPDATE, "differs", reference, after, f"id of {reference}", (change,))


def create(reference: str, name: str) -> Row:
    values = {Field.REFERENCE: reference, Field.NAME: name, Field.APPLIES_TO: ["purchase"]}
    changes = tuple(FieldChange(field, None, value, Origin.NEW) for field, value in values.items())
    return Row("categories", Kind.CREATE, "new", reference, name, None, changes)


LOOKALIKE = Row(
    "categories", Kind.HELD, "lookalike", "0430", "Postage", detail="in ExpenseIn: '430' 'Postage'"
)
RATE = Row(
    *("tax_rates", Kind.NOTICE, "rate_differs", "S", "Standard rate", "t1"),
    changes=(FieldChange(Field.RATE, Decimal("17.50"), Decimal(20), Origin.EDITED),),
)
FIVE = {
    "categories": [
        LOOKALIKE,
        update("4000", "Travel", "Travel and subsistence"),
        update("4100", "Hotels (ask Jane)", "Hotels", Origin.EDITED),
        create("4250", "Software"),
    ],
    "tax_rates": [RATE],
}


def many() -> dict[str, list[Row]]:
    """Five thousand rows."""
    kinds = [
        lambda ref: create(ref, f"Name of {ref}"),
        lambda ref: update(ref, f"Old name of {ref}", f"New name of {ref}", Origin.BOTH),
        lambda ref: Row("categories", Kind.NOTICE, "orphan", ref, f"Old name of {ref}", ref),
        lambda ref: Row("categories", Kind.HELD, "lookalike", ref, f"Name of {ref}", detail="in ExpenseIn"),
    ]
    return {
        item: [kinds[number % 4](f"{item[0]}{number:04}") for number in range(1250)]
        for item in ("categories", "projects", "departments", "suppliers")
    }


def document_of(
    rows: Mapping[str, Sequence[Row]],
    held: Mapping[str, Sequence[Hold]] | None = None,
    problems: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    plans = {
        item: Gated(
            ItemPlan(item, tuple(some), unchanged=1204, filtered=38), tuple((held or {}).get(item, ()))
        )
        for item, some in rows.items()
    }
    return plan_document(plans, configuration=CONFIGURATION, problems=problems or {})


def rendered(document: Mapping[str, Any]) -> str:
    run = {"Made": "22 November 2026, 04:00 GMT", "Account": "api.expensein.com"}
    line = approval_line(document["digest"])
    return "".join(page.render(document, title="Plan for ExpenseIn", run=run, approval=line))


@dataclass(frozen=True)
class Page:
    """A page that is open in the browser."""

    browser: Browser
    path: Path

    def open(self, **how: Any) -> None:
        """Load it again."""
        self.browser.open(self.path, **how)

    @property
    def references(self) -> list[str]:
        """The references of the rows that are to be seen, in their order."""
        seen: list[str] = self.browser.evaluate(
            "[...document.querySelectorAll('tr[data-kind]')].filter((row) => row.checkVisibility())"
            ".map((row) => row.cells[1].textContent)"
        )
        return seen

    def visible(self, selector: str) -> bool:
        """Tell whether an element is to be seen."""
        return bool(
            self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).checkVisibility()")
        )

    def style(self, selector: str, name: str) -> str:
        """Return what an element looks like, in one respect."""
        script = f"getComputedStyle(document.querySelector({json.dumps(selector)})).{name}"
        return str(self.browser.evaluate(script))

    def text(self, selector: str) -> str:
        """Return an element's text as it is to be seen."""
        return str(self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Any:
    """Open a page in the browser."""

    def show(document: Mapping[str, Any], **how: Any) -> Page:
        path = tmp_path / "plan.html"
        path.write_text(rendered(document), encoding="utf-8")
        shown = Page(browser, path)
        shown.open(**how)
        return shown

    return show


# The page as a text


def test_the_same_plan_gives_the_same_page():
    assert rendered(document_of(FIVE)) == rendered(document_of(FIVE))
    assert rendered(load("".join(dump(document_of(FIVE))))) == rendered(document_of(FIVE))


def test_the_page_names_nothing_that_a_browser_would_fetch():
    tree = html.document_fromstring(rendered(document_of(FIVE)))
    assert not tree.xpath("//@src | //link | //@style | //@*[starts-with(name(), 'on')]")
    assert all(href.startswith("#") for href in tree.xpath("//@href"))
    assert "url(" not in tree.findtext(".//style")
    assert "@import" not in tree.findtext(".//style")


def words(rows: Mapping[str, Sequence[Row]], **more: Any) -> list[str]:
    """What the page says, row by row."""
    tree = html.document_fromstring(rendered(document_of(rows, **more)))
    return [" ".join(row.text_content().split()) for row in tree.xpath("//tr[@data-kind]")]


def test_an_edit_that_is_lost_is_said_in_plain_words():
    told = {
        origin: words({"categories": [update("1", "X", "Y", origin)]})[0].removeprefix("Update 1 X → Y ")
        for origin in Origin
    }
    why = " the name in ExpenseIn differs from the source [differs]"
    assert told == {
        Origin.NEW: f"new{why}",
        Origin.SOURCE: f"changed at the source{why}",
        Origin.EDITED: f"edited in ExpenseIn: ‘X’ will be overwritten{why}",  # noqa: RUF001 - typography
        Origin.BOTH: f"changed at the source and edited in ExpenseIn: ‘X’ will be overwritten{why}",  # noqa: RUF001
        Origin.UNKNOWN: f"not on record who changed it{why}",
    }


def test_what_is_held_would_be_overwritten_and_what_is_only_noticed_is_left():
    held = {"categories": [over_limit()]}
    edited = update("1", "X", "Y", Origin.EDITED)
    assert "X’ would be overwritten" in words({"categories": [edited]}, held=held)[0]  # noqa: RUF001
    (notice,) = words({"tax_rates": [RATE]})
    assert "Rate 17.50 % in ExpenseIn, 20 % at the source; left as it is" in notice
    assert "overwritten" not in notice


def test_values_are_shown_as_people_read_them():
    flag = FieldChange(Field.IS_ACTIVE, before=False, after=True, origin=Origin.UNKNOWN)
    reference = FieldChange(Field.REFERENCE, None, "100", Origin.NEW)
    woken = Row("suppliers", Kind.UPDATE, "woken", "A1", "Acme", "s1", (flag,))
    adopted = Row("suppliers", Kind.UPDATE, "adopted", "100", "Best", "s2", (reference,))
    first, second = words({"suppliers": [woken, adopted]})
    assert "100 Best Reference none → 100" in first
    assert "A1 Acme Status inactive → active" in second
    (new,) = words({"categories": [create("1", "One")]})
    assert new == "Create 1 One Applies to purchase not in ExpenseIn yet [new]"


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        ("Books ", "Books", True),
        ("A\u030a", "\u00c5", True),
        ("Bo\u200boks", "Books", True),
        ("Books\u00a0too", "Books too", True),
        ("books", "Books", False),
    ],
)
def test_a_difference_that_cannot_be_seen_is_pointed_out(before: str, after: str, alike: bool):  # noqa: FBT001
    (row,) = words({"categories": [update("1", before, after)]})
    assert ("looks the same; spaces or invisible characters differ" in row) is alike


@pytest.mark.parametrize(
    ("rows", "held", "problems", "verdict"),
    [
        ({"categories": []}, {}, {}, "Nothing to write."),
        (FIVE, {}, {}, "1 record to create and 2 records to update. 1 record in need of attention."),
        (
            FIVE,
            {"categories": [over_limit()]},
            {"suppliers": "no"},
            "Nothing to write. Categories held, 3 changes in all. Suppliers not planned. 1 record in need of attention.",
        ),
        (
            {"categories": [create("1", "One")], "projects": [], "suppliers": []},
            {"projects": [over_limit()], "suppliers": [over_limit()]},
            {},
            "1 record to create and 0 records to update. Projects and Suppliers held, 0 changes in all.",
        ),
    ],
)
def test_the_verdict_comes_first(rows: Any, held: Any, problems: Any, verdict: str):
    tree = html.document_fromstring(rendered(document_of(rows, held, problems)))
    assert tree.findtext(".//p[@class='verdict']") == verdict


def test_what_is_held_stands_on_top_with_the_line_that_approves_it():
    document = document_of(
        FIVE,
        {"categories": [over_limit("'4000' and others")]},
        {"suppliers": "The Invoicing module is not enabled."},
    )
    tree = html.document_fromstring(rendered(document))
    failed, held = (" ".join(box.text_content().split()) for box in tree.find_class("box"))
    assert failed.startswith("Suppliers: could not be planned The Invoicing module is not enabled.")
    assert (
        "Categories: held, nothing of it is written 2 to change, 1 allowed; for example: '4000' and others"
        in held
    )
    assert "What to do: look at the names" in held
    assert held.endswith(approval_line(document["digest"]))
    assert [tag.text for tag in tree.find_class("tag")] == ["held", "not planned"]


def test_what_to_do_is_said_once_for_each_reason_of_an_item():
    second = Row("categories", Kind.HELD, "lookalike", "0431", "Paper")
    tree = html.document_fromstring(rendered(document_of({"categories": [LOOKALIKE, second]})))
    (advice,) = tree.xpath("//section[@id='categories']//dl")
    assert " ".join(advice.text_content().split()).startswith(
        "2 \u00d7 lookalike make the reference in ExpenseIn equal"
    )


# The page in a browser


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("number", [5, 5000])
def test_the_page_shows_every_row_asks_for_nothing_and_fits(
    show: Any, number: int, size: tuple[int, int], tmp_path: Path
):
    shown = show(document_of(FIVE if number == 5 else many()), size=size)
    assert len(shown.references) == number
    assert shown.browser.complaints == []
    assert shown.browser.requests == [shown.path.as_uri()]
    assert shown.browser.evaluate("document.documentElement.scrollWidth") == size[0]
    shown.browser.screenshot(tmp_path / "page.png")
    assert int.from_bytes((tmp_path / "page.png").read_bytes()[16:20]) == size[0]


def test_rows_are_filtered_by_text_kind_and_item_and_shown_again(show: Any):
    shown = show(document_of(FIVE))
    everything = ["0430", "4000", "4100", "4250", "S"]
    assert shown.references == everything
    assert not shown.visible("#shown")

    shown.browser.type("#filter-text", "EDITED in jane")
    assert shown.references == ["4100"]
    assert shown.text("#shown") == "Filtered: 1 of 5 rows are shown."
    assert not shown.visible("#tax_rates")
    shown.browser.click("#filter-clear")
    assert shown.references == everything
    assert not shown.visible("#shown")

    shown.browser.click("[value=update]")
    assert shown.references == ["4000", "4100"]
    shown.browser.click("[value=notice]")
    assert shown.references == ["4000", "4100", "S"]
    shown.browser.type("#filter-text", "standard")
    assert shown.references == ["S"]
    shown.browser.click("#filter-clear")

    shown.browser.evaluate("document.getElementById('filter-item').focus()")
    for key in ("ArrowDown", "ArrowDown"):
        shown.browser.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=40
        )
    assert shown.references == ["S"]
    shown.browser.type("#filter-text", "nothing like it")
    assert shown.references == []
    assert shown.text("#shown") == "Filtered: 0 of 5 rows are shown."
    assert shown.browser.complaints == []


def test_a_number_of_the_table_leads_to_its_rows(show: Any):
    shown = show(document_of(FIVE))
    shown.browser.click("a[data-item=categories][data-kind=update]")
    assert shown.references == ["4000", "4100"]
    shown.browser.click("tbody th a[data-item=tax_rates]")
    assert shown.references == ["S"]


def test_five_thousand_rows_are_filtered_as_five_are(show: Any):
    shown = show(document_of(many()))
    shown.browser.type("#filter-text", "old p00")
    assert len(shown.references) == 50
    assert {reference[:3] for reference in shown.references} == {"p00"}
    assert shown.text("#shown") == "Filtered: 50 of 5,000 rows are shown."


def test_without_javascript_everything_is_shown_and_no_filter_offered(show: Any):
    shown = show(document_of(FIVE), javascript=False)
    assert len(shown.references) == 5
    assert not shown.visible("#filter")


def test_hostile_names_stay_text(show: Any):
    rows = [update(name, name, f"{name}!", Origin.BOTH) for name in HOSTILE]
    rows += [Row("categories", Kind.HELD, "lookalike", f"{name}0", name, detail=name) for name in HOSTILE]
    held = {"categories": [over_limit(*HOSTILE)]}
    shown = show(document_of({"categories": rows}, held, {"suppliers": HOSTILE[0]}))
    assert shown.browser.evaluate("document.title") == "Plan for ExpenseIn"
    assert shown.browser.complaints == []
    assert shown.browser.requests == [shown.path.as_uri()]
    assert shown.browser.evaluate("document.querySelectorAll('img, svg, h1, script').length") == 2
    texts = shown.browser.evaluate("[...document.querySelectorAll('del')].map((e) => e.textContent)")
    assert sorted(texts) == sorted(name.replace("\ud800", "?") for name in HOSTILE)
    assert len(shown.references) == 2 * len(HOSTILE)


def test_a_name_cannot_turn_round_the_words_that_follow_it(show: Any):
    """The words after a right-to-left override in a name stay to its right, in their order."""
    turning = [update("1", "left \u202eto right", "after", Origin.EDITED)]
    shown = show(document_of({"categories": turning}))
    places = shown.browser.evaluate(
        "(() => { const note = document.querySelector('.note'), text = note.lastChild, range = document.createRange();"
        "return [' will', 'overwritten'].map((word) => { const at = text.data.indexOf(word);"
        "range.setStart(text, at); range.setEnd(text, at + word.length);"
        "return range.getBoundingClientRect().left }) })()"
    )
    name = shown.browser.evaluate("document.querySelector('.note bdi').getBoundingClientRect().right")
    assert name < places[0] < places[1]


def test_markup_that_got_in_anyway_could_neither_run_nor_load(show: Any):
    """The content security policy is a second wall: here the first one is torn down on purpose."""
    shown = show(document_of(FIVE))
    hole = (
        "<script>document.title = 'pwned'</script><script src='http://127.0.0.1:9/'></script>"
        "<img src='http://127.0.0.1:9/'><img src=x onerror='document.title = 1'>"
        "<link rel=stylesheet href='http://127.0.0.1:9/'><style>h1 { color: red }</style>"
    )
    text = shown.path.read_text(encoding="utf-8")
    shown.path.write_text(text.replace("<main>", f"<main>{hole}"), encoding="utf-8")
    shown.open()
    complaints = [json.dumps(complaint) for complaint in shown.browser.complaints]
    assert len(complaints) >= 6
    assert all("Content Security Policy" in complaint for complaint in complaints)
    assert shown.browser.evaluate("document.title") == "Plan for ExpenseIn"
    assert shown.style("h1", "color") != "rgb(255, 0, 0)"
    assert len(shown.references) == 5


def test_on_paper_there_is_no_filter_and_a_change_is_clear_without_colour(show: Any):
    shown = show(document_of(FIVE), size=(718, 1000))
    assert shown.style("del", "textDecorationLine") == "none"
    shown.browser.call("Emulation.setEmulatedMedia", media="print")
    assert not shown.visible("#filter")
    assert len(shown.references) == 5
    assert shown.style("del", "textDecorationLine") == "line-through"
    assert shown.style(".rows thead", "display") == "table-header-group"
    assert shown.style(".rows tbody tr", "breakInside") == "avoid"
    assert shown.browser.evaluate("document.documentElement.scrollWidth") == 718
    paper = base64.b64decode(shown.browser.call("Page.printToPDF")["data"])
    assert paper.startswith(b"%PDF")


def test_what_is_printed_filtered_says_so(show: Any):
    shown = show(document_of(FIVE))
    shown.browser.click("[value=create]")
    shown.browser.call("Emulation.setEmulatedMedia", media="print")
    assert shown.references == ["4250"]
    assert shown.visible("#shown")


def test_on_a_phone_a_row_is_a_card_and_the_table_of_counts_a_list(show: Any):
    shown = show(document_of(FIVE), size=PHONE)
    kind, reference, record, why = shown.browser.evaluate(
        "[...document.querySelector('tr[data-kind=update]').cells].map((cell) => cell.getBoundingClientRect().top)"
    )
    assert kind == reference < record < why
    assert not shown.visible(".rows thead")
    assert not shown.visible(".counts thead")
    assert shown.text(".counts tbody tr").split("\n") == ["Categories", "1", "2", "1,204", "1", "38"]
    label = "getComputedStyle(document.querySelector('.counts td'), '::after').content"
    assert "create" in shown.browser.evaluate(label)
