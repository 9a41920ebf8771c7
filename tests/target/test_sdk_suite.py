"""The SDK's own test suite for targets, on the target as it is.

The suite's streams are none of ours, so they are all read, checked and ignored (R31). One of its tests wants the run to end at
the first record that lacks its key; here such a record is rejected and the run goes on (R30), so that one is left out.
"""

from __future__ import annotations

import pytest
from singer_sdk.plugin_base import BaseSingerReader
from singer_sdk.singerlib.encoding import GenericSingerReader
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import TargetRecordMissingKeyProperty
from target_expensein.target import TargetExpenseIn

STOPS_AT_A_BAD_RECORD = {TargetRecordMissingKeyProperty}


class ListeningTarget(TargetExpenseIn):
    """The target without its end: there is no ExpenseIn to compare with."""

    def process_endofpipe(self) -> None:
        """Pass the states on."""
        self._emit_states(set())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


TestSuite = get_target_test_class(
    target_class=ListeningTarget,
    config={"api_key": "none", "items": {"categories": {"enabled": True}}},
    include_target_tests=False,
    custom_suites=[
        SingerTestSuite(
            kind=target_tests.kind,
            tests=[test for test in target_tests.tests if test not in STOPS_AT_A_BAD_RECORD],
        )
    ],
)


def test_the_sdk_still_hands_messages_to_the_methods_that_this_target_defines():
    """They have no other name than the SDK's; if it renamed one, messages of that type would go astray."""
    assert set(BaseSingerReader.__abstractmethods__) == {
        "_process_schema_message",
        "_process_record_message",
        "_process_state_message",
        "_process_activate_version_message",
        "_process_batch_message",
    }
    assert {"process_lines", "deserialize_json", "default_input"} <= vars(GenericSingerReader).keys()
