"""Faults on purpose: which requests they meet, and what they are. Playing them is `sandbox.middleware`'s work."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.exactjson import plain

SIDES = ("accountsiq", "expensein")


class FaultError(ValueError):
    """A fault rule is wrong; the message says where and what would be right."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a fault type."""

    accepts: Callable[[Any], bool]
    words: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class FaultType:
    """A type of fault: its parameters and the sides that know it."""

    description: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sides: tuple[str, ...] = SIDES


def _number(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599  # noqa: PLR2004 - HTTP


def _text(*, required: bool = False, default: str | None = None) -> Parameter:
    return Parameter(lambda value: isinstance(value, str), "a text", default, required)


def _status(default: int | None = None) -> Parameter:
    return Parameter(_is_status, "an HTTP status from 200 to 599", default, required=default is None)


_BAD_ANSWER = {
    "status": _status(),
    "retry_after": Parameter(
        lambda value: isinstance(value, str | int | float) and not isinstance(value, bool),
        "the value of a Retry-After header",
    ),
    "retry_after_in": Parameter(
        lambda value: _number(value, 0),
        "a number of seconds, 0 or more, given as a date by the server's clock",
    ),
    "body": Parameter(lambda _: True, "a text, or JSON"),
}

FAULT_TYPES: dict[str, FaultType] = {
    "latency": FaultType(
        "The answer comes later.",
        {
            "seconds": Parameter(
                lambda value: _number(value, 0), "a number of seconds, 0 or more", required=True
            )
        },
    ),
    "slow_body": FaultType(
        "The body of the answer trickles.",
        {
            "bytes_per_second": Parameter(
                lambda value: _number(value, 1), "a number of bytes per second, 1 or more", required=True
            )
        },
    ),
    "slow_headers": FaultType(
        "The work is done; status line and headers of the answer trickle.",
        {
            "bytes_per_second": Parameter(
                lambda value: _number(value, 1), "a number of bytes per second, 1 or more", required=True
            )
        },
    ),
    "truncate": FaultType(
        "Complete headers, a part of the body, then the connection is closed.",
        {
            "after_bytes": Parameter(
                lambda value: _number(value, 0), "a number of bytes; half the body if left out"
            )
        },
    ),
    "drop_before": FaultType("The connection is closed; nothing was done."),
    "drop_after": FaultType("The work is done, then the connection is closed without an answer."),
    "status": FaultType("This status instead of the work.", _BAD_ANSWER),
    "status_after": FaultType("The work is done, then this status is the answer.", _BAD_ANSWER),
    "html": FaultType("A gateway's HTML error page instead of the work.", {"status": _status(502)}),
    "token_expired": FaultType("All access tokens expire just before this request.", sides=("accountsiq",)),
    "malformed": FaultType("The work is done; the answer is a 200 whose body is broken in the middle."),
    "content_type": FaultType(
        "The true answer with another Content-Type.", {"value": _text(default="text/plain")}
    ),
    "redirect": FaultType(
        "A redirection instead of the work.", {"status": _status(307), "location": _text(required=True)}
    ),
    "in_band": FaultType(
        "A well-formed answer that reports an error, instead of the work.",
        {"status": _text(default="Failure"), "code": _text(required=True), "message": _text(default="")},
        sides=("accountsiq",),
    ),
}

_MATCH_KEYS = ("operation", "method", "path")
_RULE_KEYS = ("side", "match", "skip", "times", "rate", "seed", "fault")


@dataclass
class Rule:
    """A fault and the requests it meets.

    Attributes:
        side: The side it plays on.
        match: Patterns (as in file names) for ``operation``, ``method`` and ``path``; all must fit, none fits all.
        skip: How many matching requests go by unharmed at first.
        times: How often the fault is played; None for ever.
        rate: Share of the matching requests that it meets, drawn reproducibly from ``seed``; None for all.
        seed: Seed of the draw.
        fault: ``type`` and parameters, defaults filled in.
        seen: How many matching requests came by.
        played: How often the fault was played.
    """

    side: str
    fault: dict[str, Any]
    match: dict[str, str]
    skip: int = 0
    times: int | None = 1
    rate: float | None = None
    seed: int = 0
    seen: int = 0
    played: int = 0

    def __post_init__(self) -> None:
        """Make the rule's own source of chance."""
        self._random = random.Random(self.seed)  # noqa: S311 - reproducible on purpose  # nosec B311

    def is_due(self, side: str, operation: str, method: str, path: str) -> bool:
        """Whether the fault meets this request; counts the request."""
        asked = {"operation": operation, "method": method, "path": path}
        if side != self.side or not all(fnmatchcase(asked[key], self.match[key]) for key in self.match):
            return False
        if self.times is not None and self.played >= self.times:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.rate is not None and self._random.random() >= self.rate):
            return False
        self.played += 1
        return True

    def public(self) -> dict[str, Any]:
        """The rule as JSON values, with its counts."""
        return {key: getattr(self, key) for key in (*_RULE_KEYS, "seen", "played")}


