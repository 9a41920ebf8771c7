"""An answer's body, decoded and stored whole before anybody reads it, within limits of size and time.

The file has no name on disk, so that nothing is left behind, not even by a crash.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import IO

import requests

from tap_accountsiq import errors

MEMORY_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that stay in memory; what is longer goes to an unnamed temporary file."""

CHUNK = 128 * 1024
TAIL = 512
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may cost.

    Attributes:
        silence: Seconds to wait for the connection, and for each further part of an answer.
        duration: Seconds for the whole answer, however steadily it trickles.
        size: Bytes of the body as it is after decompression.
    """

    silence: float
    duration: float
    size: int


def spool(response: requests.Response, limits: Limits, only: int | None) -> tuple[IO[bytes], bool]:
    """Copy a body, decoded, into memory or an unnamed file.

    Args:
        response: The answer, not yet read.
        limits: What it may cost.
        only: Read no more than about so many bytes, and be content; None: the body must come to its end.

    Returns:
        The body, rewound, and whether it is whole.

    Raises:
        AnswerTooLarge: The body is larger than it may be.
        SpoolFailure: There is no room for it.
        requests.RequestException: The connection broke, or the time is up.
    """
    body = tempfile.SpooledTemporaryFile(max_size=MEMORY_LIMIT)  # noqa: SIM115 - closed by the reader
    size = 0
    try:
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > limits.size:
                raise errors.AnswerTooLarge(
                    f"The answer is larger than {limits.size // MEGABYTE} MB.",
                    "If the list really is that long, raise max_answer_megabytes.",
                )
            _store(chunk, body)
            if only is not None and size >= only:
                break
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, only is None or size < only


def _store(chunk: bytes, body: IO[bytes]) -> None:
    try:
        body.write(chunk)
    except OSError as error:
        raise errors.SpoolFailure(
            f"The answer could not be stored in {tempfile.gettempdir()}: {error.strerror or error}.",
            "Make room there, or point TMPDIR at a directory with more.",
        ) from error


def tail(body: IO[bytes]) -> bytes:
    """Return the last bytes of a spooled body without trailing white space, and rewind it."""
    end = body.seek(0, 2)
    body.seek(max(0, end - TAIL))
    last = body.read().rstrip()
    body.seek(0)
    return last
