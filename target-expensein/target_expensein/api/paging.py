"""Walking through a list in every style of paging, until its real end.

Half a list makes twins (what is not seen is created again), so the end is never guessed: page numbers and offsets go on
until an empty page (a server may give fewer records per page than it was asked for), and an answer that speaks of
further pages when the profile knows of none is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin

from requests.utils import parse_header_links

from target_expensein.api.errors import BadAnswer
from target_expensein.api.profile import SETTING
from target_expensein.api.wire import checked, describe, live_record, unwrapped
from target_expensein.model import LiveRecord

if TYPE_CHECKING:
    from target_expensein.api.profile import ItemProfile

MOST_PAGES = 100_000
"""A list with more pages than this has no end."""

_LINK_SHOWN = 100


Rows = list[LiveRecord]
"""The records of one page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list: the JSON, where plain records are live records already, the headers, and the address."""

    payload: object
    headers: Mapping[str, str]
    url: str


class Fetch(Protocol):
    """Gets one page."""

    def __call__(self, url: str, query: Mapping[str, str]) -> Page:
        """Get the page at an address (of the API's own origin, else it is refused) with query parameters."""


def records(profile: ItemProfile, url: str, fetch: Fetch) -> Iterator[LiveRecord]:
    """Yield every record of a collection once.

    A record that slips from one page to the next while the list is read is met twice, and given once.

    Args:
        profile: The item's part of the profile.
        url: The collection's address.
        fetch: Gets one page.

    Yields:
        The records, reduced to what is compared, their shape checked.

    Raises:
        BadAnswer: The answer is not a list of records, pages repeat, or the list has no end.
        ApiError: Whatever getting a page raises.
    """
    seen: set[str | int] = set()
    for page, rows in _pages(profile, url, fetch):
        new = {row.id for row in rows}
        if len(new) != len(rows):
            raise BadAnswer(
                f"GET {page.url}: two records in one answer have the same ID. Look at {SETTING}.items.{profile.item}.fields.id.",
                item=profile.item,
            )
        if rows and seen.issuperset(new):
            raise BadAnswer(
                f"GET {page.url}: this page holds only records that earlier pages already had, so the server does not page as the "
                f"API profile says. Look at {SETTING}.list.paging.",
                item=profile.item,
            )
        yield from (row for row in rows if row.id not in seen)
        seen |= new


def _rows(profile: ItemProfile, page: Page) -> Rows:
    place = f"GET {page.url}"
    rows = unwrapped(page.payload, profile.listing.envelope, "list.envelope", place, profile.item)
    if not isinstance(rows, list):
        raise BadAnswer(
            f"{place}: expected an array of records, found {describe(rows)}. If the array is one of these members, name it in "
            f"{SETTING}.list.envelope.",
            item=profile.item,
        )
    return [
        row if isinstance(row, LiveRecord) else live_record(profile, checked(profile, row, place))
        for row in rows
    ]


def _pages(profile: ItemProfile, url: str, fetch: Fetch) -> Iterator[tuple[Page, Rows]]:
    paging = profile.listing.paging
    match paging.style:
        case "link":
            yield from _linked(profile, url, fetch)
        case "page":
            size = {paging.page.size_parameter: str(paging.page.size)} if paging.page.size_parameter else {}
            yield from _counted(
                profile,
                url,
                fetch,
                lambda pages, _: {paging.page.number_parameter: str(paging.page.first + pages), **size},
            )
        case "offset":
            size = {paging.offset.size_parameter: str(paging.offset.size)}
            yield from _counted(
                profile, url, fetch, lambda _, rows: {paging.offset.offset_parameter: str(rows), **size}
            )
        case "none":
            page = fetch(url, profile.listing.query)
            if _next_link(profile, page):
                raise BadAnswer(
                    f"GET {page.url}: the answer speaks of a next page, but the API profile says that lists come whole. Set "
                    f'{SETTING}.list.paging.style to "link" (or to the style this server uses).',
                    item=profile.item,
                )
            yield page, _rows(profile, page)


def _counted(
    profile: ItemProfile, url: str, fetch: Fetch, position: Callable[[int, int], Mapping[str, str]]
) -> Iterator[tuple[Page, Rows]]:
    """Walk until an empty page; ``position`` makes query parameters of the pages and records read so far."""
    read = 0
    for pages in range(MOST_PAGES):
        page = fetch(url, {**profile.listing.query, **position(pages, read)})
        rows = _rows(profile, page)
        if not rows:
            return
        yield page, rows
        read += len(rows)
    raise _endless(profile, url)


def _linked(profile: ItemProfile, url: str, fetch: Fetch) -> Iterator[tuple[Page, Rows]]:
    page = fetch(url, profile.listing.query)
    visited = {url, page.url}
    yield page, _rows(profile, page)
    while link := _next_link(profile, page):
        address = _address(profile, page, link)
        if address in visited or len(visited) > MOST_PAGES:
            raise _endless(profile, address)
        visited.add(address)
        page = fetch(address, {})
        yield page, _rows(profile, page)


def _address(profile: ItemProfile, page: Page, link: str) -> str:
    try:
        address = urljoin(page.url, link)
    except ValueError:
        address = ""
    if not re.fullmatch(r"[\x21-\x7e]+", address):
        raise BadAnswer(
            f"GET {page.url}: the next page's address is not one ({link[:_LINK_SHOWN]!r}). Look at {SETTING}.list.paging.link.",
            item=profile.item,
        )
    return address


def _next_link(profile: ItemProfile, page: Page) -> str | None:
    """Find the next page's address in the Link header or beside the array."""
    for link in parse_header_links(page.headers.get("Link", "")):
        if link.get("rel", "").lower() == "next":
            return link["url"]
    member, beside = profile.listing.paging.link.member, page.payload
    for step in profile.listing.envelope[:-1]:
        beside = beside.get(step) if isinstance(beside, dict) else None
    found = beside.get(member) if member and isinstance(beside, dict) else None
    if found is None or isinstance(found, str):
        return found or None
    raise BadAnswer(
        f"GET {page.url}: the member {member!r} should be the address of the next page, found {describe(found)}. Look at "
        f"{SETTING}.list.paging.link.member.",
        item=profile.item,
    )


def _endless(profile: ItemProfile, url: str) -> BadAnswer:
    return BadAnswer(
        f"GET {url}: the pages of this list have no end, they lead in a circle. Look at {SETTING}.list.paging.",
        item=profile.item,
    )
