"""The way of the messages to stdout: the shortest one writes what the SDK's own writes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from singer_sdk import Stream
from tap_accountsiq.entity_stream import EntityStream
from tap_accountsiq.tap import TapAccountsIQ
from tap_accountsiq.writer import MessageWriter
from tap_testing import Reply, Service, Tap, only, rows

OPERATION = "GetTaxCodeList"
ENTRIES = [
    "<Tax><Code>S</Code><Description>Müller &amp; Söhne “&lt;”\n\\ 🙂</Description><Rate>0.2300</Rate></Tax>",
    "<Tax><Code>007</Code><Rate>-12345678901234567890.10</Rate><IsDefault>true</IsDefault></Tax>",
    '<Tax><Code/><Rate>0.0000000</Rate><TaxTypeId xsi:nil="true"/><GrossThreshold>1</GrossThreshold></Tax>',
]
EXTRACTED = re.compile(r'"time_extracted":"[0-9T:.-]+Z"')

SDKS_WAY: dict[str, dict[str, Any]] = {
    "a stream map": {"stream_maps": {"tax_rates": {}}},
    "flattening": {"flattening_enabled": True, "flattening_max_depth": 1},
}


@pytest.fixture
def listed(service: Service) -> Service:
    """Fill the service with tax codes that are hard to write."""
    service.replies[OPERATION] = [Reply(rows(OPERATION, *ENTRIES))]
    return service


@pytest.mark.parametrize("case", SDKS_WAY)
@pytest.mark.parametrize("versions", [True, False])
def test_the_shortest_way_writes_the_same_bytes_as_the_sdks_own(
    case: str, *, versions: bool, listed: Service, tap: Tap, catalog: dict[str, Any]
) -> None:
    def lines(**changes: object) -> list[str]:
        config = listed.settings(emit_activate_version_messages=versions, **changes)
        done = tap(config, catalog=only(catalog, "tax_rates"))
        assert done.code == 0
        found = [line for line in done.out.splitlines() if '"type":"RECORD"' in line]
        assert all(EXTRACTED.search(line) for line in found)
        return [re.sub(r'"version":[0-9]+', '"version":1', EXTRACTED.sub("", line)) for line in found]

    short = lines()
    assert len(short) == len(ENTRIES)
    assert ('"version":1' in short[0]) is versions
    assert short == lines(**SDKS_WAY[case])


def made(config: dict[str, Any], catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Run a tap in this process; return how many records took the shortest way and how many the SDK's."""
    ways = {"short": 0, "long": 0}
    short, long = MessageWriter.write_record, Stream._generate_record_messages

    def count_short(self: MessageWriter, *arguments: Any) -> None:
        ways["short"] += 1
        short(self, *arguments)

    def count_long(self: Stream, record: dict[str, Any]) -> Any:
        ways["long"] += 1
        return long(self, record)

    monkeypatch.setattr(MessageWriter, "write_record", count_short)
    monkeypatch.setattr(Stream, "_generate_record_messages", count_long)
    with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        TapAccountsIQ(config=config, catalog=only(catalog, "tax_rates")).sync_all()
    return ways["short"], ways["long"]


def test_the_sdk_still_calls_what_the_tap_replaces(
    listed: Service, catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a private method of the SDK: a version that does without it must not pass unnoticed."""
    assert EntityStream._write_record_message is not Stream._write_record_message
    assert made(listed.settings(), catalog, monkeypatch) == (len(ENTRIES), 0)


@pytest.mark.parametrize("case", SDKS_WAY)
def test_a_say_in_the_records_leads_the_sdks_way(
    case: str, listed: Service, catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made(listed.settings(**SDKS_WAY[case]), catalog, monkeypatch) == (0, len(ENTRIES))


def test_stream_maps_still_change_records(listed: Service, tap: Tap, catalog: dict[str, Any]) -> None:
    maps = {"tax_rates": {"code": "code + '!'", "rate": None, "__alias__": "vat"}}
    done = tap(listed.settings(stream_maps=maps), catalog=only(catalog, "tax_rates"))
    assert [each["code"] for each in done.records("vat")] == ["S!", "007!", "!"]
    assert all("rate" not in each for each in done.records("vat"))


def test_the_output_is_utf_8_whatever_the_environment_says(
    listed: Service, catalog: dict[str, Any], tmp_path: Path
) -> None:
    for name, content in (("config", listed.settings()), ("catalog", only(catalog, "tax_rates"))):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("tap-accountsiq"),
            "--config",
            "config.json",
            "--catalog",
            "catalog.json",
        ],
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    records = [json.loads(line)["record"] for line in done.stdout.splitlines() if b'"RECORD"' in line]
    assert records[0]["description"] == "Müller & Söhne “<”\n\\ 🙂"
