"""Access and refresh tokens: OAuth2 client credentials carried over SOAP."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.accountsiq import errors
from sandbox.accountsiq.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN_BYTES: Final = 24


class TokenPair(NamedTuple):
    """What TokenGet and TokenRefresh hand out.

    Attributes:
        access: Goes into the AiqSoapHeader of every call; opaque, letters, digits, `-` and `_` only.
        refresh: Good for one TokenRefresh.
    """

    access: str
    refresh: str


class Tokens:
    """The tokens given out since the server started; they live in memory and die with it.

    Args:
        clock: Gives the present moment, with time zone.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Start with none."""
        self._clock = clock
        self._issued: dict[str, datetime | None] = {}  # access token → when given out, None = expired by hand
        self._refresh_alive: dict[str, bool] = {}

    def issue(self) -> TokenPair:
        """Give out a new pair.

        Returns:
            The pair; both its tokens are good from now on.
        """
        pair = TokenPair(secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_urlsafe(_TOKEN_BYTES))
        self._issued[pair.access] = self._clock()
        self._refresh_alive[pair.refresh] = True
        return pair

    def refresh(self, token: str, *, reusable: bool) -> TokenPair:
        """Exchange a refresh token for a new pair.

        Args:
            token: The refresh token.
            reusable: It stays good afterwards.

        Returns:
            The new pair. The access token of the old one lives on until its time is over.

        Raises:
            ServiceError: The token is missing, unknown or was used before.
        """
        alive = self._refresh_alive.get(token)
        if alive is None:
            raise ServiceError(errors.REFRESH_TOKEN_INVALID, "The refresh token could not be validated.")
        if not alive:
            raise ServiceError(errors.REFRESH_TOKEN_EXPIRED, "The refresh token has expired.")
        self._refresh_alive[token] = reusable
        return self.issue()

    def check(self, token: str, lifetime: float) -> None:
        """Let a good access token pass.

        Args:
            token: The access token of the header.
            lifetime: Seconds that a token is good for.

        Raises:
            ServiceError: The token is missing, unknown or expired.
        """
        if not token:
            raise ServiceError(errors.TOKEN_MISSING, "No access token was provided in the header.")
        if token not in self._issued:
            raise ServiceError(errors.TOKEN_INVALID, "The access token is invalid.")
        issued = self._issued[token]
        if issued is None or self._clock() - issued >= timedelta(seconds=lifetime):
            raise ServiceError(errors.TOKEN_EXPIRED, "The access token has expired.")

    def expire(self) -> None:
        """Let every access token given out so far expire; refresh tokens stay good."""
        self._issued = dict.fromkeys(self._issued)
