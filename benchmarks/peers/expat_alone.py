"""The practical limit of reading XML in Python: expat without handlers, on an answer in a file."""

from __future__ import annotations

import sys
from xml.parsers import expat

with open(sys.argv[1], "rb") as body:  # noqa: PTH123 - nothing is imported that is not needed
    expat.ParserCreate(namespace_separator=" ").ParseFile(body)
