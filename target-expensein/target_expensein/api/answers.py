"""What the server's answers mean: statuses to errors, bodies to JSON, error bodies to words. Pure functions, no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import simplejson

from target_expensein.api.errors import (
    ApiError,
    BadAnswer,
    ChangedMeanwhile,
    CollectionMissing,
    ContractMismatch,
    Forbidden,
    ModuleMissing,
    NotFound,
    RedirectRefused,
    Refused,
    ServerFailed,
    Throttled,
    Unauthorized,
)
from target_expensein.api.profile import SETTING
from target_expensein.api.retry import CallFailed, Trouble, retry_after_seconds

if TYPE_CHECKING:
    from target_expensein.api.profile import ErrorWords, ItemProfile, Sign

_MOST_WORDS = 500
_NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_FIRST_REDIRECT, _FIRST_REFUSAL, _FIRST_FAILURE = 300, 400, 500


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: for messages, and for what a status means here.

    Attributes:
        profile: The item's part of the API profile.
        method: The HTTP method.
        url: The address, without query parameters.
        record_id: The record's ID; None for the collection.
        reference: The record's reference, when known.
    """

    profile: ItemProfile
    method: str
    url: str
    record_id: str | int | None = None
    reference: str | None = None

    @property
    def place(self) -> str:
        """Method and address."""
        return f"{self.method} {self.url}"

    def error(
        self, kind: type[ApiError], message: str, *, status: int | None = None, words: str = ""
    ) -> ApiError:
        """Make an error that knows its place.

        Args:
            kind: The class of the error.
            message: What is wrong and what to do.
            status: The HTTP status.
            words: The server's own words.
        """
        return kind(
            message,
            item=self.profile.item,
            reference=self.reference,
            record_id=self.record_id,
            status=status,
            words=words,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer.

    Attributes:
        status: The HTTP status.
        headers: The headers, their names in any case.
        body: The body, decoded from gzip and the like; empty when an error's body could not be read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytearray


def dump(members: Mapping[str, Any]) -> bytes:
    """Write JSON with exact decimals; NaN and infinity are refused.

    Args:
        members: The object to write.
    """
    return simplejson.dumps(members, use_decimal=True, allow_nan=False).encode("ascii")


def read_json(body: bytes | bytearray, once: Collection[str] | None = None) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON, numbers with a fraction as exact decimals.

    Args:
        body: The JSON.
        once: Names of the members that no object may have twice, because they are used; None for all: what has any member
            twice could not go back to the server as it came (R9).

    Raises:
        ValueError: It is not JSON, or an object has such a member twice.
        ArithmeticError: It has a number that is beyond all reach.
        RecursionError: It is nested too deeply.
    """

    def members_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs if once is None or name in once]
            if len(set(names)) != len(names):
                message = "a member twice"
                raise ValueError(message)
        return members

    return simplejson.loads(
        body.decode("utf-8-sig"), use_decimal=True, allow_nan=False, object_pairs_hook=members_of
    )


def parse(target: Target, answer: Answer, loads: Callable[[bytearray], Any] = read_json) -> Any:  # noqa: ANN401 - any JSON
    """Read the JSON of a 2xx answer.

    Args:
        target: What was asked.
        answer: The answer.
        loads: Reads the JSON; it may use the body up.

    Returns:
        The JSON value.

    Raises:
        CallFailed: As :attr:`Trouble.UNREADABLE`: HTML, another content type, broken JSON, NaN.
    """
    content_type = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if content_type and not (
        content_type in {"application/json", "text/json"} or content_type.endswith("+json")
    ):
        found = (
            f"an HTML page ({_title(_text(answer.body))})"
            if "html" in content_type
            else f"the content type {_clean(content_type)}"
        )
        raise _unreadable(
            target,
            answer,
            f"answered {answer.status} with {found} where JSON was expected. Is api_url the address of the API?",
        )
    size = len(answer.body)
    found = (
        f"{size} bytes that are not valid JSON"
        if answer.body.strip()
        else "an empty body where JSON was expected"
    )
    try:
        return loads(answer.body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _unreadable(target, answer, f"answered {answer.status} with {found}.") from error


def check_status(target: Target, answer: Answer, words_of: ErrorWords, redact: Callable[[str], str]) -> None:
    """Turn every answer that is not 2xx into its error.

    Args:
        target: What was asked.
        answer: The answer.
        words_of: Where the server's words stand.
        redact: Takes the key out of a text.

    Raises:
        CallFailed: The retry policy decides (408, 412, 429, 5xx).
        ApiError: Final.
    """
    status = answer.status
    if status < _FIRST_REDIRECT:
        return
    code, said = _words(answer, words_of, redact)
    quoted = f' The server says: "{said}".' if said else ""
    profile = target.profile

    def error(kind: type[ApiError], message: str) -> ApiError:
        return target.error(
            kind, f"{target.place} answered {status}: {message}{quoted}", status=status, words=said
        )

    if status < _FIRST_REFUSAL:
        location = _clean(redact(answer.headers.get("Location", "nowhere")))
        raise error(
            RedirectRefused,
            f"a redirect to {location}, which is not followed: the key is for api_url only. Set api_url to the API's own address.",
        )
    if status == HTTPStatus.UNAUTHORIZED:
        raise error(
            Unauthorized,
            "the API key is missing, wrong, or was regenerated. Set api_key to a key that is valid now (ExpenseIn: Admin, API keys).",
        )
    module = profile.module
    if module and any(_shows(sign, status, code, target) for sign in module.missing_when):
        raise error(
            ModuleMissing,
            f"the {module.name} module is not enabled in this ExpenseIn account, or api_key may not use it. Have it enabled, or switch the item {profile.item} off.",
        )
    if status == HTTPStatus.FORBIDDEN:
        raise error(
            Forbidden,
            f'the API key may not do this. Tick the permission "{profile.permission}" for this key in ExpenseIn, and check that the key\'s list of allowed IP addresses is empty or holds the address of this machine.',
        )
    if status in _NOT_FOUND and target.record_id is None:
        raise error(
            CollectionMissing,
            f"this server has no such collection. Check api_url, and {SETTING}.items.{profile.item}.path.",
        )
    if status in _NOT_FOUND:
        raise error(NotFound, "the record is no longer there. It is left for the next run.")
    if status == HTTPStatus.PRECONDITION_FAILED:
        raise CallFailed(
            Trouble.STALE,
            error(ChangedMeanwhile, "somebody else keeps changing this record. It is left for the next run."),
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise CallFailed(
            Trouble.THROTTLED,
            error(
                Throttled, "too many requests, again and again. Lower concurrency, or run at a quieter time."
            ),
            retry_after_seconds(answer.headers),
        )
    if status >= _FIRST_FAILURE or status == HTTPStatus.REQUEST_TIMEOUT:
        raise CallFailed(
            Trouble.SERVER_FAILED,
            error(ServerFailed, "the server failed. Try later."),
            retry_after_seconds(answer.headers),
        )
    if status in _REFUSALS and target.method != "GET":
        raise error(Refused, "the server refuses this record.")
    action = (
        "list" if target.method == "GET" else "create.method" if target.method == "POST" else "update.method"
    )
    raise error(
        ContractMismatch,
        f"the server does not take this request as the API profile says. Look at {SETTING}.{action}.",
    )


def _shows(sign: Sign, status: int, code: str | None, target: Target) -> bool:
    """Tell whether an answer is a sign; without a code only on the collection, for a record can be missing by itself."""
    return sign.status == status and (sign.code == code if sign.code else target.record_id is None)


def _unreadable(target: Target, answer: Answer, message: str) -> CallFailed:
    return CallFailed(
        Trouble.UNREADABLE, target.error(BadAnswer, f"{target.place} {message}", status=answer.status)
    )


def _words(answer: Answer, where: ErrorWords, redact: Callable[[str], str]) -> tuple[str | None, str]:
    """Find the error's code and the server's words: where the profile says, else anything that reads like text.

    The key is taken out before anything is cut short: half a key is a secret, too.
    """
    text = redact(_text(answer.body))
    try:
        body = simplejson.loads(text, use_decimal=True)
        if not isinstance(body, dict):
            return None, _clean(redact("; ".join(_leaves(body))))
        code = body.get(where.code) if where.code else None
        known = [body[member] for member in (where.message, where.details) if member and body.get(member)]
        said = _clean(redact("; ".join(_leaves(known or body))))
    except (ValueError, ArithmeticError, RecursionError):
        is_html = "html" in answer.headers.get("Content-Type", "").lower() or text.lstrip()[:1] == "<"
        return None, _title(text) if is_html else _clean(text)
    return redact(code) if isinstance(code, str) else None, said


def _leaves(value: object, label: str = "") -> Iterator[str]:
    """Yield every text in a JSON value, with the name of the innermost member that holds it when it is a detail."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, label)
    elif value not in (None, ""):
        yield f"{label}: {value}" if label else str(value)


def _text(body: bytearray) -> str:
    return body.decode("utf-8-sig", errors="replace")


def _title(html: str) -> str:
    """Say what an HTML page is: its title, or its first words without the tags."""
    title = re.search(r"<title[^>]*>(.*?)</title>", html, re.IGNORECASE | re.DOTALL)
    shown = (
        title[1]
        if title
        else re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", html, flags=re.IGNORECASE | re.DOTALL)
    )
    return _clean(shown) or "no text"


def _clean(text: str) -> str:
    """Make foreign words fit for one line of a log: no control characters, single spaces, not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _MOST_WORDS else f"{line[:_MOST_WORDS]}…"
