"""The command line, as a person or a script meets it: each command as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner
from sandbox.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

SANDBOX = str(Path(sys.executable).with_name("sandbox"))
SEED = {
    "accountsiq": {
        "entities": {
            "ACME": {
                "name": "Acme Ltd",
                "accounts": [
                    {"Code": "0100", "Description": "Travel"},
                    {"Code": "0200", "Description": "Meals"},
                ],
                "dimensions": [
                    {
                        "Code": "SITE",
                        "Description": "Site",
                        "DimensionCodes": [{"Code": "S1", "Description": "Cork"}],
                    }
                ],
            }
        }
    },
    "expensein": {
        "categories": [{"name": "Journeys", "reference": "0100"}, {"name": "Hotel", "reference": "0300"}],
        "projects": [{"name": "Cork", "reference": "S1"}],
    },
}


@pytest.fixture
def seed(tmp_path: Path) -> str:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(SEED), encoding="utf-8")
    return str(path)


def sandbox(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_", "TARGET_", "SANDBOX_"))
    }
    return subprocess.run(
        [SANDBOX, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environment,
        check=False,
    )


def refused(*arguments: str) -> str:
    """What the command says when it refuses; in this process, as nothing gets started."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (1, 2)
    assert isinstance(done.exception, SystemExit)  # anything else would be a traceback
    assert done.stdout == ""
    return done.stderr


@contextmanager
def serving(*arguments: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[dict[str, Any]]:
    """`sandbox serve`, from its first line until it has stopped without complaint."""
    with subprocess.Popen(
        [SANDBOX, "serve", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)
        finally:
            process.send_signal(stop)
            rest, complaints = process.communicate(timeout=20)
        assert (rest, complaints, process.returncode) == ("", "", 0)


def get(info: dict[str, Any], path: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"ApiKey {info['expensein']['api_key']}"}
    return requests.get(info["expensein"]["url"] + path, headers=headers, timeout=10, **options)


# serve


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_first_line_leads_to_three_servers_and_a_signal_stops_them(stop: signal.Signals) -> None:
    with serving("--seed", "empty", stop=stop) as info:
        assert set(info) == {"accountsiq", "expensein", "control", "ca_bundle"}
        accountsiq = info["accountsiq"]
        path = r"http://127\.0\.0\.1:\d+/system/dashboard/integration/integration_2_0\.asmx"
        assert re.fullmatch(path, accountsiq["url"])
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/1\.0/", info["expensein"]["url"])
        assert info["ca_bundle"] is None
        for text in (accountsiq["client_id"], accountsiq["client_secret"], info["expensein"]["api_key"]):
            assert re.fullmatch(r"[A-Za-z0-9-]+", text)
        assert get(info, "categories").json() == []
        assert "wsdl" in requests.get(accountsiq["url"] + "?wsdl", timeout=10).text
        assert requests.get(info["control"]["url"] + "info", timeout=10).json() == info
    with pytest.raises(requests.ConnectionError):
        get(info, "categories")


def test_it_stops_at_once_while_a_request_waits() -> None:
    with serving("--seed", "empty", "--latency", "300") as info, pytest.raises(requests.ReadTimeout):
        requests.get(info["expensein"]["url"], timeout=0.2)


def test_the_default_seed_is_the_company() -> None:
    with serving() as info:
        assert len(info["accountsiq"]["entities"]) > 1
        assert get(info, "categories").json()


def test_ports_can_be_chosen_and_a_taken_one_is_said(seed: str) -> None:
    with serving("--seed", seed) as info:
        port = info["expensein"]["url"].split(":")[2].split("/")[0]
        said = refused("serve", "--seed", "empty", "--expensein-port", port)
    assert said.startswith("Error: The sandbox cannot listen on 127.0.0.1: ")
    with serving("--seed", seed, "--expensein-port", port) as info:
        assert info["expensein"]["url"] == f"http://127.0.0.1:{port}/1.0/"


def test_a_database_file_keeps_everything_between_two_serves(seed: str, tmp_path: Path) -> None:
    db = str(tmp_path / "box.db")
    with serving("--seed", seed, "--db", db) as first:
        control = first["control"]["url"]
        requests.patch(
            control + "settings", json={"expensein": {"refresh_key": True, "page_size": 7}}, timeout=10
        )
        requests.patch(control + "accountsiq/ACME/accounts/0100", json={"Description": "Trips"}, timeout=10)
        kept = requests.get(control + "info", timeout=10).json()
        made = requests.post(
            kept["expensein"]["url"] + "taxrates",
            data='{"name": "Standard", "rate": 20.10}',
            headers={
                "Authorization": f"ApiKey {kept['expensein']['api_key']}",
                "Content-Type": "application/json",
            },
            timeout=10,
        )
        before = requests.get(control + "state", timeout=10).text
    # The seed is for a new file only: this one is not even looked at.
    with serving("--seed", "no-such-seed", "--db", db) as second:
        assert second["accountsiq"]["client_secret"] == kept["accountsiq"]["client_secret"]
        assert second["expensein"]["api_key"] == kept["expensein"]["api_key"] != first["expensein"]["api_key"]
        assert get(second, "taxrates").text == f"[{made.text}]"
        assert requests.get(second["control"]["url"] + "state", timeout=10).text == before
        assert (
            requests.get(second["control"]["url"] + "settings", timeout=10).json()["expensein"]["page_size"]
            == 7
        )


def test_ids_are_not_used_twice_across_restarts(tmp_path: Path) -> None:
    db = str(tmp_path / "box.db")
    seen = []
    for _ in range(2):
        with serving("--seed", "empty", "--db", db) as info:
            control = info["control"]["url"] + "expensein/projects"
            made = requests.post(control, json={"name": "x"}, timeout=10).json()
            requests.delete(f"{control}/{made['id']}", timeout=10)
            seen.append(made["id"])
    assert seen[0] != seen[1]


def test_with_tls_a_client_that_knows_the_authority_is_served_and_no_other() -> None:
    with serving("--seed", "empty", "--tls") as info:
        bundle = info["ca_bundle"]
        for url in (info["expensein"]["url"], info["accountsiq"]["url"]):
            assert url.startswith("https://127.0.0.1:")
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(url, timeout=10)
            assert requests.get(url, verify=bundle, timeout=10).status_code in (200, 401)
            named = url.replace("127.0.0.1", "localhost")
            assert requests.get(named, verify=bundle, timeout=10).status_code in (200, 401)
        assert get(info, "categories", verify=bundle).json() == []
        assert info["control"]["url"].startswith("http://")
    assert not Path(bundle).exists()


def test_fault_rules_come_as_json_and_as_files(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('[{"side": "expensein", "fault": {"type": "status", "status": 503}}]', encoding="utf-8")
    rule = '{"side": "expensein", "fault": {"type": "status", "status": 500}}'
    with serving("--seed", "empty", "--fault", rule, "--fault", str(plan)) as info:
        assert [get(info, "users").status_code for _ in range(3)] == [500, 503, 200]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "no-such-file"], "no-such-file is neither JSON nor a file that can be read"),
        (["--fault", "{"], "is not valid JSON"),
        (["--fault", "{}"], "rule 1: side is None, expected one of accountsiq, expensein"),
        (["--seed", "no-such-seed"], "no-such-seed"),
        (["--seed", "generated:apples=3"], "apples"),
        (["--latency", "-1"], "--latency"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["--db", "/no/such/folder/box.db"], "/no/such/folder/box.db"),
    ],
)
def test_what_cannot_be_started_is_said_without_a_traceback(arguments: list[str], says: str) -> None:
    assert says in refused("serve", "--seed", "empty", *arguments)


