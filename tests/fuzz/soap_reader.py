"""Coverage-guided fuzzing of the SOAP reader: ``make fuzz``.

Whatever the bytes, reading them ends in records or in one of the tap's own errors. What is more, a document that the reader
calls whole is one that a plain parser accepts, and holds as many rows. An input that breaks this is kept in
``.cache/fuzz`` and printed; put it into the corpus together with the mend.
"""

from __future__ import annotations

import io
import sys

import atheris

with atheris.instrument_imports(include=["tap_accountsiq"]):
    from tap_accountsiq import document, errors
    from tap_accountsiq.parser import RowReader, read_values
    from tap_accountsiq.soap import NAMESPACE, Reply
    from tap_accountsiq.streams import STREAMS

from lxml import etree

document.FIRST_PIECE = 100
PIECES = (
    200,
    1_000,
    2_000,
    100_000,
)  # the first never comes to parts of the list, the last reads all at once
STATUSES = (200, 200, 200, 200, 401, 429, 500)
TAX_RATES = next(each for each in STREAMS if each.name == "tax_rates")
ROW = f"{{{NAMESPACE}}}{TAX_RATES.row}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def read_list(status: int, body: bytes) -> None:
    """Read a body as a list, and doubt the result."""
    try:
        reader = RowReader(
            Reply(status, io.BytesIO(body), whole=True, retry_after=None),
            TAX_RATES.read.operation,
            TAX_RATES.row,
        )
        count = len(list(reader.records(TAX_RATES, [each.name for each in TAX_RATES.fields], "ACME")))
    except errors.AccountsIQError as error:
        str(error)
        return
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    rows = [each for each in root.iter(ROW) if each.get(NIL) not in {"true", "1"}]
    if count > len(rows) or root.getroottree().docinfo.internalDTD is not None:
        message = f"{count} records of {len(rows)} rows"
        raise AssertionError(message)


def read_tokens(status: int, body: bytes) -> None:
    """Read a body as the answer to a sign-in."""
    try:
        read_values(
            Reply(status, io.BytesIO(body), whole=True, retry_after=None), "TokenGet", ("AccessToken",)
        )
    except errors.AccountsIQError as error:
        str(error)


def one_input(data: bytes) -> None:
    """Read one input: the first byte chooses reader, status and size of the pieces, the rest is the body."""
    choice, body = (data[0], data[1:]) if data else (0, b"")
    document.PIECE = PIECES[(choice >> 4) % len(PIECES)]
    (read_tokens if choice & 1 else read_list)(STATUSES[(choice >> 1) % len(STATUSES)], body)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
