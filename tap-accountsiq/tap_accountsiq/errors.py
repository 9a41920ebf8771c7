"""Everything that can go wrong between the tap and AccountsIQ, each with its cause and its cure.

The vendor's codes are a table (`CODES`), not branches: a code that turns up later costs one line.
"""

# ruff: noqa: N818 - the names say what happened; a suffix Error on each of them would say nothing more
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tap_accountsiq.redaction import redacted

MAX_WORDS = 300
"""How many characters of the service's own words go into a message."""


class AccountsIQError(Exception):
    """A read that did not work, with a message for people.

    Args:
        cause: What is wrong, one sentence.
        cure: What to do about it, one sentence.
        code: The vendor's error code, if there is one.
        words: The service's own words, if there are any; foreign text, therefore shortened and `redact`ed.

    Attributes:
        retryable: Whether waiting and asking again may help.
        stops_run: Whether nothing else can work either, so that the whole run ends at once.
        retry_after: Seconds that the service asked us to wait, filled in by the client.
        operation: The SOAP operation, filled in by the client.
        entity: The entity, filled in by the client; ``None`` for signing in.
    """

    retryable = False
    stops_run = False

    def __init__(
        self,
        cause: str,
        cure: str,
        *,
        code: str | None = None,
        words: str | None = None,
    ) -> None:
        """See the class."""
        super().__init__(cause)
        self.cause = cause
        self.cure = cure
        self.code = code
        self.words = words
        self.retry_after: float | None = None
        self.operation: str | None = None
        self.entity: str | None = None

    def redact(self, secrets: Iterable[str]) -> None:
        """Blank out secrets that the service may have echoed, in its own words or in what a message quotes."""
        self.cause = redacted(self.cause, secrets)
        if self.words:
            self.words = redacted(self.words, secrets)

    @property
    def explanation(self) -> str:
        """Cause, the service's code and words, and cure, on one line and without operation and entity."""
        said = [f"code {self.code}"] if self.code else []
        if words := " ".join((self.words or "").split()):
            said.append(f"the service says: {words[:MAX_WORDS]}")
        return " ".join([self.cause, *([f"[{'; '.join(said)}]"] if said else []), self.cure])

    def __str__(self) -> str:
        """Return operation, entity and `explanation`."""
        where = " for ".join(part for part in (self.operation, self.entity) if part)
        return f"{where}: {self.explanation}" if where else self.explanation


# --- the way there -------------------------------------------------------------------------------------------------


class ConnectionRefused(AccountsIQError):
    """Nobody listens at the address."""


class HostNotFound(AccountsIQError):
    """The host name does not resolve."""


class TlsFailure(AccountsIQError):
    """The server's certificate cannot be trusted, or TLS cannot be agreed on."""


class ProxyFailure(AccountsIQError):
    """The proxy of the environment does not let the request through."""


class TimedOut(AccountsIQError):
    """No answer, or no further part of it, within `request_timeout`."""

    retryable = True


class ConnectionLost(AccountsIQError):
    """The connection broke before the answer was complete."""

    retryable = True


class RedirectRefused(AccountsIQError):
    """The server points elsewhere; credentials are never sent to an address that nobody configured."""


class SpoolFailure(AccountsIQError):
    """The answer cannot be stored on this machine."""


class AnswerTooLarge(AccountsIQError):
    """The answer is larger than `max_answer_megabytes`."""


class AnswerTooSlow(AccountsIQError):
    """The answer came, but was not complete within `answer_timeout`; another try would not be quicker."""


# --- the answer as a message ------------------------------------------------------------------------------------------


class HttpFailure(AccountsIQError):
    """An HTTP status that is neither success nor a passing failure."""


class ServerFailure(AccountsIQError):
    """HTTP 5xx: the service or a gateway before it is out of order for the moment."""

    retryable = True


class EmptyAnswer(AccountsIQError):
    """HTTP 200 and nothing else."""


class HtmlAnswer(AccountsIQError):
    """A web page where a SOAP answer was expected."""


class TruncatedAnswer(AccountsIQError):
    """The envelope is not closed: the end of the answer is missing."""

    retryable = True


class BrokenXml(AccountsIQError):
    """The answer is not well-formed XML."""


class DoctypeRefused(AccountsIQError):
    """The answer carries a DOCTYPE, which SOAP forbids and attackers like."""


class UnexpectedAnswer(AccountsIQError):
    """Well-formed XML, but not the answer to what was asked."""


class UnreadableValue(AccountsIQError):
    """A value that does not fit the type that the contract gives it."""


# --- what the service says --------------------------------------------------------------------------------------------


class ServiceFailure(AccountsIQError):
    """The service refused, with a code that this table does not know."""


class ServiceFault(AccountsIQError):
    """A SOAP Fault without a known code: an unhandled error inside the service."""

    retryable = True


class RequestRefused(AccountsIQError):
    """A SOAP Fault that blames the request: asking again is no use."""


class TokenRefused(AccountsIQError):
    """The access token expired or is not accepted; a new one may help."""


class RefreshTokenRefused(AccountsIQError):
    """The refresh token is used up; signing in afresh helps."""


class SignInFailed(AccountsIQError):
    """There is no access token to be had: nothing else can work."""

    stops_run = True


class UnknownEntity(AccountsIQError):
    """The entity does not exist, or the application may not reach it."""


