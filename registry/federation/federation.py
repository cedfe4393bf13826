"""Issuers outside the mesh that are believed: their keys, kept up to date, and who comes by their word.

Nobody has a role by an issuer's word alone: it names groups, and roles are bound to those (`PROVIDER:GROUP`, which is
no user's name, nor another provider's group).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from meshway.identity import Principal, claim, claim_texts
from meshway.issuers.code_flow import CodeFlow
from meshway.issuers.key_ring import KeyRing
from meshway.issuers.key_sources import KeySources, fetching
from meshway.issuers.link import IssuerLink
from meshway.issuers.provider import REFRESH_S, set_name
from meshway.jwt import TokenFault
from meshway.outbound.guard import guarded_dial
from meshway.settings import SettingError
from registry.federation.providers import read_providers, secret_of
from registry.rights.records import MAX_SUBJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from meshway.issuers.key_sources import Published
    from registry.federation.providers import Provider

PERSON: Final = "sso"
MAX_NAME: Final = 200
_EMAIL: Final = "email"


class Federation:
    """file: names the issuers. allow_loopback: of a registry that serves its own machine alone. clock: monotonic
    seconds; wall: since 1970. flows: of those where people sign in. Raises StartRefused."""

    def __init__(
        self, file: Path, *, allow_loopback: bool, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        read = read_providers(file)
        self.url = read.url.rstrip("/")
        self.providers = {provider.name: provider for provider in read.providers}
        self._sources = KeySources(
            fetching(guarded_dial(allow_loopback=allow_loopback)), self._take, clock, wall, random.random
        )
        self.keys = KeyRing(self._sources.miss)
        link = IssuerLink(allow_loopback=allow_loopback)
        self.flows: dict[str, CodeFlow] = {}
        for provider in read.providers:
            if provider.client_id:
                secret = _Secret(provider, file.parent)
                flow = CodeFlow(provider.issuer, provider.client_id, secret, self.keys, link, clock, wall)
                self.flows[provider.name] = flow
                self.keys.watch(set_name(provider.issuer), flow)

    async def run(self) -> None:
        """Until cancelled."""
        self._sources.want({set_name(provider.issuer): REFRESH_S for provider in self.providers.values()})
        await self._sources.run()

    def _take(self, published: Published) -> None:
        self.keys.take(published.url, published.text, published.confirmed_s)


class _Secret:
    """Of the registry at a provider; a file that was replaced needs no restart."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self._provider, self._folder = provider, folder

    def __call__(self) -> str | None:
        try:
            return secret_of(self._provider, self._folder) or None
        except SettingError:
            return None


def principal_of(provider: Provider, claims: Mapping[str, Any], method: str) -> Principal:
    """Who an issuer's verified claims speak of, and in which groups that one is. method: how it was proved. Raises
    TokenFault for those that this registry lets nobody in by."""
    name = claim(claims, provider.name_claim)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not _is_plain(name):
        raise TokenFault(f"the token's {provider.name_claim} names nobody")
    for path, wanted in provider.required_claims.items():
        if set(wanted).isdisjoint(claim_texts(claim(claims, path))):
            raise TokenFault(f"the token's {path} is not what it must be")
    asked = {provider.name_claim, provider.groups_claim, *provider.required_claims}
    if _EMAIL in asked and claim_texts(claims.get("email_verified")) != ("true",):
        raise TokenFault("nobody has verified the token's e-mail address")
    named = claim_texts(claim(claims, provider.groups_claim))
    groups = (f"{provider.name}:{group}" for group in named if group and _is_plain(group))
    return Principal(
        f"{PERSON}:{provider.name}:{name}",
        groups=frozenset(group for group in groups if len(group) <= MAX_SUBJECT),
        method=method,
    )


def _is_plain(text: str) -> bool:
    """Whether it may stand in a log as it is."""
    return text.isprintable() and text == text.strip()
