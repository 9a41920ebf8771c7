"""Markup to the bytes of an answer: short answers whole, as ASP.NET sends them, long ones streamed and written only once."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator
from itertools import chain, islice
from typing import Final

_CHUNK: Final = 64 * 1024  # characters
_WHOLE: Final = 256  # chunks; some thousand suppliers
_GZIP_WBITS: Final = 31  # zlib: a gzip header and trailer around the data
_GZIP_LEVEL: Final = 4  # a supplier list shrinks to about the same size as at 6, in half the time


class Bodies:
    """Makes bodies, and keeps the long ones, gzipped, for whoever asks for the same list again.

    To write a list takes a hundred times as long as to send it, and the sandbox shares its processor with the program that
    is tried against it. Nothing of what a client sees depends on whether its answer was kept.
    """

    def __init__(self) -> None:
        """Start with nothing kept."""
        self._kept: dict[Hashable, list[bytes]] = {}
        self._version = 0

    def kept(self, key: Hashable, version: int, *, zipped: bool) -> AsyncIterator[bytes] | None:
        """Give a long body that was made before.

        Args:
            key: What was asked for.
            version: Number that changes with every change of the data; what was kept under another is forgotten.
            zipped: The client wants it gzipped.

        Returns:
            The body in pieces, None when it must be made.
        """
        if version != self._version:
            self._kept.clear()
            self._version = version
        pieces = self._kept.get(key)
        if pieces is None:
            return None
        return _asynchronous(pieces if zipped else _unpacked(pieces))

    def make(
        self, parts: Iterable[str], key: Hashable, version: int, *, zipped: bool
    ) -> bytes | AsyncIterator[bytes]:
        """Make a body.

        Args:
            parts: The markup.
            key: What was asked for.
            version: As for `kept`; a body is not kept when the data change while it is sent.
            zipped: The client wants it gzipped.

        Returns:
            A short body whole, a long one in pieces.
        """
        chunks = _chunks(parts)
        begun = list(islice(chunks, _WHOLE + 1))
        if len(begun) > _WHOLE:
            return _asynchronous(self._keeping(chain(begun, chunks), key, version, zipped=zipped))
        return b"".join(pieces(begun) if zipped else begun)

    def _keeping(
        self, chunks: Iterable[bytes], key: Hashable, version: int, *, zipped: bool
    ) -> Iterator[bytes]:
        squeeze, kept = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS), list[bytes]()
        for chunk in chunks:
            kept.append(squeeze.compress(chunk))
            yield kept[-1] if zipped else chunk
        kept.append(squeeze.flush())
        if zipped:
            yield kept[-1]
        if version == self._version:
            self._kept[key] = [piece for piece in kept if piece]


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip a body piece by piece."""
    squeeze = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS)
    yield from map(squeeze.compress, chunks)
    yield squeeze.flush()


def _unpacked(zipped: Iterable[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=_GZIP_WBITS)
    yield from filter(None, map(unpack.decompress, zipped))
    yield unpack.flush()


async def _asynchronous(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _chunks(parts: Iterable[str]) -> Iterator[bytes]:
    """Join small pieces of markup to pieces worth sending."""
    waiting: list[str] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield "".join(waiting).encode("utf-8", "replace")
            waiting, size = [], 0
    yield "".join(waiting).encode("utf-8", "replace")
