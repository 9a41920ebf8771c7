"""The documents are true: every command is executed, every link leads somewhere, every message is one that the code has.

`COMMANDS` says of each command in a fenced block how it is proved. A command that is not in it fails the test, and so does
an entry that no document has any more.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from sandbox.testing import Sandbox
from target_expensein import settings as target_settings

from .conftest import OURS, ROOT, UV, offline
from .documents import Block, anchors, blocks, documents, links, missing_target, prose, read

LANGUAGES = {"sh", "yaml", "json", "ini", "cron", "python", "text"}
"""What a fenced block may hold. `text` is what something prints."""


@dataclass(frozen=True)
class Runs:
    """The command is executed here.

    Attributes:
        scene: Where: the name of a test below.
    """

    scene: str


@dataclass(frozen=True)
class Elsewhere:
    """The command is executed by another test.

    Attributes:
        test: File and name of that test.
    """

    test: str


@dataclass(frozen=True)
class Within:
    """The same is executed here as a part of another command.

    Attributes:
        command: That command.
    """

    command: str


@dataclass(frozen=True)
class Cannot:
    """The command cannot be executed by a test. Its syntax is checked, and that what it names exists.

    Attributes:
        reason: Why.
    """

    reason: str


MELTANO = ".venv/bin/meltano"
TWO_ENTITIES = f"""TAP_ACCOUNTSIQ_ENTITIES='["ACME_UK", "ACME_IE"]' {MELTANO} run preview"""
WAREHOUSE = Elsewhere("test_warehouse.py::test_the_page_leads_to_tables_that_hold_what_accountsiq_holds")
NO_ENGINE = Cannot("there is no container engine where the tests run; the image's own steps are tested below")
BAD_NIGHT = "test_bad_night.py::test_"

COMMANDS: Mapping[str, Runs | Elsewhere | Within | Cannot] = {
    # README.md and CONTRIBUTING.md
    "make demo": Runs("checkout"),
    "make test": Cannot("this test is part of it"),
    "make install": Cannot("installs what the tests run on, so it has run before they can"),
    "make lint": Cannot("run beside the tests, by .ci/run"),
    "make format": Cannot("would change the files under test"),
    f"{MELTANO} invoke target-expensein:doctor": Elsewhere(
        f"{BAD_NIGHT}the_commands_work_as_meltano_commands_with_the_plugins_own_configuration"
    ),
    f"{MELTANO} run preview": Within(TWO_ENTITIES),
    f"{MELTANO} run plan": Within("scripts/each-client clients run plan"),
    f"{MELTANO} run sync": Elsewhere(
        "test_rules.py::test_r10_the_daily_schedule_is_at_four_and_runs_the_sync"
    ),
    **dict.fromkeys(
        (
            ".venv/bin/pytest -q -n 2 tests/tap",
            ".venv/bin/pytest -q tests/end_to_end/test_rules.py -k r12",
        ),
        Cannot("a test run inside a test run"),
    ),
    ".venv/bin/python -m tap_accountsiq.readme tap-accountsiq/README.md": Runs("copies"),
    ".venv/bin/python -m tap_accountsiq.discovery": Elsewhere(
        "../tap/test_discovery.py::test_discovery_prints_what_the_streams_declare"
    ),
    ".venv/bin/python scripts/hub_definitions.py": Elsewhere(
        "test_hub.py::test_the_definitions_are_as_the_plugins_declare_themselves"
    ),
    ".venv/bin/python scripts/troubleshooting.py": Runs("copies"),
    "make chaos RUNS=1000 SEED=1": Cannot("plays for an hour; tests/chaos has a short campaign"),
    **dict.fromkeys(
        ("make mutation", "make mutation PART=guard"),
        Cannot("runs some 1,400 mutants; tests/target has the tests that they are tried on"),
    ),
    # the benchmarks
    **dict.fromkeys(
        (
            "make bench",
            "make bench-full",
            "make profile",
            ".venv/bin/python -m benchmarks --scale bench tap target",
            ".venv/bin/python -m benchmarks.publish .bench/bench-full.json",
        ),
        Cannot("measures for minutes or longer; tests/benchmarks runs the cases small"),
    ),
    # docs/
    f"TARGET_EXPENSEIN_APPROVE=sha256:… {MELTANO} run sync": Elsewhere(
        f"{BAD_NIGHT}a_lost_filter_is_held_and_an_approved_plan_is_applied_once"
    ),
    "MELTANO_SYS_DIR_ROOT=/srv/meltano/acme TARGET_EXPENSEIN_OUTPUT_DIR=/srv/reports/acme "
    f"{MELTANO} run sync": Cannot(
        "writes outside of the checkout; scripts/each-client sets the same variables"
    ),
    TWO_ENTITIES: Runs("checkout"),
    "scripts/each-client clients run plan": Runs("checkout"),
    "scripts/each-client clients run sync": Cannot(
        "the same script as with plan, and the same job as the schedule"
    ),
    "docker build --tag accountsiq-to-expensein .": NO_ENGINE,
    "docker run --rm --env-file sync.env accountsiq-to-expensein run preview": NO_ENGINE,
    "docker run --rm --env-file sync.env --volume sync-output:/srv/accountsiq-to-expensein/output "
    "accountsiq-to-expensein run plan": NO_ENGINE,
    "docker run --rm --env-file sync.env --volume sync-output:/srv/accountsiq-to-expensein/output "
    "accountsiq-to-expensein": NO_ENGINE,
    **{command: WAREHOUSE for block in blocks("docs/warehouse.md", "sh") for command in block.commands},
    **{
        command: Elsewhere("test_hub.py::test_meltano_takes_the_definitions_without_the_hub")
        for command in blocks("docs/hub/README.md", "sh")[0].commands
    },
    blocks("docs/hub/README.md", "sh")[1].commands[0]: Elsewhere(
        "test_hub.py::test_what_is_submitted_names_the_publisher"
    ),
    # the packages
    "pip install ./tap-accountsiq": Elsewhere("test_packages.py::test_both_work_in_an_empty_environment"),
    "pip install ./target-expensein": Elsewhere("test_packages.py::test_both_work_in_an_empty_environment"),
    "tap-accountsiq --config config.json --test": Runs("plugins"),
    "tap-accountsiq --config config.json --discover > catalog.json": Runs("plugins"),
    "tap-accountsiq --config config.json --catalog catalog.json": Runs("plugins"),
    "tap-accountsiq --config tap.json | target-expensein --config target.json": Runs("plugins"),
    "sandbox serve": Elsewhere(
        "../sandbox/test_cli.py::test_the_first_line_leads_to_three_servers_and_a_signal_stops_them"
    ),
    "sandbox run -- meltano run tap-accountsiq target-expensein": Within("make demo"),
    "sandbox show --db demo.db": Runs("plugins"),
    "sandbox generate --suppliers 50000 > big.json": Runs("plugins"),
}


EXAMPLES: Mapping[tuple[str, str], str] = {
    (
        "docs/adding-a-stream.md",
        "python",
    ): "../tap/test_adding_a_stream.py::test_a_declared_stream_is_discovered",
    ("docs/many-accounts.md", "ini"): "test_docs.py::test_the_commands_for_a_checkout",
    ("docs/scheduling.md", "cron"): "test_docs.py::test_the_schedules_run_what_meltano_has",
    ("docs/scheduling.md", "ini"): "test_docs.py::test_the_schedules_run_what_meltano_has",
    ("docs/warehouse.md", "ini"): WAREHOUSE.test,
    ("docs/warehouse.md", "yaml"): WAREHOUSE.test,
    ("sandbox/README.md", "json"): "test_docs.py::test_the_sandboxs_example_of_a_fault_is_one",
    ("sandbox/README.md", "python"): "test_docs.py::test_the_sandboxs_example_of_a_python_test_works",
    ("tap-accountsiq/README.md", "json"): "test_docs.py::test_the_commands_for_the_plugins_alone",
    ("tap-accountsiq/README.md", "yaml"): "test_docs.py::test_the_taps_example_is_the_one_of_the_warehouse",
    ("target-expensein/README.md", "json"): "test_docs.py::test_the_commands_for_the_plugins_alone",
    ("target-expensein/README.md", "yaml"): "test_docs.py::test_the_targets_examples_are_valid_settings",
}
"""Document and language → the test that uses the document's examples in that language."""


