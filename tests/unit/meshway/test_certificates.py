"""What may serve, and why something may not."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from meshway.certificates import CertificateFault, covers, read_bundle, read_pair, urgency
from tests.parts.authority import Authority, Issued, pem_of

ROOT = Authority()
MIDDLE = Authority("Test Middle", ROOT)


def refusal(issued: Issued, key: bytes | None = None) -> str:
    with pytest.raises(CertificateFault) as caught:
        read_pair(issued.certificate, issued.key if key is None else key)
    return str(caught.value)


def test_a_sound_pair_tells_its_names_and_its_end() -> None:
    issued = MIDDLE.issue("Shop.Example", "*.shop.example", "127.0.0.1")
    pair = read_pair(issued.certificate, issued.key)
    assert pair.hosts == ("shop.example", "*.shop.example")
    assert (pair.algorithm, pair.issuer, pair.is_reordered) == ("ec", "Test Middle", False)
    assert pair.not_after == issued.leaf.not_valid_after_utc.timestamp()
    assert pair.chain == issued.certificate
    assert "PRIVATE" not in repr(pair)


def test_a_chain_in_another_order_is_mended_and_roots_are_left_out() -> None:
    issued = MIDDLE.issue("a.example")
    pair = read_pair(ROOT.pem + MIDDLE.pem + pem_of(issued.leaf), issued.key)
    assert (pair.chain, pair.is_reordered) == (issued.certificate, True)


@pytest.mark.parametrize(
    ("issued", "why"),
    [
        (ROOT.issue("a.example", days=-0.5), "expired"),
        (ROOT.issue("a.example", rsa_bits=1024), "1024 bits is below 2048"),
        (ROOT.issue("a.example", has_names=False), "no subject alternative name"),
        (ROOT.issue("a.example", must_staple=True), "stapled"),
    ],
)
def test_what_clients_would_not_take_is_refused(issued: Issued, why: str) -> None:
    assert why in refusal(issued)


def test_a_key_of_another_certificate_is_refused() -> None:
    assert refusal(ROOT.issue("a.example"), ROOT.issue("b.example").key) == "the key is not the certificate's"


def test_a_key_that_cannot_be_read_is_told_without_its_text() -> None:
    issued = ROOT.issue("a.example")
    assert refusal(issued, b"secret") == "no private key in PEM can be read"
    locked = issued.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert refusal(issued, locked) == "the key is locked by a passphrase"
    with pytest.raises(CertificateFault, match="no certificate"):
        read_pair(b"nothing", issued.key)


@pytest.mark.parametrize(
    ("life_days", "left_days", "told"),
    [
        (365.0, 22.0, ""), (365.0, 21.0, "warn"), (365.0, 3.0, "critical"),
        (4.0, 1.1, ""), (4.0, 1.0, "warn"), (4.0, 0.4, "critical"), (4.0, -1.0, "critical"),
    ],
)  # fmt: skip
def test_an_end_is_near_by_days_and_of_short_lives_by_a_part(life_days: float, left_days: float, told: str) -> None:
    day_s = 86_400.0
    assert urgency(0.0, life_days * day_s, (life_days - left_days) * day_s) == told


def test_an_end_is_near_as_it_was_asked_for() -> None:
    day_s = 86_400.0
    found = [urgency(0.0, 365 * day_s, left * day_s, 40 * day_s, 10 * day_s) for left in (320.0, 326.0, 356.0)]
    assert found == ["", "warn", "critical"]


def test_a_wildcard_covers_one_label() -> None:
    names = ("shop.example", "*.shop.example")
    assert covers(names, "shop.example")
    assert covers(names, "pay.shop.example")
    assert covers(names, "*.shop.example")
    assert not covers(names, "a.pay.shop.example")
    assert not covers(names, "example")
    assert not covers(("*.shop.example",), "shop.example")


def test_a_bundle_holds_authorities_and_nothing_else() -> None:
    assert read_bundle(ROOT.pem + MIDDLE.pem + ROOT.pem) == ROOT.pem + MIDDLE.pem
    with pytest.raises(CertificateFault, match="no authority"):
        read_bundle(ROOT.pem + ROOT.issue("a.example").certificate)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no other program here signs with SHA-1")
def test_a_signature_by_sha_1_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "k.pem", tmp_path / "c.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-days", "2", "-subj", "/CN=a"]
    command += ["-addext", "subjectAltName=DNS:a.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(CertificateFault, match="signed with sha1"):
        read_pair(certificate.read_bytes(), key.read_bytes())


def test_damaged_names_and_unknown_signatures_are_refused_as_certificates_are() -> None:
    """What is parsed only when it is first asked for raises what parsers raise."""
    issued = ROOT.issue("a.example")
    der = issued.leaf.public_bytes(serialization.Encoding.DER)
    name, signature = b"\x0c\tTest Root", bytes.fromhex("06082a8648ce3d040302")
    assert name in der
    for known, other in ((name, b"\xfc" + name[1:]), (signature, signature[:2] + b"\x00" + signature[3:])):
        body = base64.encodebytes(der.replace(known, other))
        damaged = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
        with pytest.raises(CertificateFault):
            read_pair(damaged, issued.key)
        with pytest.raises(CertificateFault):
            read_bundle(damaged)
