"""One browser for all tests of a process, which runs no others: what drives it keeps an event loop running in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.parts.console import running_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser
