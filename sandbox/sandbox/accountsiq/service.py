"""The service over HTTP: routes, sign-in, and the answers streamed row by row."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from html import escape as escape_html
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from aiohttp import web
from lxml import etree

from sandbox.accountsiq import envelope, errors
from sandbox.accountsiq.body import Bodies
from sandbox.accountsiq.emit import element, entry_renderer, renderer
from sandbox.accountsiq.errors import RequestFault, ServiceError
from sandbox.accountsiq.operations import OPERATIONS, Operation
from sandbox.accountsiq.tokens import Tokens
from sandbox.accountsiq.types import NAMESPACE, item_of
from sandbox.accountsiq.wsdl import wsdl
from sandbox.store import META_APPLICATION, META_ENTITIES, Row, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from sandbox.accountsiq.envelope import Call

PATH: Final = "/system/dashboard/integration/integration_2_0.asmx"
"""Where the service lives on each of its hosts."""

EXPENSE_SUPPLIER: Final = "_expense_supplier"
"""Private key of a supplier's row: an employee, left out by ExcludeExpenseSuppliers. Never on the wire."""

NULL_LIST: Final = "_null_list"
"""Private key of a dataset's first row: the service answers with no Result at all instead of a list."""


_XML: Final = "text/xml"
_MINUTE: Final = timedelta(minutes=1)


