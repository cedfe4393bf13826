"""Hosts of the edge that a namespace has for itself."""

import time
from typing import Any

import pytest

from meshway.problem import Problem
from meshway.sealing import KEY_BYTES, Sealing
from registry.documents.applying import Apply, Written
from registry.documents.outcomes import Applied
from tests.parts.authority import Authority
from tests.parts.registry_bench import Bench, written

ROOT, SEALING = Authority(), Sealing(bytes(KEY_BYTES))


def namespace(name: str, *hosts: str) -> Written:
    return written("Namespace", name, {"edge_hosts": list(hosts)}, "mesh")


def route(namespace: str, *hosts: str, listener: str = "edge") -> Written:
    rule = {"respond": {"status": 200}}
    return written("Route", "r", {"hosts": list(hosts), "listeners": [listener], "rules": [rule]}, namespace)


def certificate(namespace: str, *hosts: str, **spec: Any) -> Written:
    source = spec or {"files": {"certificate": "c.pem", "key": "k.pem"}}
    return written("Certificate", "c", source | {"hosts": list(hosts)}, namespace)


def refusal(bench: Bench, *documents: Written) -> list[tuple[str | None, str, str]]:
    with pytest.raises(Problem) as raised:
        bench.apply(*documents)
    assert raised.value.status == 422
    return [(error.document, error.path, error.code) for error in raised.value.errors]


def test_others_may_not_name_a_host_that_a_namespace_has_for_itself() -> None:
    bench, code = Bench(), "forbidden_combination"
    bench.apply(namespace("pay", "pay.example", "*.pay.example"))
    for host in ("pay.example", "a.b.pay.example", "*.pay.example"):
        assert refusal(bench, route("shop", "shop.example", host)) == [("Route shop/r", "spec.hosts[1]", code)]
        assert refusal(bench, certificate("shop", host)) == [("Certificate shop/c", "spec.hosts[0]", code)]
        bench.apply(route("pay", host), certificate("pay", host))
    bench.apply(route("shop", "xpay.example", "*"), certificate("shop", "pay.example.net"))
    bench.apply(route("other", "pay.example", listener="mesh"), certificate("mesh", "pay.example"))


def test_a_host_that_is_in_use_elsewhere_is_nobodys_alone() -> None:
    bench = Bench()
    bench.apply(route("shop", "pay.example"))
    told = [("Namespace mesh/pay", "spec.edge_hosts", "forbidden_combination")]
    assert refusal(bench, namespace("pay", "pay.example")) == told
    bench.apply(namespace("pay", "pay.example"), route("shop", "shop.example"))
    assert refusal(bench, namespace("shop", "*.example"))[0][1:] == ("spec.edge_hosts[0]", "conflict")
    bench.apply(namespace("shop", "shop.example"))


def test_the_mesh_issues_for_names_of_the_namespace_alone() -> None:
    bench, code = Bench(), "forbidden_combination"
    bench.apply(namespace("pay", "*.pay.example"))
    found = refusal(
        bench, certificate("pay", "a.pay.example", "pay.example", "a.shop.mesh", "b.a.pay.example", mesh_ca={})
    )
    assert found == [("Certificate pay/c", f"spec.hosts[{at}]", code) for at in (1, 2, 3)]
    bench.apply(certificate("pay", "a.pay.example", "*.pay.example", "books.pay.mesh", "*.pay.mesh", mesh_ca={}))
    bench.apply(certificate("mesh", "pay.example", mesh_ca={}))
    told = [("Namespace mesh/pay", "spec.edge_hosts", code)]
    assert refusal(bench, namespace("pay")) == told
    bench.apply(namespace("pay"), certificate("pay", "books.pay.mesh", mesh_ca={}))


class Sealed(Bench):
    """One that can open Secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.at = time.time()

    def apply(self, *documents: Written, **_: Any) -> Applied:
        return self.commit(Apply(documents, (), "tests", sealing=SEALING))


def secret(*hosts: str, namespace: str = "shop") -> Written:
    issued = ROOT.issue(*hosts)
    data = {"certificate": issued.certificate.decode(), "private_key": issued.key.decode()}
    return written("Secret", "s", {"type": "tls", "data": data}, namespace)


def test_the_names_in_a_certificate_count_where_no_hosts_are_written() -> None:
    bench, told = Sealed(), [("Certificate shop/c", "spec.secret", "forbidden_combination")]
    bench.apply(namespace("pay", "pay.example"))
    shown = certificate("shop", secret="s")
    assert refusal(bench, secret("shop.example", "pay.example"), shown) == told
    bench.apply(secret("shop.example"), shown, secret("pay.example", namespace="pay"), certificate("pay", secret="s"))
    assert told[0] in refusal(bench, secret("pay.example"))  # its next contents, which are in conflict besides
    assert refusal(bench, namespace("other", "shop.example")) == [
        ("Namespace mesh/other", "spec.edge_hosts", "forbidden_combination")
    ]
    bench.apply(secret("shop.example", "pay.example"), certificate("shop", "shop.example", secret="s"))


def test_no_certificate_is_for_services_of_another_namespace() -> None:
    bench = Bench()
    told = [("Certificate shop/c", "spec.hosts[0]", "forbidden_combination")]
    for host in ("books.pay.mesh", "*.pay.mesh", "*.mesh"):
        assert refusal(bench, certificate("shop", host)) == told
        bench.apply(certificate("mesh", host))
    bench.apply(certificate("shop", "books.shop.mesh", "*.shop.mesh"))
