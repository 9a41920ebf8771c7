"""``--test``: does signing in work, does each entity, does each read? In plain words, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_accountsiq import errors

if TYPE_CHECKING:
    from tap_accountsiq.client import AccountsIQ
    from tap_accountsiq.entity_stream import EntityStream


@dataclass(frozen=True, slots=True)
class Line:
    """One finding."""

    good: bool
    text: str


def report(service: AccountsIQ, streams: Iterable[EntityStream], entities: Iterable[str]) -> Iterator[Line]:
    """Try everything that a run needs. Of each list only the beginning is read, where the service says yes or no.

    Args:
        service: The service.
        streams: The streams to try.
        entities: The entities to try them for.

    Yields:
        The findings, as they come.
    """
    streams = list(streams)
    try:
        service.sign_in()
    except errors.AccountsIQError as error:
        yield Line(good=False, text=f"FAIL  sign-in (TokenGet): {error.explanation}")
        return
    yield Line(good=True, text="ok    sign-in (TokenGet)")
    for entity in entities:
        try:
            yield from _entity_report(service, streams, entity)
        except (errors.UnknownEntity, errors.SignInFailed) as error:
            yield Line(good=False, text=f"FAIL  {entity}: {error.explanation}")


def _entity_report(service: AccountsIQ, streams: Iterable[EntityStream], entity: str) -> Iterator[Line]:
    """Try each stream for one entity; an entity that cannot be reached at all is not asked again."""
    for stream in streams:
        what = f"{entity}: {stream.name} ({stream.read.operation})"
        try:
            service.probe(stream.declaration, stream.read, entity)
        except (errors.UnknownEntity, errors.SignInFailed):
            raise
        except errors.AccountsIQError as error:
            yield Line(good=False, text=f"FAIL  {what}: {error.explanation}")
        else:
            yield Line(good=True, text=f"ok    {what}")
