"""A running sandbox for each test, and a plain HTTP client for its ExpenseIn side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from sandbox.testing import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


class Api(requests.Session):
    """A session that knows the base address and the key."""

    def __init__(self, box: Sandbox) -> None:
        """Take address and key over."""
        super().__init__()
        self._base = box.expensein_url
        self.headers["Authorization"] = f"ApiKey {box.api_key}"

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask for an address below the base (or an absolute one)."""
        kwargs.setdefault("timeout", 10)
        return super().request(method, requests.compat.urljoin(self._base, url), *args, **kwargs)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(seed="empty") as running:
        yield running


@pytest.fixture
def api(box: Sandbox) -> Iterator[Api]:
    with Api(box) as session:
        yield session