class PermissionDenied(AccountsIQError):
    """The application's scope does not cover the operation."""


class HeaderRefused(AccountsIQError):
    """The service does not accept the SOAP header."""


class Throttled(AccountsIQError):
    """Too many calls."""

    retryable = True


class ServiceBusy(AccountsIQError):
    """Another operation is in the way."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one of the vendor's codes means to a user."""

    error: type[AccountsIQError]
    cause: str
    cure: str


_TOKEN = Meaning(
    TokenRefused,
    "The service does not accept the access token.",
    "Renewing it did not help; check in AccountsIQ that the Integration Application still exists and has this entity.",
)
_CLIENT = Meaning(
    SignInFailed,
    "The service does not know this application.",
    "Copy client_id and client_secret again from the Integration Application in AccountsIQ, "
    "and check that the region is the one of your company.",
)
_ENTITY = Meaning(
    UnknownEntity,
    "The service does not know this entity, or the application may not reach it.",
    "Check the spelling in the setting entities (it is exact, case included) "
    "and add the entity to the Integration Application in AccountsIQ.",
)
_PERMISSION = Meaning(
    PermissionDenied,
    "The application is not allowed to do this.",
    "Give the Integration Application in AccountsIQ the Read permission for this operation, or deselect the stream.",
)
_THROTTLED = Meaning(
    Throttled,
    "The service is limiting the number of calls.",
    "Try again later, and see whether another program uses the same application at the same time.",
)
_BUSY = Meaning(
    ServiceBusy,
    "The service is busy with another operation.",
    "Try again when the other operation or job has ended.",
)

_APPS = "OAUTH_INTEGRATION_APPS_"

CODES: dict[str, Meaning] = {
    f"{_APPS}TOKEN_EXPIRED": _TOKEN,
    "WS_INVALIDTOKEN": _TOKEN,
    "OAUTHCONFIGURATION_TOKEN_EXPIRED": _TOKEN,
    f"{_APPS}TOKEN_IS_INVALID": _TOKEN,
    f"{_APPS}TOKEN_NOT_PROVIDED_IN_AUTHORIZATION_HEADER": _TOKEN,
    f"{_APPS}ERROR_VALIDATING_TOKEN": _TOKEN,
    "OAUTHCONFIGURATION_INVALID_TOKEN": _TOKEN,
    f"{_APPS}REFRESH_TOKEN_EXPIRED": Meaning(
        RefreshTokenRefused, "The refresh token has expired.", "The tap signs in afresh by itself."
    ),
    f"{_APPS}CLIENTID_IS_NULL_OR_EMPTY": Meaning(
        SignInFailed, "The service received no client id.", "Set client_id."
    ),
    f"{_APPS}CLIENTSECRET_IS_NULL_OR_EMPTY": Meaning(
        SignInFailed, "The service received no client secret.", "Set client_secret."
    ),
    f"{_APPS}UNABLE_TO_PARSE_GUID_TO_STRING": _CLIENT,
    f"{_APPS}APP_NOT_FOUND": _CLIENT,
    f"{_APPS}APPLICATION_IS_REVOKED": Meaning(
        SignInFailed,
        "The Integration Application has been revoked.",
        "Ask an AccountsIQ administrator to activate it, or to make a new one.",
    ),
    f"{_APPS}NO_ENTITY_PROVIDED_IN_HEADER": _ENTITY,
    "CURRENT_ENTITY_IS_UNSPECIFIED": _ENTITY,
    "API_LAYER_ENTITY_ID_NOT_FOUND": _ENTITY,
    f"{_APPS}TOKEN_DOES_NOT_HAVE_PERMISSION": _PERMISSION,
    "NOT_AUTHORIZED": _PERMISSION,
    "SECURITY_ACCESS_DENIED": _PERMISSION,
    f"{_APPS}AIQ_SOAP_HEADER_MISMATCH": Meaning(
        HeaderRefused,
        "The service does not accept the SOAP header with the entity and the access token.",
        "Check that the entity belongs to the Integration Application; if it does, report this to the tap's authors.",
    ),
    f"{_APPS}TOO_MANY_API_CALLS": _THROTTLED,
    f"{_APPS}RATE_LIMIT_REACHED": _THROTTLED,
    "OTHER_OPERATION_IN_PROGRESS_RETRY_LATER": _BUSY,
    "JOB_RUNNING": _BUSY,
}


def from_code(code: str | None, words: str | None, status: str | None = None) -> AccountsIQError:
    """Turn the service's answer to a refused call into an exception.

    Args:
        code: The vendor's error code; one that `CODES` does not hold still gives a readable error.
        words: The service's own message.
        status: The in-band ``Status``, when the answer had one. ``Unknown`` is worth another try.

    Returns:
        The exception, not raised.
    """
    if meaning := CODES.get(code or ""):
        return meaning.error(meaning.cause, meaning.cure, code=code, words=words)
    if status in {"Unknown", "InProgress"}:
        return ServiceBusy(
            f"The service answered with the status {status} instead of a result.",
            "Try again later.",
            code=code,
            words=words,
        )
    return ServiceFailure(
        f"The service refused with the status {status or 'missing'}.",
        "Look the code up in AccountsIQ's API documentation, or ask AccountsIQ's support.",
        code=code,
        words=words,
    )
