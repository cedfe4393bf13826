"""The pair that the mesh's authority issued for a Certificate, as it lies sealed beside the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.sealing import SealBroken

if TYPE_CHECKING:
    from meshway.model.certificate import Certificate
    from meshway.sealing import Sealing
    from registry.view.rows import DocumentRow


class IssuedPair(msgspec.Struct, frozen=True, kw_only=True):
    """certificate: PEM, leaf first. authority: that signed it. made_for: what was asked of it, see `wish_of`.

    Times: seconds since 1970; renew_at: from then on it is issued anew.
    """

    certificate: str
    private_key: str
    serial: str
    authority: str
    made_for: bytes
    not_before: float
    not_after: float
    renew_at: float

    def __repr__(self) -> str:
        return f"IssuedPair({self.serial})"


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(IssuedPair).decode


def wish_of(spec: Certificate) -> bytes:
    """Equal where the same pair would do."""
    assert spec.mesh_ca is not None
    before_s = None if spec.renew_before is None else float(spec.renew_before)
    return _encode((sorted(spec.hosts), spec.mesh_ca.key, float(spec.mesh_ca.lifetime), before_s))


def sealed_pair(pair: IssuedPair, document: str, sealing: Sealing) -> bytes:
    """document: `Certificate NAMESPACE/NAME`; it opens for no other."""
    return sealing.seal(_encode(pair), document)


def issued_pair(row: DocumentRow, sealing: Sealing) -> IssuedPair | None:
    """None: there is none yet, or none that can be opened here."""
    if not row.sealed:
        return None
    try:
        return _decode(sealing.unseal(row.sealed, row.document.name))
    except (SealBroken, msgspec.DecodeError):
        return None
