"""``--test``: does signing in work, does each entity, does each read? In plain words, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_accountsiq import errors
from tap_accountsiq.streams import BY_NAME, Read

if TYPE_CHECKING:
    from tap_accountsiq.client import AccountsIQ
    from tap_accountsiq.entity_stream import EntityStream

MANY = 20
"""How many entities are named at most."""

REACH = BY_NAME["entities"]


@dataclass(frozen=True, slots=True)
class Line:
    """One finding.

    Attributes:
        good: Whether a run works in spite of it.
        text: The line to print: ``ok``, ``note`` or ``FAIL``, what was tried, what came of it.
    """

    good: bool
    text: str


def report(service: AccountsIQ, streams: Iterable[EntityStream], entities: list[str]) -> Iterator[Line]:
    """Try everything that a run needs. Of each list only the beginning is read, where the service says yes or no.

    Args:
        service: The service.
        streams: The streams to try.
        entities: The entities to try them for.

    Yields:
        The findings, as they come.
    """
    streams = [stream for stream in streams if stream.declaration is not REACH]
    try:
        service.sign_in()
    except errors.AccountsIQError as error:
        yield Line(good=False, text=f"FAIL  sign-in (TokenGet): {error.explanation}")
        return
    yield Line(good=True, text="ok    sign-in (TokenGet)")
    yield _reach(service, entities)
    for entity in entities:
        here = [stream for stream in streams if entity in stream.entities]
        try:
            yield from _entity_report(service, here, entity)
        except (errors.UnknownEntity, errors.SignInFailed) as error:
            yield Line(good=False, text=f"FAIL  {entity}: {error.explanation}")


def _reach(service: AccountsIQ, entities: list[str]) -> Line:
    """Say which entities the application can reach, against those in the settings."""
    what = f"{REACH.name} ({REACH.read.operation})"
    try:
        found = [each["entity"] for each in service.records(REACH, REACH.read, ["entity"], entities[0])]
    except errors.AccountsIQError as error:
        return Line(good=True, text=f"note  {what}: {error.explanation} Only needed when it is selected.")
    missing = [each for each in entities if each not in found]
    unused = [each for each in found if each not in entities]
    said = f"the application reaches {_names(found)}"
    if unused:
        said += f"; not in the setting entities: {_names(unused)}"
    if missing:
        said += f"; in the setting entities, but out of reach: {_names(missing)}"
    return Line(good=True, text=f"{'note' if missing else 'ok  '}  {what}: {said}.")


def _names(entities: list[str]) -> str:
    more = f" and {len(entities) - MANY} more" if len(entities) > MANY else ""
    return (", ".join(entities[:MANY]) or "no entity at all") + more


def _entity_report(service: AccountsIQ, streams: Iterable[EntityStream], entity: str) -> Iterator[Line]:
    """Try each stream for one entity; an entity that cannot be reached at all is not asked again."""
    for stream in streams:
        declaration = stream.declaration
        whole = declaration.request(stream.config)
        unless = "" if declaration.selected else "the stream is selected"
        yield _probe(service, stream, whole, entity, unless)
        if declaration.incremental:
            changes = declaration.request(stream.config, datetime.now(UTC))
            if changes.operation != whole.operation:
                yield _probe(service, stream, changes, entity, "the replication method is INCREMENTAL")


def _probe(service: AccountsIQ, stream: EntityStream, read: Read, entity: str, only_when: str) -> Line:
    """Try one operation. If it does not work that is a failure, or just a note when it is `only_when` needed."""
    what = f"{entity}: {stream.name} ({read.operation})"
    try:
        service.probe(stream.declaration, read, entity)
    except (errors.UnknownEntity, errors.SignInFailed):
        raise
    except errors.AccountsIQError as error:
        if only_when:
            return Line(good=True, text=f"note  {what}: {error.explanation} Only needed when {only_when}.")
        return Line(good=False, text=f"FAIL  {what}: {error.explanation}")
    return Line(good=True, text=f"ok    {what}")
