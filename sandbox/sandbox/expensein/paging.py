"""How a list is cut into pages, in each of the styles that a real server might have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.expensein.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The query parameters of each style: their names, default, and smallest value.
PARAMETERS: dict[str, tuple[tuple[str, int | None, int], ...]] = {
    "none": (),
    "page": (("page", 1, 1), ("pageSize", None, 1)),
    "offset": (("offset", 0, 0), ("limit", None, 1)),
    "link": (("cursor", 0, 0),),
}
#: The largest value of any of them.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Page:
    """The part of a collection that a request asks for.

    Attributes:
        after: Only objects with a greater running number.
        offset: How many of these to leave out.
        limit: How many at most; -1 for all.
    """

    after: int = 0
    offset: int = 0
    limit: int = -1


def page_of(settings: Mapping[str, Any], query: Mapping[str, str]) -> Page:
    """Read the page from a query.

    Args:
        settings: Settings of the ExpenseIn side (``paging``, ``page_size``).
        query: The request's query. Parameters of other styles are ignored, as servers do.

    Returns:
        The page.

    Raises:
        ApiError: 400 when a parameter is no whole number, too small or too large.
    """
    style, size = settings["paging"], settings["page_size"]
    values = {name: _whole(query, name, default, least) for name, default, least in PARAMETERS[style]}
    if style == "page":
        size = min(values["pageSize"] or size, size)
        return Page(offset=((values["page"] or 1) - 1) * size, limit=size)
    if style == "offset":
        return Page(offset=values["offset"] or 0, limit=min(values["limit"] or size, size))
    if style == "link":
        return Page(after=values["cursor"] or 0, limit=size)
    return Page()


def _whole(query: Mapping[str, str], name: str, default: int | None, least: int) -> int | None:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < least or int(text) > MOST:
        message = f"The query parameter {name} must be a whole number from {least} to {MOST}."
        raise ApiError(400, "malformed_request", message)
    return int(text)
