"""Services by TLS: whom the gateway believes, what it shows of itself, and that nothing is sent without the proof."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.supervisor.checks import securing
from gateway.trust import Trust
from gateway.upstream.cluster_settings import TlsSettings
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.certificates import read_pair
from meshway.model.secret import SecretRef
from meshway.outbound.health import HEALTH_CHECK, Check, ask, settings_of
from meshway.snapshot import Change
from meshway.tasks import spawn
from meshway.tls import harden, load_pair, trust
from tests.integration.gateway.test_decisions import saying
from tests.integration.gateway.test_mtls import bundle
from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.secrets import contents
from tests.parts.upstream import Received, RecordingUpstream

ROOT, OTHER, MESH_ROOT = Authority(), Authority("Other"), Authority("Mesh Root")
BOOKS = "spiffe://mesh.internal/ns/default/svc/books"
GATEWAY = "spiffe://mesh.internal/meshway/gateway/gw-1"


def server(issued: Issued, asks_by: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    harden(context)
    load_pair(context, read_pair(issued.certificate, issued.key, 0.0))
    if asks_by is not None:
        trust(context, asks_by.pem)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def policy(tls: dict[str, Any], **fields: Any) -> Change:
    # Each call is tried once, and no failure takes the one instance out.
    calm = {"retry": {"max_retries": 0}, "outlier_detection": {"enabled": False}}
    return document("TrafficPolicy", "p", {"targets": [{"service": "books"}], "tls": tls} | calm | fields)


@asynccontextmanager
async def books(tls: ssl.SSLContext, *changes: Change) -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    upstream = saying("books")
    async with upstream.running(tls):
        service = [running("books", "b-1", port=upstream.port), document("Route", "r", edge_route(to("books")))]
        async with compiled_gateway(*service, *changes) as gateway:
            gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
            yield gateway, upstream


async def fate(gateway: CompiledGateway) -> str:
    """The status, and why it is none of the service's."""
    status, _, _ = await gateway.ask()
    return "200" if status == 200 else f"{status} {gateway.lines[-1].get('detail', '')}"


@pytest.mark.proves("TrafficPolicy.tls", "UpstreamTls.mode", "UpstreamTls.ca")
async def test_a_service_is_believed_by_its_authority_and_its_name() -> None:
    async with books(server(ROOT.issue("127.0.0.1"))) as (gateway, upstream):
        assert (await fate(gateway)).startswith("502")  # spoken to without TLS
        gateway.apply(policy({}))
        assert "certificate" in await fate(gateway)  # no public authority knows it
        gateway.apply(policy({"ca": "ca"}))
        assert await fate(gateway) == "200"
        assert len(upstream.requests) == 1
        gateway.secrets.take(contents("ca", "ca_bundle", OTHER.pem.decode()))
        gateway.apply(policy({"ca": "ca", "sni": "books.example"}))
        assert "certificate" in await fate(gateway)
        gateway.apply(policy({"ca": "none"}))
        assert 'Secret "none" is not known here' in await fate(gateway)
        assert len(upstream.requests) == 1
        gateway.apply(policy({"mode": "off"}))
        assert (await fate(gateway)).startswith("502")


@pytest.mark.proves("UpstreamTls.sni", "UpstreamTls.subject_alt_names")
async def test_the_name_that_is_asked_for_or_pinned_is_verified() -> None:
    async with books(server(ROOT.issue("books.example", "spiffe://partner.example/books"))) as (gateway, upstream):
        for tls, is_good in (
            ({}, False),
            ({"sni": "other.example"}, False),
            ({"sni": "books.example"}, True),
            ({"subject_alt_names": ["other.example", "books.example"]}, True),
            ({"subject_alt_names": ["spiffe://partner.example/books"], "sni": "any.example"}, True),
            ({"subject_alt_names": ["spiffe://partner.example/book"]}, False),
            ({"sni": "books.example", "subject_alt_names": ["other.example"]}, False),
        ):
            gateway.apply(policy({"ca": "ca"} | tls))
            before = len(upstream.requests)
            assert (await fate(gateway) == "200") == is_good, tls
            assert len(upstream.requests) - before == int(is_good)


async def test_an_expired_certificate_is_refused_and_the_log_says_so() -> None:
    async with books(server(ROOT.issue("127.0.0.1", days=-0.01)), policy({"ca": "ca"})) as (gateway, _):
        assert "certificate has expired" in await fate(gateway)


