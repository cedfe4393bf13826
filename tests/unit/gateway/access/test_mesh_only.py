"""Who may call a strict service: by what the caller's connection has proved, whatever else he says."""

import pytest

from gateway.access.mesh_only import mesh_only
from gateway.exchange import EDGE, MESH
from meshway.identity import Principal
from meshway.peer_certificate import PeerCertificate
from tests.parts.authority import Authority
from tests.parts.calls import call

CART = "spiffe://mesh.internal/ns/shop/svc/cart"
OWN = Authority().issue(CART).leaf
STEP = mesh_only("Namespace mesh/shop")


@pytest.mark.parametrize("authority", ["", "mesh/partners", "mesh"])
def test_a_caller_of_the_mesh_shows_a_certificate_of_the_mesh(authority: str) -> None:
    exchange = call(listener=MESH)
    if authority:
        exchange.certificate = PeerCertificate(OWN, b"", authority)
    # As a service token says it, which is believed elsewhere.
    exchange.principal = Principal(name=CART, method="service_token", namespace="shop", service="cart")
    reply, [told] = STEP.run(exchange), STEP.forecast(exchange)
    if authority == "mesh":
        assert reply is None
        assert (told.verdict, told.reply) == ("pass", None)
        return
    assert reply is not None
    assert (reply.status, reply.policy) == (403, "Namespace mesh/shop")
    assert "certificate" in reply.detail
    assert (told.verdict, told.reply, told.document) == ("refuse", reply, "Namespace mesh/shop")


def test_calls_of_the_edge_go_on() -> None:
    exchange = call(listener=EDGE)
    assert STEP.run(exchange) is None
    assert [told.verdict for told in STEP.forecast(exchange)] == ["pass"]
