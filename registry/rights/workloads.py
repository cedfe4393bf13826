"""Services and gateways that sign in by their service tokens: each may what is its own, without a token of people.

Such a token falls with the certificate that it was given for (registry/identity), so what is remembered of tokens
belongs to one TrustBundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.jwt import TokenFault
from meshway.service_token import TokenReader
from registry.rights.caller import Caller, unauthenticated
from registry.rights.token import Grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import TrustBundle

_MARK: Final = "service_token:"  # begins what stands for the id of such a token, before its certificate's hash
_MAX_REMEMBERED: Final = 10_000


class Workloads:
    """bundle: as it stands now; None: there is no authority. wall: seconds since 1970."""

    __slots__ = ("_bundle", "_known", "_of", "_reader", "_wall")

    def __init__(self, bundle: Callable[[], TrustBundle | None], wall: Callable[[], float]) -> None:
        self._bundle = bundle
        self._wall = wall
        self._of: TrustBundle | None = None
        self._reader = TokenReader(None)
        self._known: dict[str, Caller] = {}

    def caller(self, token: str) -> Caller:
        """Raises Problem 401."""
        self._keep_up()
        known = self._known.get(token)
        if known is None:
            try:
                shown = self._reader.read(token.encode(), self._wall())
            except TokenFault as fault:
                raise unauthenticated(fault.reason, code="unknown_token") from None
            identity = shown.identity
            known = Caller(
                identity.principal("service_token"),
                (Grant("gateway"),) if identity.gateway else (),
                service="" if identity.gateway else f"{identity.namespace}/{identity.service}",
                expires_at=shown.until,
                token=f"{_MARK}{shown.serial:016x}",
            )
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[token] = known
        return known

    def is_still(self, caller: Caller) -> bool:
        """Of one that signed in so: whether its token is neither over nor revoked."""
        self._keep_up()
        is_over = caller.expires_at is not None and self._wall() >= caller.expires_at
        return not is_over and int(caller.token.removeprefix(_MARK), 16) not in self._reader.revoked

    def _keep_up(self) -> None:
        bundle = self._bundle()
        if bundle is not self._of:
            self._of, self._reader = bundle, TokenReader(bundle)
            self._known.clear()


def is_written_so(text: str) -> bool:
    """Whether a token is one of these by its look: three parts."""
    return text.count(".") == 2


def is_of_workload(caller: Caller) -> bool:
    return caller.token.startswith(_MARK)