@pytest.mark.proves("UpstreamTls.certificate")
async def test_the_gateway_shows_its_certificate_where_it_is_asked_to() -> None:
    own = OTHER.issue("gateway.example")
    async with books(server(ROOT.issue("127.0.0.1"), OTHER)) as (gateway, upstream):
        gateway.apply(policy({"ca": "ca"}))
        assert await fate(gateway) != "200"
        gateway.apply(policy({"ca": "ca", "mode": "mutual", "certificate": "own"}))
        assert 'Secret "own" is not known here' in await fate(gateway)
        data = {"certificate": own.certificate.decode(), "private_key": own.key.decode()}
        gateway.secrets.take(contents("own", "tls", data))
        assert await fate(gateway) == "200"
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("issued", "is_good"),
    [
        (MESH_ROOT.issue(BOOKS), True),
        (MESH_ROOT.issue(f"{BOOKS}/instance/b-1"), True),
        (MESH_ROOT.issue("spiffe://mesh.internal/ns/shop/svc/books"), False),
        (MESH_ROOT.issue(BOOKS, "spiffe://mesh.internal/ns/default/svc/films"), False),
        (MESH_ROOT.issue("127.0.0.1"), False),
        (ROOT.issue(BOOKS), False),
    ],
)
async def test_an_instance_of_the_mesh_must_be_the_service_that_is_called(issued: Issued, is_good: bool) -> None:
    roots = bundle(roots=(MESH_ROOT,))
    async with books(server(issued, MESH_ROOT), roots, policy({"mode": "mesh"})) as (gateway, upstream):
        assert "no certificate of the mesh" in await fate(gateway)
        own = MESH_ROOT.issue(GATEWAY)
        gateway.serving.take_identity(read_pair(own.certificate, own.key))
        assert (await fate(gateway) == "200") == is_good
        assert len(upstream.requests) == int(is_good)
        if is_good:
            assert await fate(gateway) == "200"
            assert {request.connection for request in upstream.requests} == {0}
            gateway.apply(bundle(issued, roots=(MESH_ROOT,)))
            assert "revoked" in await fate(gateway), "its connection was kept"


async def test_a_call_that_runs_while_its_instance_is_revoked_is_the_last_on_its_connection() -> None:
    issued, roots = MESH_ROOT.issue(BOOKS), (MESH_ROOT,)
    async with books(server(issued, MESH_ROOT), bundle(roots=roots), policy({"mode": "mesh"})) as (gateway, upstream):
        own = MESH_ROOT.issue(GATEWAY)
        gateway.serving.take_identity(read_pair(own.certificate, own.key))
        answer = upstream.pieces_of

        def revoke_and_answer(received: Received) -> list[bytes]:
            gateway.apply(bundle(issued, roots=roots))
            return answer(received)

        upstream.pieces_of = revoke_and_answer
        assert await fate(gateway) == "200"
        assert "revoked" in await fate(gateway)
        assert len(upstream.requests) == 1


async def test_connections_of_before_are_not_used_when_more_is_asked() -> None:
    async with books(server(ROOT.issue("127.0.0.1"))) as (gateway, upstream):
        gateway.apply(policy({"ca": "ca"}))
        assert [await fate(gateway), await fate(gateway)] == ["200", "200"]
        assert {request.connection for request in upstream.requests} == {0}
        gateway.apply(policy({"ca": "ca", "subject_alt_names": ["other.example"]}))
        assert "none of the names other.example" in await fate(gateway)


async def test_a_service_of_the_proxy_protocol_hears_of_the_caller_before_the_handshake() -> None:
    def serve(listening: socket.socket) -> bytes:
        """Byte by byte, so that nothing of the handshake is read with the line before it."""
        plain, _ = listening.accept()
        with plain:
            told = b""
            while not told.endswith(b"\r\n"):
                told += plain.recv(1)
            with server(ROOT.issue("127.0.0.1")).wrap_socket(plain, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbooks")
        return told

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10.0)
        serving = spawn(asyncio.to_thread(serve, listening), name="a service of the PROXY protocol")
        port = listening.getsockname()[1]
        service = [running("books", "b-1", port=port), document("Route", "r", edge_route(to("books")))]
        wanted = policy({"ca": "ca"}, connection={"proxy_protocol": "v1"})
        async with compiled_gateway(*service, wanted) as gateway:
            gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
            assert await fate(gateway) == "200"
            assert (await serving).startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")


async def test_health_checks_are_made_by_tls_too() -> None:
    async with saying("up").running(server(ROOT.issue("127.0.0.1"))) as upstream, compiled_gateway() as gateway:
        gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
        secure = securing(UpstreamContexts(gateway.secrets, Trust, lambda: None))
        for tls, failure in (
            (TlsSettings("simple", ca=SecretRef(secret="ca"), namespace="default"), ""),
            (TlsSettings("simple", ca=SecretRef(secret="ca"), namespace="default", sni="other.example"), "protocol"),
            (TlsSettings("simple", ca=SecretRef(secret="none"), namespace="default"), "protocol"),
        ):
            secured = ("default", "books", tls)
            check = Check("127.0.0.1", upstream.port, settings_of(HEALTH_CHECK), secured=secured)
            connection, why = await ask(check, None, secure=secure)
            assert why == failure
            if connection is not None:
                connection.abort()
