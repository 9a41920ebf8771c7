"""The tap's reading without Singer: parse an answer that lies in a file, or ask for it, spool it and parse it.

python -m benchmarks.parse_probe FILE|URL
"""

from __future__ import annotations

import sys
from pathlib import Path

from tap_accountsiq.parser import RowReader
from tap_accountsiq.soap import Credentials, Reply, Wire
from tap_accountsiq.spool import Limits
from tap_accountsiq.streams import STREAMS

from benchmarks.bodies import SYNC_FIELDS


def main(place: str) -> int:
    """Read all suppliers; return how many there are."""
    declaration = next(stream for stream in STREAMS if stream.name == "suppliers")
    operation = declaration.read.operation
    if place.startswith("http"):
        limits = Limits(silence=300, duration=3600, size=10**10)
        wire = Wire(place, limits=limits, user_agent="benchmark", ca_bundle=None)
        reply = wire.post(operation, {}, Credentials("ONE", "access"))
    else:
        reply = Reply(200, Path(place).open("rb"), whole=True, retry_after=None)  # noqa: SIM115 - closed by the reader
    rows = RowReader(reply, operation, declaration.row)
    count = sum(1 for _ in rows.records(declaration, SYNC_FIELDS, "ONE"))
    rows.close()
    return count


if __name__ == "__main__":
    print(main(sys.argv[1]))
