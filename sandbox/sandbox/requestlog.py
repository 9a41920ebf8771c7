"""What clients asked: the last requests in detail, all of them as numbers. Secrets are masked on the way in."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from sandbox.exactjson import loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_ENTRIES = 100_000
_MAX_BODY = 100_000  # characters of a request's body that are kept
_MASK = "***"
_SECRET_HEADERS = frozenset({"authorization", "cookie"})
_SECRET_ELEMENTS = re.compile(
    r"(<(?P<tag>(?:\w+:)?(?:accesstoken|refreshtoken|clientsecret|token))(?:\s[^>]*)?>).*?(</(?P=tag)\s*>)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True)
class Entry:
    """One request.

    Attributes:
        side: ``accountsiq`` or ``expensein``.
        time: When it arrived.
        method: HTTP verb.
        path: Path without the query.
        query: Query string, decoded into pairs.
        operation: The unit of the counters, e.g. ``GetTaxCodeList`` or ``PUT suppliers``.
        headers: Header fields, names in lower case.
        raw_body: The body as it came.
        status: Status of the answer; None when there was none (yet).
        fault: Type of the fault that was played, if any.
    """

    side: str
    time: datetime
    method: str
    path: str
    query: Mapping[str, str]
    operation: str
    headers: Mapping[str, str]
    raw_body: bytes
    status: int | None = None
    fault: str | None = None

    def public(self) -> dict[str, Any]:
        """The entry as JSON values, without secrets; the body parsed where it is JSON."""
        return {
            "side": self.side,
            "time": self.time.isoformat(),
            "method": self.method,
            "path": self.path,
            "query": dict(self.query),
            "operation": self.operation,
            "headers": {
                name: _MASK if name in _SECRET_HEADERS else value for name, value in self.headers.items()
            },
            "body": self._body(),
            "status": self.status,
            "fault": self.fault,
        }

    def _body(self) -> Any:  # noqa: ANN401 - whatever the client sent
        if not self.raw_body:
            return None
        if self.side == "expensein":
            try:
                return loads(self.raw_body)
            except ValueError:
                pass  # shown as text, like any other body
        text = self.raw_body[:_MAX_BODY].decode("utf-8", "replace")
        return _SECRET_ELEMENTS.sub(rf"\1{_MASK}\3", text)


class Moment(Enum):
    """When an observer is told of a request."""

    ARRIVED = "arrived"
    DONE = "done"


Observer = Callable[[Moment, Entry], None]


@dataclass
class RequestLog:
    """The last requests, and counters of all.

    Attributes:
        counters: Per side: operation → how often it was asked for (faults included).
        observers: Told of each request, when it arrives and when the work is done and the answer not yet sent.
    """

    counters: dict[str, Counter[str]] = field(
        default_factory=lambda: {"accountsiq": Counter(), "expensein": Counter()}
    )
    observers: list[Observer] = field(default_factory=list)
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))

    def record(self, entry: Entry) -> None:
        """Take down a request when it arrives; its status is filled in later."""
        self._entries.append(entry)
        self.counters[entry.side][entry.operation] += 1
        self._tell(Moment.ARRIVED, entry)

    def note_done(self, entry: Entry) -> None:
        """Take note that a request was dealt with, well or by a fault; the answer is not sent yet."""
        self._tell(Moment.DONE, entry)

    def _tell(self, moment: Moment, entry: Entry) -> None:
        for observer in self.observers:
            observer(moment, entry)

    def entries(self, side: str | None = None) -> list[dict[str, Any]]:
        """The requests in order of arrival, of one side or of both."""
        return [entry.public() for entry in self._entries if side in (None, entry.side)]

    def count(self) -> dict[str, dict[str, int]]:
        """The counters as plain dictionaries."""
        return {side: dict(counter) for side, counter in self.counters.items()}

    def clear(self) -> None:
        """Forget requests and counters."""
        self._entries.clear()
        for counter in self.counters.values():
            counter.clear()