def in_documents() -> dict[str, list[Block]]:
    """Every command of the documents, with the blocks that have it."""
    found: dict[str, list[Block]] = {}
    for document in documents():
        for block in blocks(document, "sh"):
            for command in block.commands:
                found.setdefault(command, []).append(block)
    return found


@dataclass(frozen=True)
class Scene:
    """A folder in which commands are executed as they stand in the documents."""

    folder: Path
    environment: Mapping[str, str]

    def sh(self, command: str) -> str:
        """Execute a command; it must succeed. Returns what it printed."""
        outside = {name: value for name, value in offline().items() if not name.startswith(OURS)}
        outside.pop("UV_OFFLINE", None)
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=outside
            | {
                "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
                "NO_COLOR": "1",
                "XDG_CACHE_HOME": str(self.folder / "home"),
                "XDG_STATE_HOME": str(self.folder / "home"),
            }
            | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"$ {command}\n{done.stdout}{done.stderr}")  # noqa: T201 - shown when the test fails
        assert done.returncode == 0, command
        return done.stdout + done.stderr

    def play(self, name: str) -> dict[str, str]:
        """Execute all commands of a scene, in the order of the documents; returns what each printed."""
        return {
            command: self.sh(command)
            for command in in_documents()
            if isinstance(how := COMMANDS[command], Runs) and how.scene == name
        }


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Both services."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def checkout(tmp_path: Path, box: Sandbox) -> Scene:
    """What a user has after a clone and `make install`: the files of the checkout, and room to write beside them."""
    for name in (".venv", "Makefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    # Meltano wants a file of its own, and the scripts go by where they are.
    shutil.copy(ROOT / "meltano.yml", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    # All is installed already; what the links lead to must not be installed anew from here.
    (tmp_path / "scripts/bootstrap").write_text("#!/bin/sh\n")
    return Scene(tmp_path, box.environment())


@pytest.mark.timeout(900)
def test_the_commands_for_a_checkout(checkout: Scene, box: Sandbox):
    template = (ROOT / ".env.example").read_text()
    one, other = box.entities[:2]
    for client, entity in (("acme", one), ("other", other)):
        path = checkout.folder / "clients" / f"{client}.env"
        path.parent.mkdir(exist_ok=True)
        path.write_text(filled_in(clients_example(), box, entity))
    (checkout.folder / ".env").write_text(filled_in(template, box, one))
    printed = checkout.play("checkout")
    assert "created" in printed["make demo"]
    assert (checkout.folder / ".demo/output/latest/report.txt").exists()
    for client, entity in (("acme", one), ("other", other)):
        place = checkout.folder / "output/clients" / client / "latest"
        summary = json.loads((place / "summary.json").read_text())
        assert summary["mode"] == "plan"
        created = {
            row["reference"] for row in summary["items"]["projects"]["rows"] if row["kind"] == "create"
        }
        assert created <= {row["DepartmentID"] for row in box.source(entity, "bi_codes")}
        assert created


def clients_example() -> str:
    """The page's file of a client."""
    (example,) = blocks("docs/many-accounts.md", "ini")
    return example.text


def filled_in(template: str, box: Sandbox, entity: str) -> str:
    """Put the emulated services' values into a file of variables; those that the template names, no others."""
    values = {
        "TAP_ACCOUNTSIQ_REGION": ("TAP_ACCOUNTSIQ_API_URL", box.accountsiq_url),
        "TAP_ACCOUNTSIQ_CLIENT_ID": ("TAP_ACCOUNTSIQ_CLIENT_ID", box.client_id),
        "TAP_ACCOUNTSIQ_CLIENT_SECRET": ("TAP_ACCOUNTSIQ_CLIENT_SECRET", box.client_secret),
        "TAP_ACCOUNTSIQ_ENTITIES": ("TAP_ACCOUNTSIQ_ENTITIES", json.dumps([entity])),
        "TARGET_EXPENSEIN_API_KEY": ("TARGET_EXPENSEIN_API_KEY", box.api_key),
    }
    lines = [line for line in template.splitlines() if line and not line.startswith("#")]
    filled = (values.get(name, (name, value)) for name, _, value in (line.partition("=") for line in lines))
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in filled)


def test_the_commands_for_the_plugins_alone(tmp_path: Path, box: Sandbox):
    scene = Scene(tmp_path, {})
    examples = {
        plugin: json.loads(blocks(f"{plugin}/README.md", "json")[0].text)
        for plugin in ("tap-accountsiq", "target-expensein")
    }
    tap = examples["tap-accountsiq"] | {
        "client_id": box.client_id,
        "client_secret": box.client_secret,
        "api_url": box.accountsiq_url,
    }
    del tap["region"]
    assert tap["entities"] == box.entities[:2]
    for name in ("config.json", "tap.json"):
        (tmp_path / name).write_text(json.dumps(tap))
    target = examples["target-expensein"] | {"api_key": box.api_key, "api_url": box.expensein_url}
    target["items"]["projects"]["dimension"] = "DEPARTMENT"
    (tmp_path / "target.json").write_text(json.dumps(target))
    state = blocks("tap-accountsiq/README.md", "json")[1].text
    (tmp_path / "state.json").write_text(state)
    scene.sh("sandbox run --db demo.db -- true")  # the database that `sandbox show` shows
    printed = scene.play("plugins")
    catalog = json.loads((tmp_path / "catalog.json").read_text())
    assert len(catalog["streams"]) >= 5
    assert '"type":"RECORD"' in printed["tap-accountsiq --config config.json --catalog catalog.json"].replace(
        " ", ""
    )
    assert len(json.loads((tmp_path / "big.json").read_text())) > 0
    assert (tmp_path / "output/expensein/latest/plan.html").exists()
    kept = scene.sh(
        "tap-accountsiq --config config.json --state state.json 2>/dev/null | grep STATE | tail -n 1"
    )
    bookmarks = json.loads(kept)["value"]["bookmarks"]
    assert bookmarks["suppliers"] == json.loads(state)["bookmarks"]["suppliers"], (
        "reading whole leaves it as it is"
    )


def test_the_commands_that_renew_documents_change_nothing(tmp_path: Path):
    for name in ("docs", "scripts", "tap-accountsiq"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    Scene(tmp_path, {}).play("copies")
    for document in ("docs/troubleshooting.md", "tap-accountsiq/README.md"):
        assert (tmp_path / document).read_text() == read(document)


def test_every_command_has_its_place_and_every_place_its_command():
    assert in_documents().keys() == COMMANDS.keys()


def test_what_is_within_another_command_is_executed_with_it():
    for how in COMMANDS.values():
        if isinstance(how, Within):
            assert isinstance(COMMANDS[how.command], Runs)


def test_every_example_is_used_by_a_test():
    found = {(block.document, block.language) for document in documents() for block in blocks(document)}
    assert {each for each in found if each[1] not in {"sh", "text"}} == EXAMPLES.keys()


@pytest.mark.parametrize(
    "test",
    sorted({how.test for how in COMMANDS.values() if isinstance(how, Elsewhere)} | set(EXAMPLES.values())),
)
def test_what_is_executed_elsewhere_names_a_test_that_is_there(test):
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}", (Path(__file__).parent / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", [command for command, how in COMMANDS.items() if isinstance(how, Cannot)])
def test_a_command_that_cannot_be_executed_is_well_formed_and_names_what_exists(command):
    subprocess.run(["/bin/sh", "-n", "-c", command], check=True)
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        subprocess.run(
            ["/usr/bin/env", "make", "--dry-run", "--silent", *words[1:]],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
    elif words[0] != "docker":
        assert (ROOT / words[0]).exists()
    jobs = {job["name"] for job in yaml.safe_load((ROOT / "meltano.yml").read_text())["jobs"]}
    if "run" in words and words[-1] in {"plan", "preview", "sync"}:
        assert words[-1] in jobs
    assert [word for word in words if word.startswith("tests/") and not (ROOT / word).exists()] == []


@pytest.mark.parametrize("document", documents())
def test_every_block_says_what_it_holds_and_is_well_formed(document):
    assert not re.search(r"^\n {4}\S", prose(document), re.MULTILINE), (
        "an indented block; put it into a fence"
    )
    for block in blocks(document):
        assert block.language in LANGUAGES, f"{document}:{block.line}"
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict), f"{document}:{block.line}"


