"""ExpenseIn's API as the target uses it: list, read, create, update.

Nothing is ever deleted, and only the five logical fields are ever written (R7, R9).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from target_expensein.api import paging, wire
from target_expensein.api.answers import Answer, Target, parse, read_json
from target_expensein.api.errors import BadAnswer, ChangedMeanwhile, NotKept, NotOffered
from target_expensein.api.limiter import SharedPause
from target_expensein.api.listing import ListReader
from target_expensein.api.retry import Attempts, Call, CallFailed, RetryPolicy, Trouble
from target_expensein.api.transport import MEGABYTE, Transport, too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from target_expensein.api.profile import ItemProfile, Profile
    from target_expensein.model import LiveRecord, Value

USER_AGENT = f"target-expensein/{version('target-expensein')}"
"""How the client introduces itself unless told otherwise."""

MEGABYTES = 256
"""The most that is read of one list unless told otherwise: a quarter of a million suppliers of a thousand bytes each."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as it was read: the server's whole object, and its ETag when there was one."""

    body: dict[str, Any]
    etag: str | None


class ExpenseInClient:
    """A client for one ExpenseIn account; safe for as many threads as its ``concurrency``.

    Every method raises :class:`~target_expensein.api.errors.ApiError` or a class of it, whose ``reason`` and ``scope`` say
    what it is and how far it reaches. A list gives what is compared of each record; a single record is the server's own
    object, and :func:`target_expensein.api.wire.decode` reads the logical fields from it.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        profile: Profile,
        *,
        concurrency: int,
        timeout: float,
        megabytes: int = MEGABYTES,
        ca_bundle: str | None = None,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], object] = time.sleep,
        retries: RetryPolicy | None = None,
    ) -> None:
        """Check the settings; nothing is sent.

        Args:
            api_url: The API's address, https (http for this machine only).
            api_key: The account's key.
            profile: The API profile.
            concurrency: How many threads use the client at once; that many connections are kept open.
            timeout: The longest silence of the server, in seconds; a whole answer may take ten times as long.
            megabytes: The most that is read of an answer, or of all pages of a list together, after decompression.
            ca_bundle: File or folder with the CA certificates to trust instead of the usual ones.
            user_agent: How to introduce ourselves.
            sleep: Waits for a number of seconds.
            retries: How often and how patiently calls are repeated; None for the usual numbers.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        self._profile = profile
        self._sleep = sleep
        self._retries = retries or RetryPolicy()
        self._pause = SharedPause(sleep)
        self._longest = megabytes * MEGABYTE
        self._transport = Transport(
            api_url,
            api_key,
            profile,
            self._pause,
            connections=concurrency,
            timeout=timeout,
            longest=self._longest,
            ca_bundle=ca_bundle,
            user_agent=user_agent,
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def __repr__(self) -> str:
        """Return the address, never the key."""
        return f"{type(self).__name__}({self._transport.base!r})"

    def record_id(self, item: str, body: Mapping[str, Any]) -> str | int:
        """Return ExpenseIn's ID of one of its objects."""
        return wire.record_id(self._profile.items[item], body)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def list(self, item: str) -> Iterator[LiveRecord]:
        """Read a whole collection, through all its pages.

        An error can come after some records: the list is complete only when the iterator ends by itself.

        Args:
            item: The item, for example ``tax_rates``.

        Yields:
            The records, each once, reduced to what is compared, their shape checked.

        Raises:
            ApiError: The collection could not be read to its end.
        """
        profile = self._usable(item)
        reader = ListReader(profile)
        read = 0

        def fetch(url: str, query: Mapping[str, str]) -> paging.Page:
            nonlocal read
            target = Target(profile, "GET", url)
            answer, payload = self._get(target, query, loads=reader.read)
            read += reader.length
            if read > self._longest:
                raise too_long(target, self._longest)
            return paging.Page(payload, answer.headers, url)

        yield from paging.records(profile, self._transport.base + profile.path, fetch)

    def read(self, item: str, record_id: str | int, *, reference: str | None = None) -> Snapshot:
        """Read one record fresh.

        Args:
            item: The item.
            record_id: ExpenseIn's ID.
            reference: The record's reference, for messages.

        Returns:
            The whole object, and its ETag.

        Raises:
            NotFound: The record vanished.
            ApiError: It could not be read.
        """
        profile = self._usable(item)
        # Not compressed: compressing servers weaken or change the ETag, and If-Match would never fit again.
        target = self._target(profile, "GET", record_id, reference)
        answer, payload = self._get(target, headers={"Accept-Encoding": "identity"})
        return Snapshot(self._record(target, payload), answer.headers.get("ETag"))

    def create(
        self, item: str, fields: Mapping[str, Value], announce: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Create a record: one POST, repeated only when the server certainly did not run it.

        Args:
            item: The item.
            fields: Values by logical field.
            announce: Called just before the request is sent, each time. If it raises, nothing is sent.

        Returns:
            The server's object; it has an ID and the reference that was sent.

        Raises:
            OutcomeUnknown: The record may or may not exist now; only reading back can tell.
            Refused: The server refuses the record.
            ApiError: It was certainly not created.
            ValueError: A field that the sync does not own.
        """
        profile = self._usable(item)
        members = wire.encode(profile, fields)
        reference = fields.get("reference")
        target = Target(
            profile,
            "POST",
            self._transport.base + profile.path,
            reference=reference if isinstance(reference, str) else None,
        )
        attempts = self._attempts(Call.CREATE)
        while True:
            self._pause.wait()
            announce()
            try:
                payload = parse(target, self._transport.send(target, members=members))
                return self._created(target, payload, members)
            except CallFailed as failure:
                attempts.wait_or_give_up(failure)

    def update(
        self, item: str, record_id: str | int, fields: Mapping[str, Value], *, expect: Mapping[str, Value]
    ) -> dict[str, Any]:
        """Change owned fields of a record and nothing else (R9).

        The record is read fresh before every attempt. PUT sends that whole object back with only the owned fields changed,
        PATCH only the fields that differ; nothing is sent when the record has the wanted values already.

        Args:
            item: The item.
            record_id: ExpenseIn's ID.
            fields: Wanted values by logical field.
            expect: Values by logical field that the plan was made for; a fresh record must still have them (or already
                have the wanted ones).

        Returns:
            The server's object after the change.

        Raises:
            ChangedMeanwhile: The fresh record is not what was expected, or changes faster than it can be written.
            NotFound: The record vanished.
            NotKept: The server said yes, but the record does not have the values.
            Refused: The server refuses the change.
            ApiError: It could not be written.
            ValueError: A field that the sync does not own.
        """
        profile = self._usable(item)
        wanted, expected = wire.encode(profile, fields), wire.encode(profile, expect)
        known = expect.get("reference", fields.get("reference"))
        reference = known if isinstance(known, str) else None
        attempts = self._attempts(Call.CHANGE)
        while True:
            pause = None
            while (
                pause != self._pause.until
            ):  # what was read before a pause is old: it may have been edited since
                pause = self._pause.until
                snapshot = self.read(item, record_id, reference=reference)
            target = self._target(profile, profile.updating.method or "PUT", record_id, reference)
            _check_expected(target, snapshot, expected, wanted)
            changes = wire.differing(snapshot.body, wanted)
            if not changes:
                return snapshot.body
            try:
                body = self._write(target, snapshot, changes)
            except CallFailed as failure:
                attempts.wait_or_give_up(failure)
                continue
            if lost := wire.differing(body, wanted):
                raise target.error(
                    NotKept,
                    f"{target.place}: the server accepted the change but did not keep {', '.join(lost)} as sent "
                    f"({'; '.join(f'{wire_name} is {body.get(wire_name)!r}, not {value!r}' for wire_name, value in lost.items())}).",
                )
            return body

    def _usable(self, item: str) -> ItemProfile:
        profile = self._profile.items[item]
        if profile.unusable:
            raise NotOffered(f"{profile.unusable}.", item=item)
        return profile

    def _target(
        self, profile: ItemProfile, method: str, record_id: str | int, reference: str | None
    ) -> Target:
        url = f"{self._transport.base}{profile.path}/{quote(str(record_id), safe='')}"
        return Target(profile, method, url, record_id, reference)

    def _attempts(self, call: Call) -> Attempts:
        return Attempts(call, self._retries, self._pause, self._sleep)

    def _get(
        self,
        target: Target,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        loads: Callable[[bytearray], Any] = read_json,
    ) -> tuple[Answer, Any]:
        attempts = self._attempts(Call.READ)
        while True:
            try:
                answer = self._transport.send(target, query=query, headers=headers)
                return answer, parse(target, answer, loads)
            except CallFailed as failure:
                attempts.wait_or_give_up(failure)

    def _record(self, target: Target, payload: object) -> dict[str, Any]:
        """Check that an answer is the record that was asked for."""
        profile = target.profile
        body = wire.unwrapped(payload, profile.record_envelope, "record.envelope", target.place, profile.item)
        record = wire.checked(profile, body, target.place)
        if str(wire.record_id(profile, record)) != str(target.record_id):
            raise target.error(
                BadAnswer,
                f"{target.place} answered with another record (ID {wire.record_id(profile, record)}).",
            )
        return record

    def _created(self, target: Target, payload: object, members: Mapping[str, Value]) -> dict[str, Any]:
        """Check that a 2xx is a creation: a record with an ID and the reference that was sent."""
        profile = target.profile
        reference = profile.fields["reference"] or ""
        try:
            body = wire.unwrapped(
                payload, profile.record_envelope, "record.envelope", target.place, profile.item
            )
            record = wire.identified(profile, body, target.place)
        except BadAnswer as error:
            raise CallFailed(Trouble.UNREADABLE, target.error(BadAnswer, error.message)) from error
        if reference in members and record.get(reference) != members[reference]:
            message = f"{target.place} answered with another reference ({record.get(reference)!r})."
            raise CallFailed(Trouble.UNREADABLE, target.error(BadAnswer, message))
        return record

    def _write(self, target: Target, snapshot: Snapshot, changes: Mapping[str, Value]) -> dict[str, Any]:
        """Send a change; return the record as it is afterwards."""
        updating = target.profile.updating
        members = changes
        if updating.method == "PUT":
            members = {k: v for k, v in {**snapshot.body, **changes}.items() if k not in updating.leave_out}
        headers = {"If-Match": snapshot.etag} if snapshot.etag and updating.use_if_match else {}
        answer = self._transport.send(target, members=members, headers=headers)
        if not answer.body.strip():  # 204, or a server that says nothing: look
            return self.read(target.profile.item, target.record_id or "", reference=target.reference).body
        try:
            return self._record(target, parse(target, answer))
        except BadAnswer as error:
            raise CallFailed(Trouble.UNREADABLE, error) from error


def _check_expected(
    target: Target, snapshot: Snapshot, expected: Mapping[str, Value], wanted: Mapping[str, Value]
) -> None:
    """Refuse to write to a record that is not what the plan was made for.

    A value that is already the wanted one is fine: an earlier attempt of ours may have run without an answer. Blank text is
    as good as none.
    """
    for name, value in wire.differing(snapshot.body, expected).items():
        found = snapshot.body.get(name)
        both_empty = value is None and isinstance(found, str) and not found.strip()
        if both_empty or (name in wanted and found == wanted[name]):
            continue
        raise target.error(
            ChangedMeanwhile,
            f"the record was changed since it was listed ({name} is {found!r}, expected {value!r}). Nothing was "
            "written; the next run looks at it again.",
        )
