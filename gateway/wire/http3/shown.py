"""Certificates as aioquic shows them, read once, and which of a host's a caller can verify (RFC 8446 §4.2.3)."""

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.wire.http3.quic import Shown
from meshway.certificates import Pair

MOST_KEPT: Final = 1_000
_ED25519: Final = 0x0807
_RSA: Final = frozenset({0x0804, 0x0805})  # PSS with SHA-256 and SHA-384
_BY_CURVE: Final = {"secp256r1": 0x0403, "secp384r1": 0x0503}


class ShownPairs:
    """By the certificate's fingerprint."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, Shown] = {}

    def choose(self, pairs: Sequence[Pair], signatures: Sequence[int]) -> Shown | None:
        """EC before others, as OpenSSL has it on TCP. None: the caller can verify none of them."""
        for pair in sorted(pairs, key=lambda each: each.algorithm != "ec"):
            shown = self._of(pair)
            if _signs(pair, shown, frozenset(signatures)):
                return shown
        return None

    def _of(self, pair: Pair) -> Shown:
        shown = self._kept.get(pair.fingerprint)
        if shown is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            leaf, *chain = x509.load_pem_x509_certificates(pair.chain)
            shown = self._kept[pair.fingerprint] = Shown(leaf, chain, load_pem_private_key(pair.key, None))
        return shown


def _signs(pair: Pair, shown: Shown, signatures: frozenset[int]) -> bool:
    if pair.algorithm == "rsa":
        return not _RSA.isdisjoint(signatures)
    if isinstance(shown.key, ec.EllipticCurvePrivateKey):
        return _BY_CURVE.get(shown.key.curve.name) in signatures
    return _ED25519 in signatures
