"""The service as the streams see it: lists of records, with signing in, waiting and repeating taken care of."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tap_accountsiq import errors
from tap_accountsiq.auth import SignIn, Tokens
from tap_accountsiq.parser import RowReader
from tap_accountsiq.records import Record
from tap_accountsiq.soap import ERROR_BODY_LIMIT, Credentials, Reply, Wire
from tap_accountsiq.streams import Arguments, Read, StreamDeclaration

BACK_OFF = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the attempts at one call, when the service does not say how long to wait."""

_Result = TypeVar("_Result")

logger = logging.getLogger("tap-accountsiq")


class AccountsIQ:
    """The service, for one application; one request at a time.

    Args:
        wire: The HTTP session.
        client_id: Client Id of the Integration Application.
        client_secret: Client Secret of the Integration Application.
        sleep: How to wait so many seconds.
    """

    def __init__(
        self, wire: Wire, client_id: str, client_secret: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """See the class."""
        self._wire = wire
        self._sleep = sleep
        self._sign_in = SignIn(client_id, client_secret, self._token_call)

    def sign_in(self) -> None:
        """Get an access token now, instead of at the first read.

        Raises:
            SignInFailed: With cause and cure.
        """
        self._sign_in.token()

    def records(
        self, declaration: StreamDeclaration, read: Read, names: Iterable[str], entity: str
    ) -> Iterator[Record]:
        """Read a whole list; the first record leaves when the download is complete.

        Args:
            declaration: The stream.
            read: The operation to call for it.
            names: Names of the fields to build.
            entity: The entity to read.

        Yields:
            The records; the list is complete when the iteration ends without an exception.

        Raises:
            AccountsIQError: With operation and entity filled in.
        """
        with (
            self._naming(read.operation, entity),
            contextlib.closing(self._open(declaration, read, entity)) as rows,
        ):
            yield from rows.records(declaration, names, entity)

    def probe(self, declaration: StreamDeclaration, read: Read, entity: str) -> None:
        """See whether a read would work: ask for the list, look at its status and drop the rest.

        Raises:
            AccountsIQError: With operation and entity filled in.
        """
        with self._naming(read.operation, entity):
            self._open(declaration, read, entity, limit=ERROR_BODY_LIMIT).close()

    def _open(
        self, declaration: StreamDeclaration, read: Read, entity: str, *, limit: int | None = None
    ) -> RowReader:
        """Call a read; a refused token is renewed once."""

        def call(token: str) -> RowReader:
            return self._persist(
                lambda: self._attempt(declaration, read, Credentials(entity, token), limit=limit),
                read.operation,
            )

        try:
            return call(self._sign_in.token())
        except errors.TokenRefused:
            logger.info("The access token is no longer accepted; renewing it.")
            return call(self._sign_in.renew())

    def _attempt(
        self, declaration: StreamDeclaration, read: Read, credentials: Credentials, *, limit: int | None
    ) -> RowReader:
        reply = self._wire.post(read.operation, read.arguments, credentials, limit=limit)
        with _waiting(reply.retry_after):
            return RowReader(reply, read.operation, declaration.row)

    def _token_call(self, operation: str, arguments: Arguments, read: Callable[[Reply], Tokens]) -> Tokens:
        def attempt() -> Tokens:
            reply = self._wire.post(operation, arguments)
            with _waiting(reply.retry_after):
                return read(reply)

        with self._naming(operation, None):
            return self._persist(attempt, operation)

    def _persist(self, attempt: Callable[[], _Result], operation: str) -> _Result:
        """Make an attempt, and further ones after a pause while the failure may pass."""
        for pause in BACK_OFF:
            try:
                return attempt()
            except errors.AccountsIQError as error:
                if not error.retryable:
                    raise
                error.redact(self._sign_in.secrets)
                wait = pause if error.retry_after is None else error.retry_after
                logger.info("%s: %s Next attempt in %g s.", operation, error.explanation, wait)
                self._sleep(wait)
        return attempt()

    @contextlib.contextmanager
    def _naming(self, operation: str, entity: str | None) -> Iterator[None]:
        """Complete an error with what was called, and blank out secrets."""
        try:
            yield
        except errors.AccountsIQError as error:
            if error.operation is None:  # else it is one of signing in, which belongs to no entity
                error.operation, error.entity = operation, entity
            error.redact(self._sign_in.secrets)
            raise


@contextlib.contextmanager
def _waiting(retry_after: float | None) -> Iterator[None]:
    """Complete an error with the pause that the service asked for."""
    try:
        yield
    except errors.AccountsIQError as error:
        error.retry_after = retry_after
        raise
