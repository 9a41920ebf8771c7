"""Signing in: OAuth2 client credentials carried over SOAP, TokenGet first, TokenRefresh when told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from tap_accountsiq import errors
from tap_accountsiq.parser import read_values
from tap_accountsiq.soap import Reply
from tap_accountsiq.streams import Arguments


@dataclass(frozen=True, slots=True)
class Tokens:
    """The pair that both operations return; each replaces the one before."""

    access: str
    refresh: str


Call = Callable[[str, Arguments, Callable[[Reply], Tokens]], Tokens]
"""Runs an operation without SOAP header and reads its answer, again and again while that may help."""


class SignIn:
    """Holds the current pair of tokens.

    The lifetime of an access token is not published, so it is used until the service refuses it. Whether a refresh
    token may be used twice is not published either, so a refused refresh falls back to signing in afresh.

    Args:
        client_id: Client Id of the Integration Application.
        client_secret: Client Secret of the Integration Application.
        call: How to run one of the two operations.

    Attributes:
        secrets: Everything that must never be printed.
    """

    def __init__(self, client_id: str, client_secret: str, call: Call) -> None:
        """See the class."""
        self._client = {"clientId": client_id, "clientSecret": client_secret}
        self._call = call
        self._tokens: Tokens | None = None
        self.secrets = {client_secret}

    def token(self) -> str:
        """Return the access token; sign in if there is none yet.

        Raises:
            SignInFailed: For whatever reason there is none.
        """
        if self._tokens is None:
            try:
                self._tokens = self._ask("TokenGet", self._client)
            except errors.SignInFailed:
                raise
            except errors.AccountsIQError as error:
                failed = errors.SignInFailed(error.cause, error.cure, code=error.code, words=error.words)
                failed.operation = error.operation
                raise failed from error
        return self._tokens.access

    def renew(self) -> str:
        """Return a new access token in place of one that was refused.

        Raises:
            SignInFailed: For whatever reason there is none.
        """
        old, self._tokens = self._tokens, None
        if old and old.refresh:
            # If it is refused it is used up, or else signing in afresh will say what is wrong.
            with contextlib.suppress(errors.AccountsIQError):
                self._tokens = self._ask("TokenRefresh", self._client | {"refreshToken": old.refresh})
        return self.token()

    def _ask(self, operation: str, arguments: Arguments) -> Tokens:
        def read(reply: Reply) -> Tokens:
            said = read_values(reply, operation, ("AccessToken", "RefreshToken"))
            tokens = Tokens(said.get("AccessToken", ""), said.get("RefreshToken", ""))
            if not tokens.access:
                raise _refusal(said)
            self.secrets.update(filter(None, (tokens.access, tokens.refresh)))
            return tokens

        return self._call(operation, arguments, read)


def _refusal(said: dict[str, str]) -> errors.AccountsIQError:
    error = errors.from_code(said.get("ErrorCode"), said.get("ErrorMessage"), said.get("Status"))
    if isinstance(error, errors.ServiceFailure):
        return errors.SignInFailed(
            "The service gave no access token.",
            "Check client_id, client_secret and region.",
            code=error.code,
            words=error.words,
        )
    return error
