"""Principals of certificates, and what services are told of them."""

import pytest

from gateway.authentication.certificate_method import CertificateMethod, client_certificate_line
from gateway.authentication.proof import Fault, Proof
from meshway.model.authentication import CertifiedName, Mtls
from meshway.model.match import StringMatch
from meshway.peer_certificate import read_peer
from tests.parts.authority import Authority

ROOT = Authority()
CART = "spiffe://mesh.internal/ns/shop/svc/cart"


def method(spec: Mtls, trust: str = "partners", domain: str = "mesh.internal") -> CertificateMethod:
    return CertificateMethod(spec, "Authentication shop/a", trust, lambda: domain, lambda: 0.0)


def test_a_workload_is_named_by_its_one_uri() -> None:
    proof = method(Mtls(), "mesh").judge(ROOT.issue(CART).der)
    assert isinstance(proof, Proof)
    principal = proof.principal
    assert (principal.name, principal.namespace, principal.service, principal.method) == (CART, "shop", "cart", "mtls")
    assert principal.policy == "Authentication shop/a"


@pytest.mark.parametrize("names", [(CART, f"{CART}2"), ("cart.shop.mesh",), ("spiffe://other/ns/shop/svc/cart",)])
def test_what_names_no_workload_of_ours_proves_nothing(names: tuple[str, ...]) -> None:
    assert isinstance(method(Mtls(), "mesh").judge(ROOT.issue(*names).der), Fault)
    assert isinstance(method(Mtls(), "mesh", domain="").judge(ROOT.issue(CART).der), Fault)


def test_another_authoritys_name_is_the_first_that_the_certificate_has() -> None:
    der = ROOT.issue("a.example", "a@b.example", subject="Somebody").der
    orders: list[tuple[tuple[CertifiedName, ...], str]] = [
        (("email", "dns"), "a@b.example"),
        (("uri", "dns"), "a.example"),
        (("subject",), "CN=Somebody"),
    ]
    for order, name in orders:
        proof = method(Mtls(principal=order)).judge(der)
        assert isinstance(proof, Proof)
        assert (proof.principal.name, proof.principal.service) == (f"x509:partners:{name}", "")
    assert isinstance(method(Mtls(principal=("uri",))).judge(der), Fault)


def test_only_names_that_are_allowed_pass() -> None:
    spec = Mtls(allowed=("a.example", StringMatch(suffix=".b.example")))
    judged = [method(spec).judge(ROOT.issue(name).der) for name in ("a.example", "x.b.example", "b.example")]
    assert [isinstance(each, Proof) for each in judged] == [True, True, False]


def test_what_the_service_is_told_is_quoted() -> None:
    line = client_certificate_line(read_peer(ROOT.issue(CART, "a.example", subject='A "B"; C').der, "mesh"))
    assert line.startswith(b"X-Forwarded-Client-Cert: Hash=")
    # RFC 4514 has escaped it once.
    subject = rb'Subject="CN=A \\\"B\\\"\\; C"'
    assert subject + b';URI="%b";DNS="a.example"\r\n' % CART.encode() in line
    assert b'Cert="-----BEGIN%20CERTIFICATE-----%0A' in line
    assert line.count(b"\r\n") == 1
