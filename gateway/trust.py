"""What a gateway believes of the mesh's identities: made of the feed's TrustBundle, replaced whole.

Whatever is remembered of tokens belongs to one object, so that another key, another revoked certificate, or none at all
leaves nothing of what was believed before.
"""

from typing import Final

import msgspec

from meshway.identity import AUDIENCE, IdentityFault, Principal, parse_spiffe_id, token_issuer
from meshway.jwt import TokenFault, TokenRules, expiry_of, verify
from meshway.jwt_keys import KeySet, sort_keys
from meshway.model.trust_bundle import TrustBundle

REMEMBERED_S: Final = 60.0
MAX_REMEMBERED: Final = 4096  # tokens of a worker; at most 8 KiB each are looked at
_LONGEST_S: Final = 3600.0
_METHOD: Final = "service_token"


class Trust:
    """roots: PEM, each of them trusted. revoked: `serial_hash` of certificates. bundle None: there is no authority, and
    nobody is believed. trust_domain: "" = there is none."""

    __slots__ = ("_keys", "_known", "_rules", "revoked", "roots", "trust_domain")

    def __init__(self, bundle: TrustBundle | None = None) -> None:
        self.roots: tuple[str, ...] = () if bundle is None else bundle.roots
        self.revoked = frozenset(int(one, 16) for one in bundle.revoked) if bundle is not None else frozenset[int]()
        self.trust_domain = "" if bundle is None else bundle.trust_domain
        keys = [] if bundle is None else [msgspec.structs.asdict(one) for one in bundle.token_keys]
        self._keys = KeySet(sort_keys({"keys": keys})[0])
        self._rules = TokenRules(
            token_issuer(self.trust_domain), frozenset({AUDIENCE}), frozenset({"ES256"}), max_age_s=_LONGEST_S
        )
        self._known: dict[bytes, tuple[Principal, float]] = {}

    def judge_token(self, token: bytes, now: float, wall: float) -> Principal | str:
        """Who shows a service token, or why nobody does. now: monotonic seconds; wall: seconds since 1970."""
        found = self._known.get(token)
        if found is not None and found[1] > now:
            return found[0]
        if not self.trust_domain:
            return "no authority is known here that could have given the token"
        try:
            claims = verify(token, self._rules, self._keys, wall)
            identity = parse_spiffe_id(str(claims.get("sub")))
            serial = int(str(claims.get("cert")), 16)
        except TokenFault as fault:
            return fault.reason
        except IdentityFault:
            return "the token's sub is no name of the mesh"
        except ValueError:
            return "the token's cert is no certificate's"
        if identity.trust_domain != self.trust_domain:
            return "the token's sub is of another trust domain"
        if serial in self.revoked:
            return "the certificate that the token was given for is revoked"
        principal = identity.principal(_METHOD)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()  # whoever fills it costs the others one verification each
        self._known[token] = principal, now + min(REMEMBERED_S, expiry_of(claims) + self._rules.skew_s - wall)
        return principal


NOBODY: Final = Trust()
