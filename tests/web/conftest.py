"""A page that runs, for each test of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.pages import RunningPage


@pytest.fixture
def start_page() -> Iterator[Callable[..., RunningPage]]:
    """Start pages; they are stopped after the test."""
    started = []

    def start(**settings: Any) -> RunningPage:
        page = RunningPage(**settings)
        started.append(page)
        return page.start()

    yield start
    for page in started:
        page.stop()


@pytest.fixture
def page(start_page: Callable[..., RunningPage]) -> RunningPage:
    """A page without a password."""
    return start_page()