def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Sir or Madam, " * 100, encoding="utf-8")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    before = (text.read_bytes(), other.read_bytes())
    for path in (text, other):
        assert str(path) in refused("serve", "--db", str(path))
    assert (text.read_bytes(), other.read_bytes()) == before


# run


def test_run_gives_the_command_its_environment_and_passes_its_exit_code_on(seed: str) -> None:
    program = (
        "import json, os, sys, urllib.request as u;"
        "e = {n: v for n, v in os.environ.items() if n.startswith(('TAP_', 'TARGET_', 'SANDBOX_'))};"
        "print(json.dumps([e, json.load(u.urlopen(e['SANDBOX_CONTROL_URL'] + 'info'))])); sys.exit(7)"
    )
    done = sandbox("run", "--seed", seed, "--", sys.executable, "-c", program)
    assert done.returncode == 7
    assert done.stderr == ""
    found, info = json.loads(done.stdout)
    assert found == {
        "TAP_ACCOUNTSIQ_API_URL": info["accountsiq"]["url"],
        "TAP_ACCOUNTSIQ_CLIENT_ID": info["accountsiq"]["client_id"],
        "TAP_ACCOUNTSIQ_CLIENT_SECRET": info["accountsiq"]["client_secret"],
        "TAP_ACCOUNTSIQ_ENTITIES": '["ACME"]',
        "TARGET_EXPENSEIN_API_URL": info["expensein"]["url"],
        "TARGET_EXPENSEIN_API_KEY": info["expensein"]["api_key"],
        "SANDBOX_CONTROL_URL": info["control"]["url"],
    }


