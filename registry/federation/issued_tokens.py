"""Bearers of tokens that an issuer outside the mesh has made: programs of CI, and whoever has one for this registry.

A token is for one of the provider's `audiences`, which the ID tokens of people's sign-in are not. What its groups hold
is looked up as it stands now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.issuers.code_flow import KEYS_STALE_S
from meshway.issuers.provider import set_name
from meshway.jwt import TokenFault, TokenRules, expiry_of, issuer_of, verify
from registry.federation.federation import principal_of
from registry.rights.caller import Caller, unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.federation.federation import Federation
    from registry.federation.providers import Provider
    from registry.rights.token import Grant

METHOD: Final = "oidc"
_MARK: Final = "oidc:"  # stands for the id of such a token, before its issuer's set
# A token of an issuer whose keys were replaced is believed so long at most.
REMEMBERED_S: Final = 60.0
_MAX_REMEMBERED: Final = 10_000


class IssuedTokens:
    """held_by: grants of groups. clock: monotonic seconds; wall: since 1970."""

    __slots__ = ("__weakref__", "_clock", "_held_by", "_keys", "_known", "_of", "_wall")

    def __init__(
        self,
        federation: Federation,
        held_by: Callable[[Iterable[str]], tuple[Grant, ...]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._held_by = held_by
        self._clock, self._wall = clock, wall
        self._keys = federation.keys
        self._of = {
            provider.issuer: (provider, TokenRules(provider.issuer, frozenset(provider.audiences)))
            for provider in federation.providers.values()
            if provider.audiences
        }
        self._known: dict[str, tuple[Caller, float]] = {}
        for issuer in self._of:
            self._keys.watch(set_name(issuer), self)

    def caller(self, token: str) -> Caller | None:
        """None: it claims to be of nobody who is believed here. Raises Problem 401."""
        known = self._known.get(token)
        if known is not None and self._clock() < known[1]:
            return known[0]
        sent = token.encode("latin-1", "replace")
        of = self._of.get(issuer_of(sent) or "")
        if of is None:
            return None
        try:
            caller = self._verified(sent, *of)
        except TokenFault as fault:
            raise unauthenticated(fault.reason, code="unknown_token") from None
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[token] = caller, self._clock() + REMEMBERED_S
        return caller

    def is_still(self, caller: Caller) -> bool:
        """Of one that signed in so: whether its token is not over and its rights are what they were."""
        now = Caller(caller.principal, self._held_by(caller.principal.groups))
        is_over = caller.expires_at is not None and self._wall() >= caller.expires_at
        return not is_over and (now.everywhere, now.within) == (caller.everywhere, caller.within)

    def forget(self) -> None:
        """Keys or roles are others."""
        self._known.clear()

    def _verified(self, token: bytes, provider: Provider, rules: TokenRules) -> Caller:
        """Raises TokenFault."""
        wall, name = self._wall(), set_name(provider.issuer)
        keys = self._keys.keys(name, wall - KEYS_STALE_S)
        if keys is None:
            raise TokenFault("no keys of the token's issuer are known here")
        try:
            claims = verify(token, rules, keys, wall)
        except TokenFault as fault:
            if fault.unknown_key is not None:
                self._keys.miss(name, self._clock())
            raise
        principal = principal_of(provider, claims, METHOD)
        return Caller(
            principal,
            self._held_by(principal.groups),
            expires_at=expiry_of(claims) + rules.skew_s,
            token=f"{_MARK}{provider.name}",
        )


def is_issued(caller: Caller) -> bool:
    return caller.token.startswith(_MARK)
