"""Callers who show a certificate of their own: who they are, what they may, and when it does not hold any more."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.exchange import EDGE, MESH
from meshway.certificates import read_pair
from meshway.identity import serial_hash
from meshway.snapshot import Change, SecretContents, SecretFrame
from meshway.tls import client_context
from tests.integration.gateway.test_decisions import saying
from tests.integration.gateway.test_service_token import CART as OF_TOKEN
from tests.integration.gateway.test_service_token import jwk, said, shown
from tests.integration.gateway.test_tls import certificate, hold, listener
from tests.parts.authority import Authority, Issued
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.upstream import RecordingUpstream

SERVING, MESH_ROOT, PARTNERS = Authority(), Authority("Mesh Root"), Authority("Partners")
CART = "spiffe://mesh.internal/ns/shop/svc/cart"
BOOKS = "books.default.mesh"


def bundle(*revoked: Issued, roots: tuple[Authority, ...] = (MESH_ROOT,)) -> Change:
    serials = [f"{serial_hash(each.leaf.serial_number):016x}" for each in revoked]
    spec = {"trust_domain": "mesh.internal", "generation": 1, "roots": [root.pem.decode() for root in roots]}
    return document("TrustBundle", "mesh", spec | {"revoked": serials}, "mesh")


def secret(authority: Authority, *older: Authority, name: str = "partners") -> SecretFrame:
    versions = [SecretContents(None, authority.pem.decode())]
    versions += [SecretContents(2e9, each.pem.decode()) for each in older]
    return SecretFrame(namespace="mesh", name=name, type="ca_bundle", share_with=["*"], versions=versions)


def showing(own: Issued | None) -> ssl.SSLContext:
    pair = None if own is None else read_pair(own.certificate, own.key, 0.0)
    return client_context(SERVING.pem, pair)


@asynccontextmanager
async def books(*changes: Change, face: int = MESH) -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    """Reached as books.default.mesh on the mesh and by any host at the edge."""
    async with saying("books").running() as upstream:
        shown = certificate(hosts=[BOOKS], listeners=["edge-tls", "mesh-tls"])
        service = [
            running("books", "b-1", port=upstream.port),
            document("Route", "r", edge_route(to("books"), hosts=["*"])),
        ]
        async with compiled_gateway(*service, shown, *changes, face=face) as gateway:
            hold(gateway, SERVING.issue(BOOKS))
            yield gateway, upstream


async def ask(gateway: CompiledGateway, own: Issued | None) -> tuple[int, str]:
    """Status, or 0 and the alert that ended the handshake; and the principal of the access log."""

    def call() -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=10.0) as plain:
            try:
                with showing(own).wrap_socket(plain, server_hostname=BOOKS) as tls:
                    tls.sendall(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\nConnection: close\r\n\r\n".encode())
                    head = tls.recv(4096)  # of a refused certificate TLS 1.3 tells here
            except (ssl.SSLError, ConnectionError) as error:
                return 0, getattr(error, "reason", None) or type(error).__name__
            return (int(head.split()[1]), "") if head else (0, "closed")

    status, alert = await asyncio.to_thread(call)
    return (status, alert) if not status else (status, str(gateway.lines[-1].get("principal", "")))


def policy(**fields: Any) -> Change:
    return document("AccessPolicy", "p", {"targets": [{"service": "books"}]} | fields)


async def test_a_certificate_of_the_mesh_names_its_service() -> None:
    async with books(bundle()) as (gateway, _):
        assert await ask(gateway, MESH_ROOT.issue(CART)) == (200, CART)
        assert (await ask(gateway, MESH_ROOT.issue(f"{CART}/instance/c-1")))[1] == CART
        assert (await ask(gateway, None))[0] == 200


@pytest.mark.parametrize(
    "issued",
    [
        MESH_ROOT.issue(CART, "spiffe://mesh.internal/ns/shop/svc/other"),
        MESH_ROOT.issue("cart.shop.mesh"),
        MESH_ROOT.issue("spiffe://other.example/ns/shop/svc/cart"),
        MESH_ROOT.issue("spiffe://mesh.internal/ns/Shop/svc/cart"),
        MESH_ROOT.issue("https://mesh.internal/ns/shop/svc/cart"),
        MESH_ROOT.issue(CART, days=-0.01),
        MESH_ROOT.issue(CART, begins_days=1.0),
        PARTNERS.issue(CART),
    ],
)
async def test_a_certificate_that_names_nobody_of_ours_lets_nobody_in(issued: Issued) -> None:
    async with books(bundle()) as (gateway, upstream):
        assert (await ask(gateway, issued))[0] == 0
        assert upstream.requests == []
        assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 200


async def test_a_token_beside_the_certificate_makes_nobody_else_of_the_caller() -> None:
    spec = {"trust_domain": "mesh.internal", "generation": 1, "roots": [MESH_ROOT.pem.decode()], "token_keys": [jwk()]}
    async with books(document("TrustBundle", "mesh", spec, "mesh")) as (gateway, _):
        for own, name in ((MESH_ROOT.issue(CART), CART), (None, OF_TOKEN)):
            tls = await gateway.open_tls(showing(own), BOOKS)
            tls.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n{shown(said())}\r\n".encode())
            assert (await tls.answer())[0] == 200
            tls.writer.close()
            assert gateway.lines[-1]["principal"] == name


@pytest.mark.proves("AccessCaller.service")
async def test_a_policy_lets_services_in_by_their_certificate() -> None:
    async with books(
        bundle(), policy(rules=[{"action": "allow", "from": [{"namespace": "shop", "service": "cart"}]}])
    ) as (
        gateway,
        _,
    ):
        assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 200
        for other in ("spiffe://mesh.internal/ns/shop/svc/stock", "spiffe://mesh.internal/ns/default/svc/cart"):
            assert (await ask(gateway, MESH_ROOT.issue(other)))[0] == 403
        assert (await ask(gateway, None))[0] == 403
        gateway.apply(policy(rules=[{"action": "allow", "from": [{"service": "cart"}]}]))
        assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 403
        assert (await ask(gateway, MESH_ROOT.issue("spiffe://mesh.internal/ns/default/svc/cart")))[0] == 200


async def test_a_policy_lets_the_services_of_a_namespace_in() -> None:
    for via in ({}, {"via": "call"}):
        rules = [{"action": "allow", "from": [{"namespace": "shop", **via}]}]
        async with books(bundle(), policy(rules=rules)) as (gateway, _):
            assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 200
            assert (await ask(gateway, MESH_ROOT.issue("spiffe://mesh.internal/ns/other/svc/cart")))[0] == 403
            assert (await ask(gateway, None))[0] == 403
    async with books(
        bundle(), policy(rules=[{"action": "allow", "from": [{"namespace": "shop", "via": "route"}]}])
    ) as (
        gateway,
        _,
    ):
        assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 403


async def test_a_revoked_certificate_is_refused_at_the_next_request_and_the_next_handshake() -> None:
    stolen, sound = MESH_ROOT.issue(CART), MESH_ROOT.issue(CART)
    async with books(bundle()) as (gateway, _):
        for own, after in ((stolen, 401), (sound, 200)):
            gateway.apply(bundle())
            caller = await gateway.open_tls(showing(own), BOOKS)
            caller.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n\r\n".encode())
            assert (await caller.answer())[0] == 200
            gateway.apply(bundle(stolen))
            caller.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n\r\n".encode())
            status, head, _ = await caller.answer()
            assert status == after
            assert (b"certificate_void" in head) == (after == 401)
            caller.writer.close()
        assert (await ask(gateway, stolen))[0] == 401
        line = gateway.lines[-1]
        assert (line["status"], line["policy"]) == (401, "listener mesh-tls")


async def test_a_call_that_runs_ends_with_the_certificate_of_its_caller() -> None:
    stolen, sound = MESH_ROOT.issue(CART), MESH_ROOT.issue(CART)
    async with books(bundle()) as (gateway, upstream):
        upstream.pieces_of = lambda _: []  # never answers
        callers = []
        for own in (stolen, sound):
            caller = await gateway.open_tls(showing(own), BOOKS)
            caller.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n\r\n".encode())
            callers.append(caller)
        await until(lambda: len(upstream.requests) == 2, what="two calls at the service")
        gateway.apply(bundle(stolen))
        assert await asyncio.wait_for(callers[0].reader.read(), 10.0) == b""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(callers[1].reader.read(1), 0.3)
        for caller in callers:
            caller.writer.close()


@pytest.mark.proves("Identity.revocation_stale")
async def test_whoever_may_be_revoked_unheard_is_not_believed_where_that_is_asked_for() -> None:
    closed = document("MeshSettings", "mesh", {"identity": {"revocation_stale": "closed"}}, "mesh")
    spec = {"trust_domain": "mesh.internal", "generation": 1, "roots": [MESH_ROOT.pem.decode()], "token_keys": [jwk()]}
    trusted, own, token = document("TrustBundle", "mesh", spec, "mesh"), MESH_ROOT.issue(CART), shown(said())
    async with books(trusted) as (gateway, _):

        async def statuses(open_tls: Any) -> list[int]:
            open_tls.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n\r\n".encode())
            by_token = (await gateway.ask(host=BOOKS, fields=token))[0]
            return [(await open_tls.answer())[0], (await ask(gateway, own))[0], by_token, (await ask(gateway, None))[0]]

        caller = await gateway.open_tls(showing(own), BOOKS)
        gateway.leap(4_000.0)
        assert await statuses(caller) == [200] * 4
        gateway.apply(closed)
        gateway.leap(2.0)  # an open connection is judged each second
        assert await statuses(caller) == [401, 401, 401, 200]
        gateway.serving.heard(0.0)
        caller.writer.close()
        caller = await gateway.open_tls(showing(own), BOOKS)
        assert await statuses(caller) == [200] * 4
        gateway.leap(3_500.0)
        assert await statuses(caller) == [200] * 4
        gateway.serving.heard(3_700.0)
        assert (await statuses(caller))[1:] == [401, 401, 200]
        caller.writer.close()


async def test_roots_are_changed_while_callers_come() -> None:
    new = Authority("New Root")
    async with books(bundle()) as (gateway, _):
        assert (await ask(gateway, new.issue(CART)))[0] == 0
        gateway.apply(bundle(roots=(MESH_ROOT, new)))
        assert [(await ask(gateway, root.issue(CART)))[0] for root in (MESH_ROOT, new)] == [200, 200]
        gateway.apply(bundle(roots=(new,)))
        assert [(await ask(gateway, root.issue(CART)))[0] for root in (MESH_ROOT, new)] == [0, 200]


@pytest.mark.proves("ListenerTls.client_auth", "ListenerTls.trust")
async def test_a_listener_asks_for_certificates_of_its_own_authority() -> None:
    async with books(bundle(), face=EDGE) as (gateway, _):
        partner = PARTNERS.issue("partner.example")
        assert await ask(gateway, partner) == (200, "")  # nobody asks for it
        gateway.apply(listener(tls={"client_auth": "require", "trust": "partners"}))
        assert (await ask(gateway, partner))[0] == 0  # while nobody can say that it holds, nobody comes in
        gateway.secrets.take(secret(PARTNERS))
        assert (await ask(gateway, partner))[0] == 200
        assert (await ask(gateway, None))[0] == 0
        assert (await ask(gateway, MESH_ROOT.issue(CART)))[0] == 0
        gateway.secrets.take(secret(MESH_ROOT, PARTNERS))  # of the older version until its end
        assert (await ask(gateway, partner))[0] == 200
        gateway.apply(listener(tls={"client_auth": "optional", "trust": "partners"}))
        assert (await ask(gateway, None))[0] == 200


async def test_an_older_version_of_an_authority_is_believed_until_its_end_and_as_people_write_it() -> None:
    end = time.time() + 1.0
    following = "# Autorité\n" + MESH_ROOT.pem.decode().rstrip()
    older = SecretContents(end, PARTNERS.pem.decode().rstrip())
    told = SecretFrame(
        namespace="mesh",
        name="partners",
        type="ca_bundle",
        share_with=[],
        versions=[SecretContents(None, following), older],
    )
    asked = listener(tls={"client_auth": "require", "trust": "partners"})
    async with books(bundle(), asked, face=EDGE) as (gateway, _):
        gateway.secrets.take(told)
        mine, partner = MESH_ROOT.issue("partner.example"), PARTNERS.issue("partner.example")
        assert (await ask(gateway, mine))[0] == 200
        await until(lambda: time.time() >= end)
        gateway.serving.beat()
        assert [(await ask(gateway, own))[0] for own in (partner, mine)] == [0, 200]


@pytest.mark.proves("AuthenticationMethod.mtls", "Mtls.trust", "Mtls.principal", "Mtls.allowed")
async def test_a_partners_certificate_names_him_and_no_service_of_ours() -> None:
    def authentication(**fields: Any) -> Change:
        return document("Authentication", "a", {"targets": [{"service": "books"}], "methods": [{"mtls": fields}]})

    asked = listener(tls={"client_auth": "optional", "trust": "partners"})
    async with books(bundle(), asked, authentication(trust="partners"), face=EDGE) as (gateway, _):
        gateway.secrets.take(secret(PARTNERS))
        partner = PARTNERS.issue("partner.example", "ops@partner.example")
        assert await ask(gateway, partner) == (200, "x509:partners:partner.example")
        assert (await ask(gateway, None))[0] == 401
        assert (await ask(gateway, PARTNERS.issue(CART, "partner.example")))[0] == 0
        gateway.apply(authentication(trust="partners", principal=["email", "dns"]))
        assert await ask(gateway, partner) == (200, "x509:partners:ops@partner.example")
        gateway.apply(authentication(trust="partners", allowed=[{"suffix": ".partner.example"}]))
        assert (await ask(gateway, partner))[0] == 401
        assert (await ask(gateway, PARTNERS.issue("a.partner.example")))[0] == 200
        gateway.apply(authentication())  # of the mesh, which this listener does not believe
        assert (await ask(gateway, partner))[0] == 401


async def test_a_listener_names_the_authority_it_believes_now_though_both_hold_the_same_certificates() -> None:
    named = document("Authentication", "a", {"targets": [{"service": "books"}], "methods": [{"mtls": {"trust": "b"}}]})
    asked = (listener(tls={"client_auth": "optional", "trust": name}) for name in ("a", "b"))
    async with books(bundle(), next(asked), named, face=EDGE) as (gateway, _):
        gateway.secrets.take(secret(PARTNERS, name="a"))
        gateway.secrets.take(secret(PARTNERS, name="b"))
        partner = PARTNERS.issue("partner.example")
        assert (await ask(gateway, partner))[0] == 401
        gateway.apply(next(asked))
        assert await ask(gateway, partner) == (200, "x509:b:partner.example")


@pytest.mark.proves("Mtls.forward_certificate")
async def test_the_service_is_told_of_the_certificate_and_never_by_the_caller() -> None:
    def authentication(*, forward: bool) -> Change:
        method = {"mtls": {"forward_certificate": forward}}
        return document("Authentication", "a", {"targets": [{"service": "books"}], "methods": [method]})

    own = MESH_ROOT.issue(CART)
    async with books(bundle(), authentication(forward=False)) as (gateway, upstream):
        for forward in (False, True):
            gateway.apply(authentication(forward=forward))
            tls = await gateway.open_tls(showing(own), BOOKS)
            forged = "X-Forwarded-Client-Cert: URI=spiffe://mesh.internal/ns/shop/svc/admin\r\n"
            tls.send(f"GET / HTTP/1.1\r\nHost: {BOOKS}\r\n{forged}\r\n".encode())
            assert (await tls.answer())[0] == 200
            tls.writer.close()
            told = upstream.requests[-1].values(b"x-forwarded-client-cert")
            assert len(told) == int(forward)
            assert all(b"admin" not in each for each in told)
        assert f'URI="{CART}"'.encode() in told[0]
        assert told[0].startswith(b"Hash=")
