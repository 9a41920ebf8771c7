"""An answer as a tree that grows while the spool is read, and is pruned while it is walked.

One parser (libxml2, in pieces) reads every byte of every answer and says whether the document as a whole is
well-formed; there is no second, quicker way past it. What has been walked is dropped, so memory does not grow with the
answer, whatever it holds: libxml2's own limits bound the depth (256 elements) and each single text, tag and comment (10 MB).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import IO, Any, cast

from lxml import etree

from tap_accountsiq import errors
from tap_accountsiq.soap import SOAP_NAMESPACE

PIECE = 128 * 1024
"""Bytes that are parsed at a time. Larger pieces are not faster; smaller ones cost more than they save."""

FIRST_PIECE = 1024
"""Bytes to begin with: enough to come to the list, so that later an error can be placed in it."""

PROLOG = 64 * 1024
"""Bytes after which the root element must have begun."""

MAX_DETAIL = 200
"""Characters of the parser's complaint that go into a message; it may quote the document."""

ENVELOPE = f"{{{SOAP_NAMESPACE}}}Envelope"
BODY = f"{{{SOAP_NAMESPACE}}}Body"


_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,
}


class Document:
    """The walk through one SOAP envelope, along a path of elements that lead to what is wanted.

    Args:
        body: The spooled answer; read from where it stands.
        path: Names (namespace included) of the elements to step into, one below the other, from below the envelope on.
        whole: Whether the spool holds the answer to its end. The walk through a part just ends where the part does.
        row: Local name of the elements at the end of the path, when there may be many of them.

    Attributes:
        row: How many elements at the end of the path have been yielded; those of a part count when all of it is done.
    """

    def __init__(
        self, body: IO[bytes], path: tuple[str, ...], *, whole: bool, row: str | None = None
    ) -> None:
        """See the class."""
        self._body = body
        self._path = (ENVELOPE, *path)
        self._whole = whole
        self._row_end = f"</{row}>".encode() if row else None
        self._entered: list[etree._Element] = []
        self._skipped = False
        self.row = 0

    def walk(self) -> Iterator[tuple[int, etree._Element]]:
        """Yield everything that stands beside or at the end of the path, in the order of the document.

        An element is yielded when it is complete, with all it holds, and is gone after the next step. Where there are many
        rows, they come as parts of the list: each an element like the one at the end of the path, with some of its entries.

        Yields:
            Depth of the element's parent in the path (0: the envelope), and the element.

        Raises:
            BrokenXml: The document is not well-formed; this may come after any number of elements.
            DoctypeRefused: The document has a DOCTYPE.
            UnexpectedAnswer: It is no envelope, or an element of the path is there twice.
        """
        parser = etree.XMLPullParser(events=("start",), tag=ENVELOPE, **_OPTIONS)
        piece = self._body.read(PIECE)
        cut = piece.find(self._row_end) + len(self._row_end) if self._row_end else 0
        if not self._row_end or cut < len(self._row_end):
            cut = FIRST_PIECE
        head, rest = piece[:cut], piece[cut:]
        try:
            yield from self._feed(parser, head)
            if self._is_in_the_list_after(head):
                rest = yield from self._chunks(rest)
            while rest := rest or self._body.read(PIECE):
                yield from self._feed(parser, rest)
                rest = b""
            if self._whole:
                parser.close()
                if not self._entered:
                    raise no_envelope()
                yield from self._settle(self._entered[0], 0, complete=True)
        except etree.XMLSyntaxError as error:
            raise self._broken(error) from error

    def _feed(self, parser: etree.XMLPullParser, piece: bytes) -> Iterator[tuple[int, etree._Element]]:
        """Let the tree grow by a piece, and walk what is complete."""
        parser.feed(piece)
        for _, found in parser.read_events():
            element = cast("etree._Element", found)  # the stubs think of other events
            if element.getparent() is None:
                if element.getroottree().docinfo.internalDTD is not None:
                    raise doctype_refused()
                self._entered.append(element)
        if self._entered:
            yield from self._settle(self._entered[0], 0, complete=False)
        elif self._body.tell() > PROLOG:
            raise no_envelope()

    # --- many rows at a time ----------------------------------------------------------------------------------------

    def _is_in_the_list_after(self, head: bytes) -> bool:
        """Prove that a document which begins like this stands directly in the list, between two entries.

        It does exactly if closing the elements of the path makes a well-formed document of it: within a comment, CDATA, a tag
        or another element it would not.
        """
        if not self._row_end or len(self._entered) < len(self._path):
            return False
        closed = head + b"".join(map(_end_tag, reversed(self._entered)))
        try:
            root = etree.fromstring(closed, etree.XMLParser(**_OPTIONS))
        except etree.XMLSyntaxError:
            return False
        return (root.getroottree().docinfo.encoding or "").lower() == "utf-8"

    def _chunks(self, rest: bytes) -> Generator[tuple[int, etree._Element], None, bytes]:
        """Parse entries many at a time, each time as the whole content of an element like the list.

        That is half as much work for libxml2 as pieces cut anywhere. It is the same document: content that is well-formed by
        itself, in the scope of the same namespaces, leaves the document before and behind it as well-formed as it is without.
        The first chunk that is not ends this way; all from there on is read in the other.

        Returns:
            The bytes that follow.
        """
        listing = self._entered[-1]
        for child in list(listing):  # the parser cannot know yet that the last of them is complete
            self.row += 1
            yield len(self._path) - 1, child
        del listing[:]
        end = cast("bytes", self._row_end)
        scope = cast("dict[str, str]", listing.nsmap)  # the stubs do not know that None stands for no prefix
        frame = etree.tostring(etree.Element(listing.tag, nsmap=scope)).removesuffix(b"/>") + b">"
        close = _end_tag(etree.fromstring(frame.removesuffix(b">") + b"/>"))
        parser = etree.XMLParser(encoding="utf-8", **_OPTIONS)
        while True:
            rest += self._body.read(PIECE)
            cut = rest.rfind(end) + len(end)
            if cut < len(end):
                return rest
            try:
                part = etree.fromstring(frame + rest[:cut] + close, parser)
            except etree.XMLSyntaxError:
                return rest
            self._skipped = True
            yield len(self._path) - 2, part
            self.row += len(part)
            rest = rest[cut:]

    # --- one piece at a time ----------------------------------------------------------------------------------------

    def _settle(
        self, node: etree._Element, depth: int, *, complete: bool
    ) -> Iterator[tuple[int, etree._Element]]:
        """Walk what is complete below a node of the path. Only the last child may not be: it is still being read."""
        children = list(node)
        growing = None if complete or not children else children.pop()
        step = self._path[depth + 1] if depth + 1 < len(self._path) else None
        for child in children:
            if child.tag == step:
                self._enter(child, depth + 1)
                yield from self._settle(child, depth + 1, complete=True)
            else:
                self.row += step is None
                yield depth, child
        if children:
            del node[: len(children)]
        if growing is not None and growing.tag == step:
            self._enter(growing, depth + 1)
            yield from self._settle(growing, depth + 1, complete=False)

    def _enter(self, element: etree._Element, depth: int) -> None:
        """Remember an element of the path; there is only one of each."""
        if len(self._entered) == depth:
            self._entered.append(element)
        elif self._entered[depth] is not element:
            raise errors.UnexpectedAnswer(
                f"The answer holds {etree.QName(element).localname} twice.",
                "Try again later; if it stays so, report it to AccountsIQ's support.",
            )

    def _broken(self, error: etree.XMLSyntaxError) -> errors.BrokenXml:
        """Say where a document breaks: line and column are in the parser's words, the row is counted here."""
        at_rows = len(self._entered) == len(self._path)
        near = f", near row {self.row + len(self._entered[-1])} of the list" if at_rows else ""
        # What was parsed in parts is missing in the parser's count of lines and columns.
        words = self._broken_anew() if self._skipped else error.msg
        return errors.BrokenXml(
            f"The answer is not well-formed XML{near}: {words[:MAX_DETAIL]}.",
            "Try again later; if it stays so, look for a control character in that record in AccountsIQ, "
            "or report it to AccountsIQ's support.",
        )

    def _broken_anew(self) -> str:
        """Return the parser's words, with line and column, when it reads the document in one go, without a tree."""
        parser = etree.XMLParser(target=_Nothing(), **_OPTIONS)  # type: ignore[arg-type]  # lxml needs no more
        self._body.seek(0)
        try:
            while piece := self._body.read(PIECE):
                parser.feed(piece)
            parser.close()
        except etree.XMLSyntaxError as error:
            return error.msg
        return "it breaks off"  # a part of an answer


class _Nothing:
    """What a parser makes when only its complaints matter."""

    def close(self) -> None:
        """Return nothing."""


def _end_tag(element: etree._Element) -> bytes:
    name = etree.QName(element).localname
    return (f"</{element.prefix}:{name}>" if element.prefix else f"</{name}>").encode()


def no_envelope() -> errors.UnexpectedAnswer:
    """Return the error for XML that is something else."""
    return errors.UnexpectedAnswer("The answer is XML, but no SOAP envelope.", "Check region or api_url.")


def doctype_refused() -> errors.DoctypeRefused:
    """Return the error for an answer with a DOCTYPE."""
    return errors.DoctypeRefused(
        "The answer carries a DOCTYPE, which a SOAP message must not have.",
        "Check region or api_url: this is not the service, or somebody stands between you and it.",
    )
