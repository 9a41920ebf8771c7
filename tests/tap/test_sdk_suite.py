"""The Singer SDK's own suite of tests for taps, against the sandbox."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.testing import Sandbox
from singer_sdk.testing import get_tap_test_class
from tap_accountsiq.tap import TapAccountsIQ
from tap_testing import settings

# The suite makes a tap when it is collected, before there is a sandbox: these settings only have to be well-formed.
CONFIG: dict[str, Any] = {
    "api_url": "http://127.0.0.1:9/",
    "client_id": "x",
    "client_secret": "x",
    "entities": ["x"],
}


@pytest.fixture(scope="module", autouse=True)
def _company() -> Iterator[None]:
    """Point the settings at a running sandbox, and give pytest its signals back afterwards."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    with Sandbox() as box:
        CONFIG.update(settings(box))
        yield
    for each, handler in handlers.items():
        signal.signal(each, handler)


def everything() -> dict[str, Any]:
    """Return the catalog with every stream selected; the suite wants to see them all."""
    catalog = TapAccountsIQ(config=CONFIG, setup_mapper=False).catalog_dict
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = True
    return catalog


_handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
# Some fields are empty in every record of the sandbox's company, as they are in many a real one: the suite warns of it.
_empty_fields_are_fine = pytest.mark.filterwarnings("ignore:No records were available to test")
TestTheSdksSuite = _empty_fields_are_fine(
    get_tap_test_class(TapAccountsIQ, config=CONFIG, parse_env_config=False, catalog=everything())
)
for _signal, _handler in _handlers.items():
    signal.signal(_signal, _handler)