class Faults:
    """All rules, in order.

    For each request the rules are tried from first to last. ``latency`` adds up; the first other fault that is due
    ends the search, so the rules behind it do not see that request.
    """

    def __init__(self) -> None:
        """Start without any rule."""
        self._rules: list[Rule] = []

    def replace(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Put these rules in the place of all others.

        Raises:
            FaultError: A rule is wrong; the old rules then stay.
        """
        if isinstance(rules, Mapping | str) or not isinstance(rules, Sequence):
            message = "fault rules are a list of objects"
            raise FaultError(message)
        self._rules = [_parse(rule, f"rule {number}") for number, rule in enumerate(rules, 1)]

    def clear(self) -> None:
        """Remove all rules."""
        self._rules = []

    def due(self, side: str, operation: str, method: str, path: str) -> list[dict[str, Any]]:
        """The faults that meet a request: any number of latencies, then at most one other."""
        due = []
        for rule in self._rules:
            if rule.is_due(side, operation, method, path):
                due.append(rule.fault)
                if rule.fault["type"] != "latency":
                    break
        return due

    def public(self) -> list[dict[str, Any]]:
        """All rules as JSON values."""
        return [rule.public() for rule in self._rules]


def _parse(rule: Mapping[str, Any], where: str) -> Rule:
    if not isinstance(rule, Mapping):
        message = f"{where}: a fault rule is an object"
        raise FaultError(message)
    _refuse_unknown(rule, _RULE_KEYS, where)
    side = rule.get("side")
    _require(side in SIDES, where, "side", side, "one of " + ", ".join(SIDES))
    match = rule.get("match") or {}
    _require(isinstance(match, Mapping), where, "match", match, "an object")
    _refuse_unknown(match, _MATCH_KEYS, f"{where}, match")
    for key, value in match.items():
        _require(isinstance(value, str), where, f"match.{key}", value, "a text")
    given = {key: plain(rule[key]) for key in ("skip", "times", "rate", "seed") if key in rule}
    skip, times, rate = given.get("skip", 0), given.get("times", 1), given.get("rate")
    _require(_is_count(skip, 0), where, "skip", skip, "a whole number, 0 or more")
    _require(
        times is None or _is_count(times, 1),
        where,
        "times",
        times,
        "a whole number above 0, or null for ever",
    )
    _require(rate is None or (_number(rate, 0) and rate <= 1), where, "rate", rate, "a number from 0 to 1")
    _require(
        _is_count(given.get("seed", 0), 0), where, "seed", given.get("seed"), "a whole number, 0 or more"
    )
    return Rule(
        side=str(side), fault=_parse_fault(rule.get("fault"), str(side), where), match=dict(match), **given
    )


def _parse_fault(fault: object, side: str, where: str) -> dict[str, Any]:
    if not isinstance(fault, Mapping) or fault.get("type") not in FAULT_TYPES:
        message = f"{where}: fault.type is one of {', '.join(FAULT_TYPES)}"
        raise FaultError(message)
    declared = FAULT_TYPES[fault["type"]]
    if side not in declared.sides:
        message = f"{where}: {fault['type']} is a fault of {', '.join(declared.sides)} only"
        raise FaultError(message)
    where = f"{where}, fault {fault['type']}"
    _refuse_unknown(fault, ("type", *declared.parameters), where)
    parsed = {"type": fault["type"]}
    for name, parameter in declared.parameters.items():
        value = plain(fault.get(name, parameter.default))
        _require(
            parameter.accepts(value) if name in fault else not parameter.required,
            where,
            name,
            value,
            parameter.words,
        )
        parsed[name] = value
    return parsed


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [key for key in given if key not in known]
    if unknown:
        message = f"{where}: unknown key {unknown[0]!r}; known: {', '.join(known)}"
        raise FaultError(message)


def _require(holds: bool, where: str, name: str, value: object, words: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        message = f"{where}: {name} is {value!r}, expected {words}"
        raise FaultError(message)
