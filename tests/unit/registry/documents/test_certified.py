"""Certificates of Secrets, judged when either is written."""

import time
from typing import Any

import pytest

from meshway.problem import Problem
from meshway.sealing import KEY_BYTES, Sealing
from registry.documents.applying import Apply, Written
from registry.documents.outcomes import Applied
from tests.parts.authority import Authority, Issued
from tests.parts.registry_bench import Bench, written

ROOT, MIDDLE = Authority(), Authority("Middle", Authority())
SEALING = Sealing(bytes(KEY_BYTES))


def secret(issued: Issued, name: str = "shop-tls", namespace: str = "default", **spec: Any) -> Written:
    data = {"certificate": issued.certificate.decode(), "private_key": issued.key.decode()}
    return written("Secret", name, {"type": "tls", "data": data} | spec, namespace)


def certificate(*hosts: str, name: str = "shop", secret: str = "shop-tls") -> Written:
    return written("Certificate", name, {"secret": secret, "hosts": list(hosts)})


class Registry(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.at = time.time()

    def write(self, *documents: Written, sealing: Sealing | None = SEALING) -> Applied:
        return self.commit(Apply(documents, (), "tests", sealing=sealing))


def refusal(registry: Registry, *documents: Written) -> list[tuple[str | None, str, str]]:
    with pytest.raises(Problem) as raised:
        registry.write(*documents)
    assert raised.value.status == 422
    return [(error.document, error.path, error.code) for error in raised.value.errors]


@pytest.mark.parametrize("issuer", [ROOT, MIDDLE])
def test_each_written_host_is_covered(issuer: Authority) -> None:
    registry, issued = Registry(), issuer.issue("shop.example", "*.shop.example")
    found = refusal(registry, secret(issued), certificate("shop.example", "a.b.shop.example", "other.example"))
    name = "Certificate default/shop"
    assert found == [(name, "spec.hosts[1]", "not_covered"), (name, "spec.hosts[2]", "not_covered")]
    assert registry.write(secret(issued), certificate("pay.shop.example", "*.shop.example")).warnings == []
    assert registry.write(certificate()).warnings == []


def test_a_secret_s_next_contents_are_judged_by_the_certificates_that_are_there() -> None:
    registry = Registry()
    registry.write(secret(ROOT.issue("shop.example")), certificate("shop.example"))
    registry.write(
        secret(ROOT.issue("pay.example"), "pay-tls"), certificate("pay.example", name="pay", secret="pay-tls")
    )
    name = "Certificate default/shop"
    assert refusal(registry, secret(ROOT.issue("b.example"))) == [(name, "spec.hosts[0]", "not_covered")]
    assert registry.write(secret(ROOT.issue("b.example")), certificate("b.example")).warnings == []


def test_a_shared_secret_is_judged_for_whoever_refers_to_it() -> None:
    registry = Registry()
    shared = secret(ROOT.issue("shop.example"), namespace="mesh", share_with=["*"])
    assert refusal(registry, shared, certificate("b.example"))
    assert registry.write(shared, certificate("shop.example")).warnings == []


@pytest.mark.parametrize(("days", "is_told"), [(30.0, False), (20.0, True), (3.0, False), (0.2, True)])
def test_an_end_that_is_near_is_told(days: float, is_told: bool) -> None:
    """Each began a day ago; of lives of a week at most a quarter is near."""
    registry = Registry()
    issued = ROOT.issue("shop.example", days=days)
    told = [(each.code, each.path) for each in registry.write(secret(issued), certificate("shop.example")).warnings]
    assert told == ([("expires_soon", "spec.secret")] if is_told else [])


def test_what_cannot_be_opened_here_is_left_to_the_gateways() -> None:
    registry = Registry()
    registry.write(secret(ROOT.issue("shop.example")))
    for name, sealing in (("a", None), ("b", Sealing(b"\1" * KEY_BYTES))):
        assert registry.write(certificate("b.example", name=name), sealing=sealing).warnings == []


def test_what_may_not_serve_is_refused_with_the_certificate_that_is_of_it() -> None:
    registry, name = Registry(), "Certificate default/shop"
    for issued in (
        ROOT.issue("shop.example", days=-0.1),
        ROOT.issue("shop.example", must_staple=True),
        ROOT.issue("shop.example", has_names=False),
        ROOT.issue("shop.example", rsa_bits=1024),
    ):
        assert refusal(registry, secret(issued), certificate()) == [(name, "spec.secret", "bad_pem")]
    registry.write(secret(ROOT.issue("shop.example", has_names=False), "client-tls"))  # what nobody is shown may
    registry.write(secret(ROOT.issue("shop.example")), certificate())


def test_a_chain_in_another_order_is_mended_and_told() -> None:
    registry, issued = Registry(), MIDDLE.issue("shop.example")
    _, _, above = issued.certificate.partition(b"-----END CERTIFICATE-----\n")
    leaf = issued.certificate.removesuffix(above)
    for text, told in ((leaf + above, []), (above + leaf, [("chain_reordered", "spec.secret")])):
        data = {"certificate": text.decode(), "private_key": issued.key.decode()}
        found = registry.write(written("Secret", "shop-tls", {"type": "tls", "data": data}), certificate())
        assert [(each.code, each.path) for each in found.warnings] == told


@pytest.mark.parametrize(
    ("expiry", "is_told"), [({"warn": "720h"}, True), ({"warn": "480h"}, False), ({"critical": "696h"}, True)]
)
def test_an_end_is_told_as_early_as_it_was_asked_for(expiry: dict[str, str], is_told: bool) -> None:
    registry = Registry()
    registry.write(secret(ROOT.issue("shop.example", days=28.0)))
    told = registry.write(written("Certificate", "shop", {"secret": "shop-tls", "expiry": expiry})).warnings
    assert [each.code for each in told] == (["expires_soon"] if is_told else [])


def test_two_of_one_kind_of_key_for_a_host_of_a_listener_are_in_conflict() -> None:
    registry, rsa = Registry(), ROOT.issue("shop.example", rsa_bits=2048)
    registry.write(secret(ROOT.issue("shop.example", "*.shop.example")), certificate())
    registry.write(secret(rsa, "rsa-tls"), certificate(name="rsa", secret="rsa-tls"))
    registry.write(secret(ROOT.issue("a.shop.example"), "a-tls"), certificate(name="a", secret="a-tls"))
    other, told = ROOT.issue("pay.example", "shop.example"), ("Certificate default/b", "spec.hosts", "conflict")
    registry.write(secret(other, "b-tls"))
    assert refusal(registry, certificate(name="b", secret="b-tls")) == [told]
    registry.write(certificate("pay.example", name="b", secret="b-tls"))
    on_the_mesh = written("Certificate", "c", {"secret": "b-tls", "listeners": ["mesh-tls"], "hosts": ["shop.example"]})
    registry.write(on_the_mesh)
    replaced = secret(ROOT.issue("shop.example"), "rsa-tls")  # by one of the other's kind
    assert refusal(registry, replaced) == [("Certificate default/rsa", "spec.hosts", "conflict")]
    registry.write(
        replaced, certificate("shop.example", name="rsa", secret="rsa-tls"), *[certificate("*.shop.example")]
    )
    assert refusal(registry, written("Certificate", "d", {"mesh_ca": {}, "hosts": ["shop.example"]}))
