"""The API key in whatever form it comes: taken out of errors before they are cut, and of whatever the process logs."""

from __future__ import annotations

import base64
import html
import json
import os
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from target_expensein.redaction import Redaction

from .conftest import TargetCommand, stream

keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=9, max_size=40)
around = st.text(st.characters(max_codepoint=0x7E), max_size=9)


@given(key=keys, before=around, after=around, form=st.sampled_from(range(9)))
def test_no_form_of_the_key_is_left(key: str, before: str, after: str, form: int) -> None:
    text = before + key + after
    written = [
        *(text, json.dumps(text), json.dumps(text).replace("/", "\\/"), repr(text)),
        *(quote(text, safe=""), quote_plus(text), html.escape(text)),
        *(base64.b64encode(text.encode()).decode(), base64.urlsafe_b64encode(text.encode()).decode()),
    ][form]
    redact = Redaction(key, "api_key")
    left = redact(written)
    assert "[api_key]" in left
    assert not redact.finds(left.replace("[api_key]", " ").encode())
    assert redact.finds(written.encode())


def test_json_escapes_hide_nothing() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in "key-of-the-account")
    assert Redaction("key-of-the-account", "api_key").finds(f'{{"name": "{escaped}"}}'.encode())


def test_what_is_not_the_key_stays() -> None:
    assert Redaction("key-of-the-account", "api_key")("key of the account") == "key of the account"


SABOTAGE = """
import logging, sys
from target_expensein.engine import Engine
from target_expensein.target import TargetExpenseIn

def plan(self, tasks):
    headers = self._client._transport._headers
    logging.getLogger("some.library").warning("sending %s", headers)
    try:
        raise KeyError(headers)
    except KeyError as error:
        raise LookupError(f"nobody foresaw {headers}") from error

Engine.plan = plan
sys.argv = ["target-expensein", "--config", sys.argv[1]]
TargetExpenseIn.cli()
"""


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_an_exception_that_nobody_foresaw_does_not_show_the_key(target: TargetCommand, level: str) -> None:
    target.start(items={"categories": {"enabled": True}}).communicate(
        "", timeout=60
    )  # leaves the configuration
    lines = "".join(f"{json.dumps(message)}\n" for message in stream("accounts"))
    done = subprocess.run(
        [sys.executable, "-c", SABOTAGE, target.folder / "config.json"],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        cwd=target.folder,
        env=os.environ | {"LOGLEVEL": level, "TARGET_EXPENSEIN_LOGLEVEL": level},
    )
    assert done.returncode == 1
    assert "nobody foresaw" in done.stderr
    assert "ApiKey [api_key]" in done.stderr
    assert target.box.api_key not in done.stdout + done.stderr
