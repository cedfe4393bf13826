"""Namespaces that are strict: who may call their services, and how their instances are called."""

import pytest

from gateway.exchange import EDGE, MESH
from meshway.certificates import read_pair
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.integration.gateway.test_mtls import BOOKS, CART, MESH_ROOT, SERVING, ask, bundle
from tests.integration.gateway.test_tls import certificate, hold
from tests.integration.gateway.test_upstream_tls import BOOKS as BOOKS_NAME
from tests.integration.gateway.test_upstream_tls import GATEWAY, fate, policy, server
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway

CALM = {"retry": {"max_retries": 0}, "outlier_detection": {"enabled": False}}
PLAIN = document("TrafficPolicy", "p", {"targets": [{"service": "books"}], "tls": {"mode": "off"}} | CALM)
FORWARDED = f"Forwarded: for=spiffe\r\nX-Forwarded-Client-Cert: URI={CART}\r\n"


def mesh(mtls: str) -> Change:
    return document("MeshSettings", "mesh", {"mtls": mtls}, "mesh")


def namespace(mtls: str, name: str = "default") -> Change:
    return document("Namespace", name, {"mtls": mtls}, "mesh")


def show_itself(gateway: CompiledGateway) -> None:
    own = MESH_ROOT.issue(GATEWAY)
    gateway.serving.take_identity(read_pair(own.certificate, own.key))


@pytest.mark.proves("MeshSettings.mtls", "Namespace.mtls")
async def test_callers_of_a_strict_service_show_a_certificate_of_the_mesh() -> None:
    own = MESH_ROOT.issue(CART)
    async with saying("books").running(server(MESH_ROOT.issue(BOOKS_NAME), MESH_ROOT)) as upstream:
        shown = certificate(hosts=[BOOKS], listeners=["mesh-tls"])
        by_mesh = policy({"mode": "mesh"})
        service = (running("books", "b-1", port=upstream.port), shown, bundle(), by_mesh)
        async with compiled_gateway(*service, face=MESH) as gateway:
            hold(gateway, SERVING.issue(BOOKS))
            show_itself(gateway)

            async def fates() -> list[int]:
                """Of who shows a certificate, who shows none, and who comes without TLS and says he had one."""
                by_tls = [(await ask(gateway, each))[0] for each in (own, None)]
                return [*by_tls, (await gateway.ask(host=BOOKS, fields=FORWARDED))[0]]

            assert await fates() == [200, 200, 200]
            for change, by in (
                (mesh("strict"), "MeshSettings mesh/mesh"),
                (namespace("strict"), "Namespace mesh/default"),
            ):
                gateway.apply(change)
                before = len(upstream.requests)
                assert await fates() == [200, 403, 403]
                assert len(upstream.requests) == before + 1
                assert (gateway.lines[-1]["policy"], gateway.lines[-1]["reason"]) == (by, "denied")
                assert "certificate of the mesh" in gateway.lines[-1]["detail"]
            gateway.apply(namespace("permissive"))
            assert await fates() == [200, 200, 200]
            gateway.apply(gone("Namespace", "default", "mesh"))
            assert await fates() == [200, 403, 403]
            gateway.apply(gone("MeshSettings", "mesh", "mesh"))
            assert await fates() == [200, 200, 200]


async def test_instances_of_a_strict_service_are_called_by_tls_of_the_mesh_alone() -> None:
    """At the edge, whose calls go on: there the gateway shows who it is."""
    async with saying("books").running() as upstream:
        service = (running("books", "b-1", port=upstream.port), document("Route", "r", edge_route(to("books"))))
        async with compiled_gateway(*service, bundle(), PLAIN) as gateway:
            show_itself(gateway)
            assert await fate(gateway) == "200"
            gateway.apply(namespace("strict"))  # connections of before are not used, either
            assert (await fate(gateway)).startswith("502")
            assert len(upstream.requests) == 1
            gateway.apply(namespace("permissive"))
            assert await fate(gateway) == "200"


@pytest.mark.parametrize(
    ("name", "is_good"), [(BOOKS_NAME, True), ("spiffe://mesh.internal/ns/default/svc/films", False)]
)
async def test_an_instance_of_a_strict_service_shows_its_name(name: str, is_good: bool) -> None:
    async with saying("books").running(server(MESH_ROOT.issue(name), MESH_ROOT)) as upstream:
        service = (running("books", "b-1", port=upstream.port), document("Route", "r", edge_route(to("books"))))
        async with compiled_gateway(*service, bundle(), PLAIN, mesh("strict"), face=EDGE) as gateway:
            show_itself(gateway)
            assert (await fate(gateway) == "200") == is_good
            assert len(upstream.requests) == int(is_good)


async def test_who_stands_in_for_a_service_is_asked_for_as_itself() -> None:
    """A share of the calls, and a Route that leads into a strict namespace from one that is not."""
    async with saying("films").running(server(MESH_ROOT.issue(BOOKS_NAME), MESH_ROOT)) as upstream:
        split = {"destinations": [{"service": "films"}, {"service": "books", "namespace": "cinema", "weight": 0}]}
        by_route = edge_route(split, hosts=["films"], listeners=["mesh"])
        crossing = document("MeshSettings", "mesh", {"cross_namespace": "allow"}, "mesh")
        service = (
            running("films", "f-1", port=1),
            running("books", "b-1", "cinema", port=upstream.port),
            document("Route", "r", by_route),
        )
        strict = namespace("strict", "cinema")
        async with compiled_gateway(*service, crossing, strict, bundle(), face=MESH) as gateway:
            status, _, _ = await gateway.ask(host="films")
            assert status in (502, 503)  # nobody is there, but it may be called
            split["destinations"] = [{"service": "films", "weight": 0}, {"service": "books", "namespace": "cinema"}]
            gateway.apply(document("Route", "r", by_route))
            status, _, body = await gateway.ask(host="films")
            assert status == 403
            assert '"policy":"Namespace mesh/cinema"' in body
            assert upstream.requests == []
