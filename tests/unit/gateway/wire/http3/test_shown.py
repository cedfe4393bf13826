"""Which of a host's certificates a caller is shown."""

from gateway.wire.http3.shown import ShownPairs
from meshway.certificates import Pair, read_pair
from tests.parts.authority import Authority

ROOT = Authority()
ECDSA, RSA_PSS, RSA_OLD, ED25519, ECDSA_384 = 0x0403, 0x0804, 0x0401, 0x0807, 0x0503


def pair(rsa_bits: int = 0) -> Pair:
    """0: of EC."""
    issued = ROOT.issue("a.example", rsa_bits=rsa_bits)
    return read_pair(issued.certificate, issued.key, 0.0)


def test_ec_goes_before_rsa_where_the_caller_verifies_it() -> None:
    ec, rsa, shown = pair(), pair(2048), ShownPairs()

    def serial(*signatures: int) -> str | None:
        found = shown.choose((rsa, ec), signatures)
        return None if found is None else f"{found.certificate.serial_number:x}"

    assert serial(RSA_PSS, ECDSA) == ec.serial
    assert serial(RSA_PSS) == rsa.serial
    assert serial(RSA_OLD, ED25519, ECDSA_384) is None  # PKCS #1 is no signature of TLS 1.3's handshake
    assert serial() is None


def test_a_certificate_is_read_once() -> None:
    shown, one = ShownPairs(), pair()
    assert shown.choose((one,), (ECDSA,)) is shown.choose((one,), (ECDSA,))
    assert shown.choose((), (ECDSA,)) is None
