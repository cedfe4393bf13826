"""What a listener shows and asks, on both ends of a handshake in memory."""

import ssl
import time

import pytest

from gateway.wire.server_names import ServerNames
from gateway.wire.tls import ServingContext, TlsFace, serving_context, shown_by
from meshway.certificates import CertificateFault, Pair, read_pair
from meshway.identity import serial_hash
from meshway.tls import client_context, load_pair
from tests.parts.authority import Authority

ROOT, OTHER = Authority(), Authority("Other Root")


def pair(*names: str, authority: Authority = ROOT, days: float = 30.0) -> Pair:
    issued = authority.issue(*names, days=days)
    return read_pair(issued.certificate, issued.key, 0.0)


def face(client_auth: str = "none", now: float | None = None, authority: str = "mesh") -> TlsFace:
    def context(*names: str) -> ServingContext:
        made = serving_context("1.2", client_auth, ROOT.pem, authority)
        load_pair(made, pair(*names))
        made.certificates = frozenset(("shop", name) for name in names)
        return made

    made = TlsFace(time.time if now is None else lambda: now)
    names = ServerNames({"a.example": context("a.example"), "b.example": context("b.example")}, {}, None)
    made.install(serving_context("1.2", client_auth, ROOT.pem, authority), names)
    return made


def shaken(of: TlsFace, own: Pair | None = None, name: str = "a.example") -> ssl.SSLObject:
    """The server's end. Raises what ends the handshake there."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = of.context.wrap_bio(up, down, server_side=True)
    client = client_context(ROOT.pem, own).wrap_bio(down, up, server_hostname=name)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    server.do_handshake()
    return server


def test_a_connection_knows_what_it_was_shown_and_which_hosts_go_with_it() -> None:
    of = face()
    shown = shown_by(shaken(of, name="b.example"))
    assert shown == {("shop", "b.example")}
    assert [of.serves(host, shown) for host in (b"b.example", b"a.example", b"unknown.example")] == [True, False, True]


def test_a_callers_certificate_is_read_once_it_holds() -> None:
    of = face("optional")
    assert of.peer(shaken(of)) is None
    own = pair("spiffe://mesh.internal/ns/shop/svc/cart", "cart.shop.mesh", "a@shop.example")
    peer = of.peer(shaken(of, own))
    assert peer is not None
    assert (peer.authority, peer.uris) == ("mesh", ("spiffe://mesh.internal/ns/shop/svc/cart",))
    assert (peer.dns, peer.emails) == (("cart.shop.mesh",), ("a@shop.example",))
    assert peer.serial == serial_hash(int(own.serial, 16))
    assert peer.pem.startswith(b"-----BEGIN CERTIFICATE")


def test_a_certificate_holds_by_whom_its_handshake_asked_though_another_is_believed_by_now() -> None:
    of = face("require", authority="mesh/partners")
    of.trust_domain = "mesh.internal"
    tls = shaken(of, pair("spiffe://mesh.internal/ns/shop/svc/cart"))
    later = ServerNames({"a.example": serving_context("1.2", "require", OTHER.pem, "mesh")}, {}, None)
    of.install(serving_context("1.2", "require", OTHER.pem, "mesh"), later)
    with pytest.raises(CertificateFault, match="which only the mesh may"):
        of.caller(tls)


@pytest.mark.parametrize("own", [pair("a", authority=OTHER), pair("a", days=-0.01)])
def test_a_certificate_that_does_not_hold_ends_the_handshake(own: Pair) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(face("optional"), own)


def test_who_must_show_one_and_shows_none_is_refused() -> None:
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shaken(face("require"))


def test_one_that_was_revoked_or_whose_time_is_over_is_void_on_an_open_connection() -> None:
    of = face("optional")
    peer = of.peer(shaken(of, pair("a")))
    assert peer is not None
    assert not of.is_void(peer)
    of.revoked = frozenset({peer.serial})
    assert of.is_void(peer)
    late = face("optional", now=peer.not_after)
    assert late.is_void(peer)


def test_authorities_that_cannot_be_read_are_told() -> None:
    with pytest.raises(CertificateFault):
        serving_context("1.2", "require", b"nothing")
