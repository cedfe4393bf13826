"""Whose a host is."""

import pytest

from meshway.edge_hosts import EdgeHosts, is_of_other_services

OWNED = EdgeHosts([("pay", ["pay.example", "*.pay.example"]), ("shop", ["a.shop.example"]), ("none", [])])


@pytest.mark.parametrize(
    ("host", "namespace", "other"),
    [
        ("pay.example", "shop", "pay"),
        ("a.b.pay.example", "shop", "pay"),
        ("*.b.pay.example", "shop", "pay"),
        ("*.example", "shop", "pay"),
        ("*.example", "pay", "shop"),
        ("pay.example", "pay", None),
        ("xpay.example", "shop", None),
        ("shop.example", "pay", None),
    ],
)
def test_a_host_is_of_whoever_lists_it_or_what_it_means(host: str, namespace: str, other: str | None) -> None:
    assert OWNED.other(host, namespace) == other


def test_a_certificate_is_for_hosts_that_nobody_else_has() -> None:
    assert OWNED.hosts.keys() == {"pay", "shop"}
    assert not OWNED.may_certify("pay.example", "shop")
    assert OWNED.may_certify("pay.example", "pay")
    assert OWNED.may_certify("pay.example", "mesh")
    assert OWNED.may_certify("free.example", "shop")
    assert not OWNED.may_certify("books.pay.mesh", "shop")
    assert OWNED.may_certify("books.pay.mesh", "mesh")


def test_names_of_services_are_their_namespace_s() -> None:
    for host in ("books.shop.mesh", "*.shop.mesh", "mesh.example"):
        assert not is_of_other_services(host, "shop")
    for host in ("books.pay.mesh", "*.pay.mesh", "*.mesh", "a.books.shop.mesh"):
        assert is_of_other_services(host, "shop")
