"""Tokens for tests: made as an admin makes them, and sent as a line of the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.rights.caller import TRUSTED
from registry.rights.token import Grant, Scope

if TYPE_CHECKING:
    from registry.rights.tokens import NewToken
    from tests.parts.registry import RunningRegistry


async def made_token(
    registry: RunningRegistry, name: str, *grants: str, service: str = "", expires_in_s: float | None = None
) -> NewToken:
    """grants: `role` in all namespaces, or `role@namespace`."""
    scope = Scope(tuple(_grant(text) for text in grants), service)
    return await registry.core.callers.tokens.create(TRUSTED, name, scope, expires_in_s=expires_in_s)


async def bearer(registry: RunningRegistry, name: str, *grants: str, **more: Any) -> str:
    """The line that signs in by a new token."""
    return f"Authorization: Bearer {(await made_token(registry, name, *grants, **more)).token}"


def _grant(text: str) -> Grant:
    role, _, namespace = text.partition("@")
    return Grant(role, namespace or "*")  # type: ignore[arg-type]  # a test that names another role fails by it
