"""Service tokens read: the one place that says whom such a token names, for gateways and the registry."""

from typing import Final, NamedTuple

import msgspec

from meshway.identity import AUDIENCE, IdentityFault, SpiffeId, parse_spiffe_id, token_issuer
from meshway.jwt import TokenFault, TokenRules, expiry_of, verify
from meshway.jwt_keys import KeySet, sort_keys
from meshway.model.trust_bundle import TrustBundle

_LONGEST_S: Final = 3600.0


class Shown(NamedTuple):
    """serial: `serial_hash` of the certificate that the token was given for. until: seconds since 1970, the verifier's
    own skew included."""

    identity: SpiffeId
    serial: int
    until: float


class TokenReader:
    """Of one TrustBundle. bundle None: there is no authority, and no token is read."""

    __slots__ = ("_keys", "_rules", "revoked", "trust_domain")

    def __init__(self, bundle: TrustBundle | None) -> None:
        self.revoked = frozenset(int(one, 16) for one in bundle.revoked) if bundle is not None else frozenset[int]()
        self.trust_domain = "" if bundle is None else bundle.trust_domain
        keys = [] if bundle is None else [msgspec.structs.asdict(one) for one in bundle.token_keys]
        self._keys = KeySet(sort_keys({"keys": keys})[0])
        self._rules = TokenRules(
            token_issuer(self.trust_domain), frozenset({AUDIENCE}), frozenset({"ES256"}), max_age_s=_LONGEST_S
        )

    def read(self, token: bytes, wall: float) -> Shown:
        """wall: seconds since 1970. Raises TokenFault."""
        if not self.trust_domain:
            raise TokenFault("no authority is known here that could have given the token")
        claims = verify(token, self._rules, self._keys, wall)
        try:
            identity = parse_spiffe_id(str(claims.get("sub")))
        except IdentityFault:
            raise TokenFault("the token's sub is no name of the mesh") from None
        try:
            serial = int(str(claims.get("cert")), 16)
        except ValueError:
            raise TokenFault("the token's cert is no certificate's") from None
        if identity.trust_domain != self.trust_domain:
            raise TokenFault("the token's sub is of another trust domain")
        if serial in self.revoked:
            raise TokenFault("the certificate that the token was given for is revoked")
        return Shown(identity, serial, expiry_of(claims) + self._rules.skew_s)
