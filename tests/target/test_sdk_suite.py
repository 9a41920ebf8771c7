"""The SDK's own test suite for targets.

Its streams are none of ours and would all be ignored (R31), so for this suite only, an unknown stream gets a sink
with the SDK's usual policy: validate, and stop at the first bad record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from singer_sdk.sinks import RecordSink, Sink
from singer_sdk.testing import get_target_test_class
from target_expensein.target import TargetExpenseIn


class UsualSink(RecordSink):
    """Takes every record and does nothing with it."""

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        """Do nothing."""


class UsualTarget(TargetExpenseIn):
    """The target with the SDK's usual policy for streams that it does not know."""

    def get_sink_class(self, stream_name: str) -> type[Sink]:
        """Return the usual sink for every stream that feeds no item."""
        return super().get_sink_class(stream_name) if self.intakes_of(stream_name) else UsualSink

    def process_endofpipe(self) -> None:
        """Pass the states on as they are: there is nothing to write."""
        self._emit_states(set())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


TestSuite = get_target_test_class(
    target_class=UsualTarget,
    config={"api_key": "none", "items": {"categories": {"enabled": True}}},
)
