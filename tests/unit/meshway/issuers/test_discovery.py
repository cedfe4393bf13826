"""What is believed of a provider's discovery document."""

import json
from typing import Any

import pytest

from meshway.issuers.discovery import discover
from meshway.issuers.provider import read_provider
from meshway.jwt_keys import KeyFault

ISSUER = "https://id.example/realm"


async def discovered(asked: str = ISSUER, **changes: Any) -> bytes:
    said = {
        "issuer": asked,
        "authorization_endpoint": "https://id.example/authorize",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://keys.example/set",
    } | changes

    async def fetch(url: str) -> bytes:
        if url == f"{asked}/.well-known/openid-configuration":
            return json.dumps(said).encode()
        assert url == said["jwks_uri"]
        return b'{"keys": [], "more": 1}'

    return await discover(asked, fetch)


async def test_end_points_and_keys_are_one_set() -> None:
    text = await discovered(end_session_endpoint="https://id.example/out")
    assert json.loads(text)["keys"] == []
    provider = read_provider(text)
    assert (provider.token_endpoint, provider.end_session_endpoint) == (
        "https://id.example/token",
        "https://id.example/out",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://id.example"},
        {"token_endpoint": "http://id.example/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://id.example/a\r\nX: y"},
        {"jwks_uri": "https://user@keys.example/set"},
        {"end_session_endpoint": "//id.example/out"},
        {"token_endpoint": 5},
    ],
)
async def test_what_could_lead_elsewhere_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KeyFault):
        await discovered(**changes)


async def test_a_provider_on_loopback_may_speak_http() -> None:
    local = {name: f"http://127.0.0.1:81/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    assert read_provider(await discovered("http://127.0.0.1:81", **local)).token_endpoint == local["token_endpoint"]