@pytest.mark.parametrize("document", documents())
def test_every_link_into_the_repository_leads_somewhere(document):
    inside = [link for link in links(document) if not re.match(r"[a-z]+:", link)]
    assert [wrong for link in inside if (wrong := missing_target(document, link))] == []


def test_a_link_that_leads_nowhere_is_found():
    assert missing_target("README.md", "docs/nowhere.md")
    assert missing_target("README.md", "docs/rules.md#nowhere")
    assert missing_target("docs/rules.md", "#r8-nowhere")
    assert "r1-one-way" in anchors("docs/rules.md")


def test_every_document_can_be_reached_from_the_readme():
    seen, ahead = set(), ["README.md"]
    while ahead:
        document = ahead.pop()
        if document in seen:
            continue
        seen.add(document)
        for link in links(document):
            path = ((ROOT / document).parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_relative_to(ROOT.resolve()):
                ahead.append(path.relative_to(ROOT.resolve()).as_posix())
    assert set(documents()) <= seen


# --- examples of configuration ------------------------------------------------------------------------------------------


def test_the_targets_examples_are_valid_settings():
    filters, profile = blocks("target-expensein/README.md", "yaml")
    item = {"enabled": True, **yaml.safe_load(filters.text)}
    config = {"api_key": "…", "items": {"categories": item}, **yaml.safe_load(profile.text)}
    target_settings.load(config)


def test_the_taps_example_is_the_one_of_the_warehouse():
    (example,) = blocks("tap-accountsiq/README.md", "yaml")
    whole = [yaml.safe_load(block.text)["plugins"] for block in blocks("docs/warehouse.md", "yaml")]
    assert yaml.safe_load(example.text) in whole


def test_the_schedules_run_what_meltano_has():
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (schedule,) = project["schedules"]
    command = f"{MELTANO} schedule run {schedule['name']}"
    for block in blocks("docs/scheduling.md", "cron"):
        line = next(line for line in block.text.splitlines() if "*" in line)
        minute_to_weekday, run = line[: len(schedule["interval"])], line[len(schedule["interval"]) :]
        assert minute_to_weekday == schedule["interval"]
        assert command in run
        subprocess.run(["/bin/sh", "-n", "-c", run], check=True)
    timer, service = (block.text for block in blocks("docs/scheduling.md", "ini"))
    assert "OnCalendar=*-*-* 04:00:00 UTC" in timer
    folder = re.search(r"^WorkingDirectory=(.+)$", service, re.MULTILINE)
    assert folder
    assert f"ExecStart={folder[1]}/{command}" in service


def test_the_sandboxs_example_of_a_python_test_works():
    (example,) = blocks("sandbox/README.md", "python")

    def run_the_sync(environment: Mapping[str, str]) -> None:
        """A client that looks, creates, and does not notice that its answer was lost."""
        url = environment["TARGET_EXPENSEIN_API_URL"] + "categories"
        headers = {"Authorization": f"ApiKey {environment['TARGET_EXPENSEIN_API_KEY']}"}
        requests.get(url, headers=headers, timeout=10).raise_for_status()
        with pytest.raises(requests.ConnectionError):
            requests.post(url, json={"name": "Travel", "reference": "0100"}, headers=headers, timeout=10)

    exec(compile(example.text, "sandbox/README.md", "exec"), {"run_the_sync": run_the_sync})  # noqa: S102 - our own page


def test_the_sandboxs_example_of_a_fault_is_one(box: Sandbox):
    rule = json.loads(blocks("sandbox/README.md", "json")[1].text)
    box.faults([rule])
    info = json.loads(blocks("sandbox/README.md", "json")[0].text)
    assert info.keys() == box.info().keys()
    assert info["accountsiq"]["entities"] == box.entities


# --- the container ------------------------------------------------------------------------------------------------------


def test_the_installation_of_the_image_works_outside_of_a_container(tmp_path: Path):
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    steps = [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines())]
    for sources in (rest.split()[:-1] for word, rest in steps if word == "COPY"):
        for source in sources:
            assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, tmp_path / source)
    (install,) = (rest for word, rest in steps if word == "RUN" and "uv venv" in rest)
    command = install.replace("uv ", f"{UV} ").replace("venv .venv", f"venv --python {sys.executable} .venv")
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, env=offline(), check=True, capture_output=True)
    project = yaml.safe_load((tmp_path / "meltano.yml").read_text())
    executables = {
        plugin["executable"]
        for kind in project["plugins"].values()
        for plugin in kind
        if "executable" in plugin
    }
    (entrypoint,) = (json.loads(rest) for word, rest in steps if word == "ENTRYPOINT")
    for executable in {*executables, *entrypoint}:
        subprocess.run([tmp_path / executable, "--version"], env={}, check=True, capture_output=True)


# --- messages -----------------------------------------------------------------------------------------------------------


def said_by_the_code() -> list[str]:
    """Every text in the tap and the target; what is filled in stands as `…`."""
    texts = []
    for file in (*(ROOT / "tap-accountsiq").rglob("*.py"), *(ROOT / "target-expensein").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"%[sd]", "…", node.value))
    return texts


def messages() -> list[str]:
    """The messages of the page: the first column of its tables, in code marks."""
    return re.findall(r"^\| `((?:[^`])+)` \|", read("docs/troubleshooting.md"), re.MULTILINE)


def test_every_message_of_the_page_is_one_that_the_code_has():
    said = "\n".join(said_by_the_code())
    found = messages()
    assert len(found) > 60
    assert [message for message in found if message.replace("'", "") not in said.replace("'", "")] == []


def test_the_index_has_every_document():
    index = read("docs/README.md")
    names = [Path(name) for name in documents() if name.startswith("docs/") and name != "docs/README.md"]
    assert [str(name) for name in names if f"({name.relative_to('docs')}" not in index] == []
