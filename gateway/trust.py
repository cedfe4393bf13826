"""What a gateway believes of the mesh's identities: made of the feed's TrustBundle, replaced whole.

Whatever is remembered of tokens belongs to one object, so that another key, another revoked certificate, or none at all
leaves nothing of what was believed before.
"""

from typing import Final

from meshway.identity import Principal
from meshway.jwt import TokenFault
from meshway.model.trust_bundle import TrustBundle
from meshway.service_token import TokenReader

REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 4096  # tokens of a worker; at most 8 KiB each are looked at
_METHOD: Final = "service_token"
STALE: Final = "who is revoked has not been heard here for too long: nobody is believed"


class Trust:
    """roots: PEM, each of them trusted. revoked: `serial_hash` of certificates. bundle None: there is no authority, and
    nobody is believed. trust_domain: "" = there is none. is_stale: who is revoked has not been heard for so long that
    nobody is to be believed."""

    __slots__ = ("_known", "_reader", "is_stale", "revoked", "roots", "trust_domain")

    def __init__(self, bundle: TrustBundle | None = None) -> None:
        self.roots: tuple[str, ...] = () if bundle is None else bundle.roots
        self._reader = TokenReader(bundle)
        self.revoked = self._reader.revoked
        self.trust_domain = self._reader.trust_domain
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self.is_stale = False

    def believes_less_than(self, before: "Trust") -> bool:
        """Whether a certificate that was believed may be believed no more."""
        return not (self.revoked <= before.revoked and set(self.roots) >= set(before.roots))

    def judge_token(self, token: bytes, now: float, wall: float) -> Principal | str:
        """Who shows a service token, or why nobody does. now: monotonic seconds; wall: seconds since 1970."""
        if self.is_stale:
            return STALE
        found = self._known.get(token)
        if found is not None and found[1] > now:
            return found[0]
        try:
            shown = self._reader.read(token, wall)
        except TokenFault as fault:
            return fault.reason
        principal = shown.identity.principal(_METHOD)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()  # whoever fills it costs the others one verification each
        self._known[token] = principal, now + min(REMEMBERED_S, shown.until - wall)
        return principal


NOBODY: Final = Trust()
