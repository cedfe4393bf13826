"""The console beside the API: shown to whoever asks, and no way around signing in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.registry import RunningRegistry, running_registry


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        yield registry


async def test_a_page_is_shown_to_whoever_asks(strict: RunningRegistry) -> None:
    for lines in ((), ("Authorization: Bearer mwt_old",), ("Origin: https://elsewhere.example",)):
        answer = await strict.call("GET", "/services/shop/reviews", None, *lines)
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_a_head_of_a_page_has_no_body(strict: RunningRegistry) -> None:
    answer = await strict.call("HEAD", "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.body == b""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/session"), ("GET", "/v1/namespaces/default/services"), ("GET", "/openapi.json"),
        ("GET", "/metrics"), ("GET", "/assets/none.js"),
        ("POST", "/services"), ("DELETE", "/"), ("GET", "//services"),
    ],
)  # fmt: skip
async def test_everything_else_asks_who_calls(strict: RunningRegistry, method: str, path: str) -> None:
    answer = await strict.call(method, path)
    assert answer.status == 401, answer


@pytest.mark.parametrize("path", ["/assets/%2e%2e/%2e%2e/pyproject.toml", "/..%2fpyproject.toml", "/assets/..%5cx"])
async def test_no_spelling_of_dots_reaches_a_file(strict: RunningRegistry, path: str) -> None:
    answer = await strict.call("GET", path)
    assert answer.status == 401
    assert answer.json["code"] == "not_signed_in"
