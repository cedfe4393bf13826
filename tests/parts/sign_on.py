"""A registry where people sign in by OpenID providers, and programs by their tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.parts.conditions import until
from tests.parts.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.parts.ports import free_port
from tests.parts.registry import RunningRegistry, running_registry


@asynccontextmanager
async def signing_in(
    folder: Path, providers: Mapping[str, IdentityProvider], **of: dict[str, Any]
) -> AsyncIterator[RunningRegistry]:
    """providers: by name, and they answer already. of: further fields of each, by its name. Nobody is trusted for his
    address, and the keys of all are known when it is given."""
    port = free_port()
    file = write_providers(folder, f"http://127.0.0.1:{port}", providers, **of)
    async with running_registry(folder, trusts_loopback=False, oidc_file=file, port=port) as registry:
        federation = registry.core.callers.federation
        assert federation is not None
        await until(lambda: all(federation.keys.text(f"openid+{each.issuer}") for each in providers.values()))
        yield registry


def write_providers(folder: Path, url: str, providers: Mapping[str, IdentityProvider], **of: dict[str, Any]) -> Path:
    """The file, as `--oidc-file` names it."""
    (folder / "secret").write_text(SECRET)
    client = {"client_id": CLIENT, "client_secret_file": "secret"}
    named = [{"name": name, "issuer": one.issuer, **client, **of.get(name, {})} for name, one in providers.items()]
    file = folder / "oidc.yaml"
    file.write_text(json.dumps({"url": url, "providers": named}))
    return file
