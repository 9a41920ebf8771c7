"""An answer as a tree that grows while the spool is read, and is pruned while it is walked.

One parser (libxml2, in pieces) reads every byte of every answer and says whether the document as a whole is
well-formed; there is no second, quicker way past it. What has been walked is dropped, so memory does not grow with the
answer, whatever it holds: libxml2's own limits bound the depth (256 elements) and each single text, tag and comment (10 MB).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, cast

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


class Document:
    """The walk through one SOAP envelope, along a path of elements that lead to what is wanted.

    Args:
        body: The spooled answer; read from where it stands.
        path: Names (namespace included) of the elements to step into, one below the other, from below the envelope on.
        whole: Whether the spool holds the answer to its end. The walk through a part just ends where the part does.

    Attributes:
        row: How many elements at the end of the path have been yielded.
    """

    def __init__(self, body: IO[bytes], path: tuple[str, ...], *, whole: bool) -> None:
        """See the class."""
        self._body = body
        self._path = (ENVELOPE, *path)
        self._whole = whole
        self._entered: list[etree._Element] = []
        self.row = 0

    def walk(self) -> Iterator[tuple[int, etree._Element]]:
        """Yield everything that stands beside or at the end of the path, in the order of the document.

        An element is yielded when it is complete, with all it holds, and is gone after the next step.

        Yields:
            Depth of the element's parent in the path (0: the envelope), and the element.

        Raises:
            BrokenXml: The document is not well-formed; this may come after any number of elements.
            DoctypeRefused: The document has a DOCTYPE.
            UnexpectedAnswer: It is no envelope, or an element of the path is there twice.
        """
        parser = etree.XMLPullParser(
            events=("start",),
            tag=ENVELOPE,
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )
        try:
            for piece in self._pieces():
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
            if self._whole:
                parser.close()
                if not self._entered:
                    raise no_envelope()
                yield from self._settle(self._entered[0], 0, complete=True)
        except etree.XMLSyntaxError as error:
            raise self._broken(error) from error

    def _pieces(self) -> Iterator[bytes]:
        yield self._body.read(FIRST_PIECE)
        while piece := self._body.read(PIECE):
            yield piece

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
        return errors.BrokenXml(
            f"The answer is not well-formed XML{near}: {error.msg[:MAX_DETAIL]}.",
            "Try again later; if it stays so, look for a control character in that record in AccountsIQ, "
            "or report it to AccountsIQ's support.",
        )


def no_envelope() -> errors.UnexpectedAnswer:
    """Return the error for XML that is something else."""
    return errors.UnexpectedAnswer("The answer is XML, but no SOAP envelope.", "Check region or api_url.")


def doctype_refused() -> errors.DoctypeRefused:
    """Return the error for an answer with a DOCTYPE."""
    return errors.DoctypeRefused(
        "The answer carries a DOCTYPE, which a SOAP message must not have.",
        "Check region or api_url: this is not the service, or somebody stands between you and it.",
    )
