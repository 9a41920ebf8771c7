"""The limit of reading at all: one list of suppliers, asked for and thrown away."""

from __future__ import annotations

import sys
import urllib.request

HEADERS = {"SOAPAction": "x/GetSupplierList", "Content-Type": "text/xml"}
with urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"<x/>", HEADERS)) as answer:  # noqa: S310 - own server
    while answer.read(65536):
        pass