class AccountsIQ:
    """AccountsIQ's Integration 2.0, answering from the store.

    Args:
        store: Where the rows, the application and the entities are.
        settings: The side's settings by name, looked up anew for each request: token_lifetime (seconds),
            refresh_token_reusable, revoked, scope_denied (names of operations), errors_as_fault, gzip,
            calls_per_minute (None = no limit).
        clock: Gives the present moment, with time zone.
    """

    def __init__(self, store: Store, settings: Mapping[str, Any], clock: Callable[[], datetime]) -> None:
        """Start without tokens."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._tokens = Tokens(clock)
        self._calls: deque[datetime] = deque()
        self._bodies = Bodies()

    def routes(self) -> list[web.RouteDef]:
        """List what to register at the web server.

        Returns:
            The routes.
        """
        return [web.post(PATH, self._post), web.get(PATH, self._get)]

    def operation_of(self, request: web.Request) -> str | None:
        """Name the operation that a request asks for, without reading its body.

        Args:
            request: Any request to this side.

        Returns:
            The operation's name, None for anything that is no call of a known operation.
        """
        action = request.headers.get("SOAPAction")
        operation = None if request.method != "POST" or action is None else _operation_named(action)
        return None if operation is None else operation.name

    def in_band_error(
        self, operation: str | None, status: str, code: str, message: str | None
    ) -> web.Response:
        """Build an answer that says no, as if the service had refused the call.

        Args:
            operation: Name of an operation; None for a request that asks for none.
            status: A value of OperationStatus, such as "Failure" or "Unknown".
            code: One of the vendor's codes.
            message: The ErrorMessage, None for none.

        Returns:
            HTTP 200 with Status, ErrorCode and ErrorMessage; a soap:Fault when the settings ask for it, or when
            there is no operation to answer for.
        """
        return self._refuse(OPERATIONS.get(operation or ""), status, code, message)

    def expire_tokens(self) -> None:
        """Let every access token given out so far expire; refresh tokens stay good."""
        self._tokens.expire()

    async def _get(self, request: web.Request) -> web.Response:
        if any(name.lower() == "wsdl" for name in request.query):
            location = str(request.url.with_query(None))
            return web.Response(body=wsdl(location), content_type=_XML, charset="utf-8")
        return web.Response(text=_page(), content_type="text/html")

    async def _post(self, request: web.Request) -> web.Response:
        try:
            operation = _operation_asked_for(request)
            call = envelope.read_call(await request.read(), operation)
            return self._answer(request, operation, call)
        except RequestFault as wrong:
            return _fault(wrong.code, wrong.reason)

    def _answer(self, request: web.Request, operation: Operation, call: Call) -> web.Response:
        try:
            self._throttle()
            if not operation.needs_token:
                return _xml(self._sign_in(operation, call))
            self._admit(operation, call)
            accepted = request.headers.get("Accept-Encoding", "").lower()
            zipped = self._settings["gzip"] and "gzip" in accepted
            body = self._body(operation, call, zipped=zipped)
        except ServiceError as refused:
            return self._refuse(operation, "Failure", refused.code, refused.message)
        headers = {"Content-Encoding": "gzip"} if zipped else {}
        return web.Response(body=body, content_type=_XML, charset="utf-8", headers=headers)

    def _body(self, operation: Operation, call: Call, *, zipped: bool) -> bytes | AsyncIterator[bytes]:
        query = call.query()
        asked = operation.name, call.entity, b"" if query is None else etree.tostring(query, with_tail=False)
        version = self._store.source_version
        kept = self._bodies.kept(asked, version, zipped=zipped)
        if kept is not None:
            return kept
        result = self._result(operation, call)
        parts = chain([envelope.opening(operation)], result, [envelope.closing(operation)])
        return self._bodies.make(parts, asked, version, zipped=zipped)

    def _refuse(
        self, operation: Operation | None, status: str, code: str, message: str | None
    ) -> web.Response:
        if operation is None or self._settings["errors_as_fault"]:
            return _fault("Server", f"Server was unable to process request. ---> {code}: {message or ''}")
        return _xml(envelope.refusal(operation, status, code, message))

    def _throttle(self) -> None:
        now, limit = self._clock(), self._settings["calls_per_minute"]
        while self._calls and now - self._calls[0] >= _MINUTE:
            self._calls.popleft()
        if limit is not None and len(self._calls) >= limit:
            raise ServiceError(errors.TOO_MANY_CALLS, f"More than {limit} API calls within a minute.")
        self._calls.append(now)

    def _sign_in(self, operation: Operation, call: Call) -> str:
        """Answer TokenGet and TokenRefresh."""
        application = self._store.meta(META_APPLICATION, {})
        client_id, client_secret = call.text("clientId"), call.text("clientSecret")
        if not client_id:
            raise ServiceError(errors.CLIENT_ID_EMPTY, "The client id is null or empty.")
        if not client_secret:
            raise ServiceError(errors.CLIENT_SECRET_EMPTY, "The client secret is null or empty.")
        if (client_id, client_secret) != (application.get("client_id"), application.get("client_secret")):
            if not _is_guid(client_id):
                raise ServiceError(errors.CLIENT_ID_NO_GUID, "The client id is not a GUID.")
            raise ServiceError(
                errors.APPLICATION_NOT_FOUND, "No application with this id and secret was found."
            )
        self._check_revoked()
        if operation.name == "TokenGet":
            pair = self._tokens.issue()
        else:
            reusable = bool(self._settings["refresh_token_reusable"])
            pair = self._tokens.refresh(call.text("refreshToken"), reusable=reusable)
        row = {"AccessToken": pair.access, "RefreshToken": pair.refresh}
        return envelope.token_answer(operation, renderer("Result", operation.result)(row))

    def _check_revoked(self) -> None:
        if self._settings["revoked"]:
            raise ServiceError(errors.APPLICATION_REVOKED, "The application has been revoked.")

    def _admit(self, operation: Operation, call: Call) -> None:
        """Check the header of a call: token, application, scope, entity, in this order."""
        if not call.has_header:
            raise ServiceError(errors.HEADER_MISMATCH, "The request has no AiqSoapHeader.")
        self._tokens.check(call.token, self._settings["token_lifetime"])
        self._check_revoked()
        application = self._store.meta(META_APPLICATION, {})
        granted = any(fnmatchcase(operation.name, pattern) for pattern in application.get("scope", ["*"]))
        if not granted or operation.name in self._settings["scope_denied"]:
            message = f"The application's scope does not cover {operation.name}."
            raise ServiceError(errors.NO_PERMISSION, message)
        if not operation.needs_entity:
            return
        if not call.entity:
            raise ServiceError(errors.ENTITY_MISSING, "No entity was provided in the header.")
        if call.entity not in self._store.entities():
            raise ServiceError(errors.ENTITY_UNKNOWN, f"The entity {call.entity} was not found.")
        if call.entity not in self._granted_entities():
            message = f"The application has no access to the entity {call.entity}."
            raise ServiceError(errors.NO_PERMISSION, message)

    def _granted_entities(self) -> list[str]:
        granted = self._store.meta(META_APPLICATION, {}).get("entities")
        return [entity for entity in self._store.entities() if granted is None or entity in granted]

    def _result(self, operation: Operation, call: Call) -> Iterable[str]:
        """Give the markup of Result piece by piece; whatever can be refused is refused before the first piece."""
        item = item_of(operation.result)
        if item is None:
            return [renderer("Result", operation.result)(self._company(call.entity))]
        rows = iter(self._rows(operation, call))
        first = next(rows, None)
        if first is None:
            return [element("Result", "")]
        if NULL_LIST in first:
            return []
        return chain(["<Result>"], map(entry_renderer(item), chain([first], rows)), ["</Result>"])

    def _rows(self, operation: Operation, call: Call) -> Iterable[Row]:
        if not operation.dataset:
            return self._entities()
        if any(parameter.name == "query" for parameter in operation.parameters):
            return self._queried(operation, call)
        rows = self._store.iter_source(call.entity, operation.dataset)
        return filter(_is_active, rows) if operation.active_only else rows

    def _queried(self, operation: Operation, call: Call) -> Iterable[Row]:
        query = call.query()
        if query is None:
            raise ServiceError(errors.INVALID_QUERY, "The query is null.")
        moment = envelope.read_moment(query, "FromLastModifiedDateInUTC")
        emails = {email.casefold() for email in envelope.read_strings(query, "Emails")}
        without_expense_suppliers = envelope.read_boolean(query, "ExcludeExpenseSuppliers")
        rows: Iterable[Row] = (
            self._store.iter_source(call.entity, operation.dataset)
            if moment is None
            else self._store.modified_since(call.entity, operation.dataset, moment)
        )
        return (
            row
            for row in rows
            if not (without_expense_suppliers and row.get(EXPENSE_SUPPLIER))
            and not (emails and str(row.get("Email") or "").casefold() not in emails)
        )

    def _entities(self) -> Iterator[Row]:
        known: Mapping[str, Mapping[str, Any]] = self._store.meta(META_ENTITIES, {})
        for entity in self._granted_entities():
            facts = known[entity]
            yield {
                "EntityID": entity,
                "EntityName": facts.get("name"),
                "BaseCurrency": facts.get("base_currency"),
            }

    def _company(self, entity: str) -> Row:
        facts: Mapping[str, Any] = self._store.meta(META_ENTITIES, {})[entity]
        row = {"CompanyName": facts.get("name"), "BaseCurrencyCode": facts.get("base_currency")}
        return row | next(iter(self._store.source(entity, "company")), {})


def _operation_asked_for(request: web.Request) -> Operation:
    """Do what ASP.NET does before it looks at the body.

    Raises:
        RequestFault: The content type or the SOAPAction is not one of SOAP 1.1.
        web.HTTPUnsupportedMediaType: It is not SOAP at all.
    """
    if request.content_type == "application/soap+xml":
        message = "Possible SOAP version mismatch: this sandbox speaks SOAP 1.1 only (Content-Type: text/xml and a SOAPAction header)."
        raise RequestFault(message, "VersionMismatch")
    if request.content_type != _XML:
        message = f"Server cannot service the request because the media type {request.content_type} is unsupported; send text/xml."
        raise web.HTTPUnsupportedMediaType(text=message)
    action = request.headers.get("SOAPAction")
    if action is None:
        message = (
            "Unable to handle request without a valid action parameter. Please supply a valid soap action."
        )
        raise RequestFault(message)
    operation = _operation_named(action)
    if operation is None:
        raise RequestFault(
            f"Server did not recognize the value of HTTP Header SOAPAction: {_unquoted(action)}."
        )
    return operation


def _operation_named(action: str) -> Operation | None:
    """Find the operation of a SOAPAction, quoted or not."""
    action = _unquoted(action)
    return OPERATIONS.get(action.removeprefix(NAMESPACE)) if action.startswith(NAMESPACE) else None


def _unquoted(action: str) -> str:
    action = action.strip()
    return action[1:-1] if len(action) > 1 and action[0] == action[-1] == '"' else action


def _is_active(row: Row) -> bool:
    return str(row.get("IsActive", "")).lower() in ("true", "1") or NULL_LIST in row


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _xml(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type=_XML, charset="utf-8")


def _fault(code: str, reason: str) -> web.Response:
    return _xml(envelope.fault(code, reason), status=500)


def _page() -> str:
    items = "".join(f"<li>{escape_html(name)}</li>" for name in OPERATIONS)
    return (
        "<!DOCTYPE html><html><head><title>Integration_2_0 Web Service</title></head><body>"
        "<h1>Integration_2_0</h1><p>The following operations are supported. For a formal definition, please"
        f' review the <a href="?wsdl">Service Description</a>.</p><ul>{items}</ul></body></html>'
    )
