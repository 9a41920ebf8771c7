"""The control API over HTTP, and the same methods in-process."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import requests
import simplejson
from sandbox.faults import FaultError
from sandbox.seeds import SeedError
from sandbox.settings import SettingError
from sandbox.store import StoreError
from sandbox.testing import Sandbox
from sandbox.world import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Api


def ask(box: Sandbox, method: str, path: str, body: object = None) -> requests.Response:
    data = None if body is None else simplejson.dumps(body)
    return requests.request(method, box.control_url + path, data=data, timeout=10)


def test_the_root_lists_what_there_is_and_info_is_the_first_line(box: Sandbox) -> None:
    contents = ask(box, "GET", "").json()
    assert {"GET /info", "POST /reset", "GET /counters"} <= set(contents)
    info = ask(box, "GET", "info").json()
    assert info == box.info()
    assert info["accountsiq"]["url"] == box.accountsiq_url
    assert info["expensein"]["url"] == box.expensein_url
    assert info["control"]["url"] == box.control_url


def test_source_rows_are_read_replaced_added_edited_and_removed(box: Sandbox) -> None:
    entity = box.entities[0]
    path = f"accountsiq/{entity}/accounts"
    assert ask(box, "GET", path).json() == []
    assert ask(box, "PUT", path, [{"Code": "0100", "Description": "Travel"}]).status_code == 200
    assert ask(box, "POST", path, {"Code": "A/B 2", "Description": None}).status_code == 201
    assert box.source(entity, "accounts") == [
        {"Code": "0100", "Description": "Travel"},
        {"Code": "A/B 2", "Description": None},
    ]
    edited = ask(box, "PATCH", f"{path}/A%2FB%202", {"Description": "Meals"})
    assert (
        edited.json()
        == [{"Code": "A/B 2", "Description": "Meals"}]
        == ask(box, "GET", f"{path}/A%2FB%202").json()
    )
    assert ask(box, "DELETE", f"{path}/0100").status_code == 204
    assert box.source(entity, "accounts") == edited.json()
    assert ask(box, "GET", f"{path}/0100").status_code == 404


def test_bi_codes_go_by_their_department_id_and_company_has_one_row(box: Sandbox) -> None:
    entity = box.entities[0]
    box.add_source(entity, "bi_codes", DepartmentID="D1", Description="Sales")
    assert box.edit_source(entity, "bi_codes", "D1", IsActive=False)[0]["IsActive"] is False
    assert ask(box, "PUT", f"accountsiq/{entity}/company", {"CompanyName": "Acme"}).status_code == 200
    assert ask(box, "PATCH", f"accountsiq/{entity}/company/", {"CompanyName": "Acme 2"}).status_code == 200
    assert box.source(entity, "company") == [{"CompanyName": "Acme 2"}]


def test_source_twins_are_edited_and_removed_together(box: Sandbox) -> None:
    entity = box.entities[0]
    box.set_source(entity, "accounts", [{"Code": "1"}, {"Code": "2"}, {"Code": "1"}])
    assert len(box.edit_source(entity, "accounts", "1", Description="Both")) == 2
    box.remove_source(entity, "accounts", "1")
    assert box.source(entity, "accounts") == [{"Code": "2"}]


def test_numbers_of_source_rows_keep_their_digits(box: Sandbox) -> None:
    entity = box.entities[0]
    requests.put(
        f"{box.control_url}accountsiq/{entity}/tax_codes", data='[{"Code": "S", "Rate": 0.1350}]', timeout=10
    )
    assert str(box.source(entity, "tax_codes")[0]["Rate"]) == "0.1350"
    box.edit_source(entity, "tax_codes", "S", Rate=Decimal("0.20"))
    assert '"Rate":0.20}' in ask(box, "GET", f"accountsiq/{entity}/tax_codes").text


def test_live_objects_are_made_edited_and_removed_by_hand(box: Sandbox, api: Api) -> None:
    made = ask(box, "POST", "expensein/categories", {"name": "Travel", "id": "cat-1"})
    assert made.status_code == 201
    assert made.json()["id"] == "cat-1"
    assert made.json()["visibility"] == "everyone"
    assert ask(box, "GET", "expensein/categories").json() == [made.json()] == api.get("categories").json()
    edited = ask(box, "PATCH", "expensein/categories/cat-1", {"visibility": "nobody"}).json()
    assert edited == made.json() | {"visibility": "nobody"} == api.get("categories/cat-1").json()
    assert ask(box, "GET", "expensein/categories/cat-1").json() == edited
    assert ask(box, "DELETE", "expensein/categories/cat-1").status_code == 204
    assert box.live("categories") == []
    box.add_live("categories", name="Meals")
    box.remove_live("categories", box.live("categories")[0]["id"])
    assert api.get("categories").json() == []


def test_looking_at_an_object_does_not_change_its_etag(box: Sandbox, api: Api) -> None:
    box.configure(expensein={"etag": True})
    made = api.post("projects", json={"name": "Bridge"})
    ask(box, "GET", f"expensein/projects/{made.json()['id']}")
    assert api.get(made.headers["Location"]).headers["ETag"] == made.headers["ETag"]


def test_the_state_is_a_seed(box: Sandbox) -> None:
    entity = box.entities[0]
    box.add_source(entity, "tax_codes", Code="S", Rate=Decimal("0.20"))
    box.set_source(entity, "company", [{"CompanyName": "Acme"}])
    box.add_live("taxrates", name="Standard", rate=Decimal("20.0"), reference="S")
    box.configure(expensein={"etag": True}, accountsiq={"gzip": False})
    state = simplejson.loads(ask(box, "GET", "state").text, use_decimal=True)
    assert state == box.state()
    with Sandbox(seed=state) as twin:
        assert twin.state() == state
        assert (twin.api_key, twin.client_id, twin.entities) == (box.api_key, box.client_id, box.entities)


def test_settings_are_read_and_changed(box: Sandbox) -> None:
    changed = ask(
        box, "PATCH", "settings", {"expensein": {"page_size": 7}, "accountsiq": {"gzip": False}}
    ).json()
    assert changed == ask(box, "GET", "settings").json()
    assert changed["expensein"]["page_size"] == 7
    assert changed["accountsiq"]["gzip"] is False
    assert changed["expensein"]["paging"] == "none"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"expensein": {"pagesize": 7}}, "no setting 'pagesize'; there are: etag"),
        ({"expensein": {"page_size": 0}}, "0 is not a whole number above 0"),
        ({"expensein": {"page_size": True}}, "True is not a whole number"),
        ({"expensein": {"etag": "yes"}}, "'yes' is not true or false"),
        ({"expensein": {"paging": "pages"}}, "one of none, page, offset, link"),
        ({"expensein": {"permissions": ["king"]}}, "a list of account_administrator, finance_user"),
        ({"expensein": {"list_delay": -1}}, "a number of seconds"),
        ({"expensein": {"rate_limit": 0}}, "above 0, or null"),
        ({"accountsiq": {"token_lifetime": "20m"}}, "a number of seconds"),
        ({"accountsiq": {"scope_denied": "GetTaxCodeList"}}, "a list of texts"),
        ({"elsewhere": {}}, "there is no side 'elsewhere'"),
        ({"expensein": 1}, "the body must be"),
    ],
)
def test_a_wrong_setting_is_refused_and_none_is_changed(
    box: Sandbox, settings: dict[str, Any], says: str
) -> None:
    before = box.configure()
    answer = ask(box, "PATCH", "settings", {"accountsiq": {"revoked": True}} | settings)
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert box.configure() == before


def test_fractions_arrive_over_http_too(box: Sandbox) -> None:
    changed = ask(box, "PATCH", "settings", {"expensein": {"list_delay": 0.5}}).json()
    assert changed["expensein"]["list_delay"] == 0.5
    rules = [{"side": "expensein", "rate": 0.5, "fault": {"type": "latency", "seconds": 0.25}}]
    (shown,) = ask(box, "PUT", "faults", rules).json()
    assert (shown["rate"], shown["fault"]["seconds"]) == (0.5, 0.25)


def test_faults_requests_and_counters_over_http(box: Sandbox, api: Api) -> None:
    rules = [{"side": "expensein", "fault": {"type": "status", "status": 500}}]
    assert ask(box, "PUT", "faults", rules).status_code == 200
    api.get("projects")
    api.get("projects")
    (shown,) = ask(box, "GET", "faults").json()
    assert (shown["seen"], shown["played"], shown["times"]) == (1, 1, 1)
    assert [entry["status"] for entry in ask(box, "GET", "requests?side=expensein").json()] == [500, 200]
    assert ask(box, "GET", "requests?side=accountsiq").json() == []
    assert ask(box, "GET", "counters").json()["expensein"] == {"GET projects": 2}
    assert ask(box, "DELETE", "faults").status_code == 204
    assert ask(box, "GET", "faults").json() == []
    assert ask(box, "DELETE", "requests").status_code == 204
    assert ask(box, "GET", "requests").json() == []


def test_reset_begins_anew(box: Sandbox, api: Api) -> None:
    box.add_live("projects", name="Old")
    box.configure(expensein={"etag": True, "refresh_key": True})
    box.faults([{"side": "expensein", "fault": {"type": "drop_before"}, "times": None}])
    seed = {
        "accountsiq": {"entities": {"NEW": {"accounts": [{"Code": "1"}]}}},
        "expensein": {"api_key": "new-key", "projects": [{"name": "New"}], "settings": {"page_size": 3}},
    }
    info = ask(box, "POST", "reset", {"seed": seed}).json()
    assert info["accountsiq"]["entities"] == ["NEW"] == box.entities
    assert info["expensein"]["api_key"] == "new-key" == box.api_key
    assert box.source("NEW", "accounts") == [{"Code": "1"}]
    assert box.configure()["expensein"]["page_size"] == 3
    assert box.configure()["expensein"]["etag"] is False
    assert box.counters() == {"accountsiq": {}, "expensein": {}}
    (project,) = api.get("projects", headers={"Authorization": "ApiKey new-key"}).json()
    assert project["name"] == "New"


def test_a_reset_with_a_wrong_seed_changes_nothing(box: Sandbox) -> None:
    box.add_live("projects", name="Old")
    box.configure(expensein={"page_size": 7})
    before = box.state()
    for seed in ("no-such-seed", {"nonsense": 1}, {"expensein": {"settings": {"etag": 5}}}):
        answer = ask(box, "POST", "reset", {"seed": seed})
        assert answer.status_code == 400, seed
        assert answer.json()["message"]
        assert box.state() == before
    assert ask(box, "POST", "reset", {}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("GET", "accountsiq/NOWHERE/accounts", None, "there is no entity 'NOWHERE'; there are: "),
        ("GET", "accountsiq/{entity}/ledgers", None, "there is no dataset 'ledgers'; there are: accounts"),
        ("PUT", "accountsiq/{entity}/accounts", {"Code": "1"}, "the body must be a list of rows"),
        ("POST", "accountsiq/{entity}/accounts", {"Kode": "1"}, "has no field 'Kode'"),
        ("PATCH", "accountsiq/{entity}/accounts/1", {"Description": "x"}, "no row '1' in accounts"),
        ("DELETE", "accountsiq/{entity}/accounts/1", None, "no row '1' in accounts"),
        ("GET", "expensein/tables", None, "there is no collection 'tables'; there are: categories"),
        ("PATCH", "expensein/projects/1", {"name": "x"}, "no object with the id '1'"),
        ("POST", "expensein/projects", [], "the body must be a JSON object"),
        ("PATCH", "settings", None, "the body is not JSON"),
    ],
)
def test_what_is_wrong_is_said(box: Sandbox, method: str, path: str, body: object, says: str) -> None:
    answer = ask(box, method, path.format(entity=box.entities[0]), body)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


def test_unknown_paths_and_verbs_are_refused_in_json(box: Sandbox) -> None:
    assert (ask(box, "GET", "nowhere").status_code, ask(box, "DELETE", "state").status_code) == (404, 405)
    assert ask(box, "GET", "nowhere").json()["message"]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda box: box.source("NOWHERE", "accounts"), ControlError),
        (lambda box: box.live("tables"), ControlError),
        (lambda box: box.edit_live("projects", "1", name="x"), ControlError),
        (lambda box: box.remove_source(box.entities[0], "accounts", "1"), StoreError),
        (lambda box: box.configure(expensein={"etag": 1}), SettingError),
        (lambda box: box.faults([{}]), FaultError),
        (lambda box: box.reset("no-such-seed"), SeedError),
    ],
)
def test_in_process_the_same_mistakes_are_exceptions(
    box: Sandbox, act: Callable[[Sandbox], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        act(box)


def test_a_sandbox_that_cannot_start_says_why_and_leaves_no_thread() -> None:
    with pytest.raises(SeedError), Sandbox(seed="no-such-seed"):
        pass
    with pytest.raises(SettingError), Sandbox(seed="empty", expensein={"etag": 5}):
        pass


def test_settings_given_at_the_start_outlive_a_reset() -> None:
    with Sandbox(seed="empty", expensein={"page_size": 3}) as box:
        box.configure(expensein={"page_size": 4})
        box.reset("empty")
        assert box.configure()["expensein"]["page_size"] == 3


def test_each_object_of_the_company_seed_can_be_sent_back_as_it_was_read() -> None:
    """What the seed holds, the API accepts: otherwise a client that PUTs a whole object would be refused."""
    with Sandbox(seed="company") as box, requests.Session() as session:
        session.headers["Authorization"] = f"ApiKey {box.api_key}"
        for collection in ("categories", "projects", "departments", "taxrates", "suppliers"):
            for one in box.live(collection):
                answer = session.put(
                    f"{box.expensein_url}{collection}/{one['id']}",
                    data=simplejson.dumps(one),
                    headers={"Content-Type": "application/json"},
                    timeout=10,
                )
                assert answer.status_code == 200, (one, answer.text)
                assert simplejson.loads(answer.text, use_decimal=True) == one