def test_run_keeps_the_users_entities_and_names_the_authority_with_tls(seed: str) -> None:
    program = (
        "import os; print(os.environ['TAP_ACCOUNTSIQ_ENTITIES'], os.environ['TAP_ACCOUNTSIQ_CA_BUNDLE'],"
        " os.path.exists(os.environ['TARGET_EXPENSEIN_CA_BUNDLE']))"
    )
    command = ("run", "--seed", seed, "--tls", "--", sys.executable, "-c", program)
    entities, bundle, exists = sandbox(*command, TAP_ACCOUNTSIQ_ENTITIES='["MINE"]').stdout.split()
    assert (entities, exists) == ('["MINE"]', "True")
    assert bundle.endswith(".pem")


def test_options_of_the_command_are_not_the_sandboxs() -> None:
    done = sandbox(
        "run",
        "--seed",
        "empty",
        "--",
        sys.executable,
        "-c",
        "import sys; print(sys.argv[1:])",
        "--tls",
        "--seed",
    )
    assert done.stdout == "['--tls', '--seed']\n"


def test_a_command_that_does_not_exist_or_dies_is_told_by_the_exit_code() -> None:
    missing = sandbox("run", "--seed", "empty", "--", "no-such-command")
    assert missing.returncode == 127
    assert "no-such-command cannot be run" in missing.stderr
    killed = sandbox(
        "run", "--seed", "empty", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"
    )
    assert killed.returncode == 128 + 9
    assert "Missing argument 'COMMAND...'" in refused("run", "--seed", "empty")


def test_a_stopped_run_takes_its_command_with_it() -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(300)"
    with subprocess.Popen(
        [SANDBOX, "run", "--seed", "empty", "--", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


# show


def test_show_tells_both_sides_and_where_they_differ(seed: str, tmp_path: Path) -> None:
    db = str(tmp_path / "box.db")
    with serving("--seed", seed, "--db", db) as info:
        get(info, "categories")
        live = sandbox("show", "--control", info["control"]["url"])
        by_environment = sandbox("show", SANDBOX_CONTROL_URL=info["control"]["url"])
    file = sandbox("show", "--db", db)
    assert live.returncode == by_environment.returncode == file.returncode == 0
    assert live.stdout == by_environment.stdout == file.stdout
    lines = [line.split() for line in file.stdout.splitlines()]
    assert ["ACME", "Acme", "Ltd", "2", "1", "0", "0", "0"] in lines
    assert ["categories", "2", "2", "0"] in lines
    assert ["0100", "Journeys", "everyone"] in lines
    # in both, name differs, AccountsIQ only, ExpenseIn only
    assert ["categories", "accounts", "1", "1", "1", "1"] in lines
    assert ["projects", "dimension", "SITE", "1", "0", "0", "0"] in lines
    assert ["expensein", "GET", "categories", "1"] in lines


def test_looking_into_a_file_does_not_change_it(seed: str, tmp_path: Path) -> None:
    db = tmp_path / "box.db"
    with serving("--seed", seed, "--db", str(db)):
        pass
    before = db.read_bytes()
    assert sandbox("show", "--db", str(db)).returncode == 0
    assert db.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Say where to look"),
        (["--db", "no-such.db"], "no-such.db"),
        (["--control", "http://127.0.0.1:1/"], "No sandbox answers at http://127.0.0.1:1/"),
        (["--control", "file:///etc/hosts"], "is not an http address"),
    ],
)
def test_show_says_what_is_missing(arguments: list[str], says: str) -> None:
    assert says in refused("show", *arguments)


# generate


def test_a_generated_seed_has_the_sizes_asked_for_and_can_be_served(tmp_path: Path) -> None:
    made = sandbox("generate", "--suppliers", "3", "--accounts", "2", "--seed", "5")
    assert made.returncode == 0
    again = [
        CliRunner().invoke(main, ["generate", "--suppliers", "3", "--accounts", "2", "--seed", n])
        for n in "56"
    ]
    assert [one.stdout == made.stdout for one in again] == [True, False]
    path = tmp_path / "seed.json"
    path.write_text(made.stdout, encoding="utf-8")
    with serving("--seed", str(path)) as info:
        entity = info["accountsiq"]["entities"][0]
        for dataset, size in (("suppliers", 3), ("accounts", 2)):
            url = f"{info['control']['url']}accountsiq/{entity}/{dataset}"
            assert len(requests.get(url, timeout=10).json()) == size


def test_a_size_that_makes_no_sense_is_said() -> None:
    assert "suppliers is -1" in refused("generate", "--suppliers", "-1")
