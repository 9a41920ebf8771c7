"""What goes wrong at the service, in its own words."""

from __future__ import annotations

from typing import Final

_APPS: Final = "OAUTH_INTEGRATION_APPS_"

# Which code answers which situation is inferred from the names of the codes; the messages are this sandbox's own.
CLIENT_ID_EMPTY: Final = f"{_APPS}CLIENTID_IS_NULL_OR_EMPTY"
CLIENT_SECRET_EMPTY: Final = f"{_APPS}CLIENTSECRET_IS_NULL_OR_EMPTY"
CLIENT_ID_NO_GUID: Final = f"{_APPS}UNABLE_TO_PARSE_GUID_TO_STRING"
APPLICATION_NOT_FOUND: Final = f"{_APPS}APP_NOT_FOUND"
APPLICATION_REVOKED: Final = f"{_APPS}APPLICATION_IS_REVOKED"
REFRESH_TOKEN_INVALID: Final = f"{_APPS}ERROR_VALIDATING_TOKEN"
REFRESH_TOKEN_EXPIRED: Final = f"{_APPS}REFRESH_TOKEN_EXPIRED"
HEADER_MISMATCH: Final = f"{_APPS}AIQ_SOAP_HEADER_MISMATCH"
TOKEN_MISSING: Final = f"{_APPS}TOKEN_NOT_PROVIDED_IN_AUTHORIZATION_HEADER"
TOKEN_INVALID: Final = f"{_APPS}TOKEN_IS_INVALID"
TOKEN_EXPIRED: Final = f"{_APPS}TOKEN_EXPIRED"
NO_PERMISSION: Final = f"{_APPS}TOKEN_DOES_NOT_HAVE_PERMISSION"
ENTITY_MISSING: Final = f"{_APPS}NO_ENTITY_PROVIDED_IN_HEADER"
ENTITY_UNKNOWN: Final = "API_LAYER_ENTITY_ID_NOT_FOUND"
TOO_MANY_CALLS: Final = f"{_APPS}TOO_MANY_API_CALLS"
INVALID_QUERY: Final = "INVALID_QUERY"

EXPIRED_CODES: Final = frozenset(
    {TOKEN_EXPIRED, REFRESH_TOKEN_EXPIRED, "WS_INVALIDTOKEN", "OAUTHCONFIGURATION_TOKEN_EXPIRED"}
)
"""The codes beside which HasExpired is true in earnest."""


class ServiceError(Exception):
    """The service refuses a call: in-band by default, in a Fault when the settings say so.

    Attributes:
        code: One of the vendor's codes.
        message: A sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep code and message."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class RequestFault(Exception):  # noqa: N818 - SOAP calls it a fault
    """The request never reaches an operation: HTTP 500 with a soap:Fault.

    Attributes:
        code: The local name of the faultcode: "Client" or "VersionMismatch".
        reason: The faultstring.
    """

    def __init__(self, reason: str, code: str = "Client") -> None:
        """Keep reason and code."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
