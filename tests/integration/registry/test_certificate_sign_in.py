"""Services and gateways sign in at a registry by the certificates of their connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshway.certificates import read_pair
from meshway.client.credential import Key
from meshway.tls import client_context
from registry.encryption import Encryption
from registry.rights.caller import TRUSTED
from tests.parts.authority import Authority, Issued
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import Answer, RawClient

SERVER = Authority("Of the registry")
BOOKS, FILMS = (f"/v1/namespaces/shop/services/{name}/instances/one" for name in ("books", "films"))
PORT = {"port": 9000}


def encrypted(folder: Path) -> Encryption:
    issued = SERVER.issue("127.0.0.1", "localhost")
    (folder / "own.pem").write_bytes(issued.certificate)
    (folder / "own.key").write_bytes(issued.key)
    return Encryption(folder / "own.pem", folder / "own.key")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in, and the mesh has an authority."""
    async with running_registry(tmp_path, encrypted(tmp_path), trusts_loopback=False) as running:
        await running.core.identity.custody.begin("mesh.internal")
        await running.core.identity.publisher.publish()
        yield running


async def enrolled(registry: RunningRegistry, subject: str) -> ssl.SSLContext:
    """What shows a certificate for the subject."""
    key, enrolment = Key(), registry.core.identity.enrolment
    token = await enrolment.create(subject, by=TRUSTED.principal.name, ttl_s=60.0, cidr="")
    issued = await enrolment.enrol(token.token, key.signing_request(), peer="127.0.0.1")
    return client_context(SERVER.pem, read_pair(issued.certificate.encode(), key.pem.encode()))


def showing(issued: Issued) -> ssl.SSLContext:
    return client_context(SERVER.pem, read_pair(issued.certificate, issued.key))


async def ask(
    registry: RunningRegistry, tls: ssl.SSLContext, method: str, path: str, body: object = None, *lines: str
) -> Answer:
    async with RawClient(registry.port, tls=tls) as client:
        return await client.call(method, path, body, *lines)


async def test_a_service_registers_itself_and_nobody_else(strict: RunningRegistry) -> None:
    books = await enrolled(strict, "shop/books")
    assert (await ask(strict, books, "PUT", BOOKS, PORT)).status == 201
    assert (await ask(strict, books, "GET", BOOKS)).status == 200
    assert (await ask(strict, books, "PUT", FILMS, PORT)).status == 404
    assert (await ask(strict, books, "GET", "/v1/tokens")).status == 403
    assert (await ask(strict, books, "GET", "/v1/feed?node=gw")).status == 403
    session = (await ask(strict, books, "GET", "/v1/session")).json
    assert session["principal"] == "spiffe://mesh.internal/ns/shop/svc/books"
    assert session["service"] == "shop/books"
    nobody = await ask(strict, client_context(SERVER.pem), "PUT", BOOKS, PORT)
    assert (nobody.status, nobody.json["code"]) == (401, "not_signed_in")


async def test_a_gateway_follows_the_feed_and_writes_nothing(strict: RunningRegistry) -> None:
    gateway = await enrolled(strict, "gateway/gw-1")
    async with RawClient(strict.port, tls=gateway) as client:
        client.send("GET", "/v1/feed?node=gw-1")
        assert (await client.head()).status == 200
    assert (await ask(strict, gateway, "PUT", BOOKS, PORT)).status == 404


async def test_a_token_alone_says_who_calls(strict: RunningRegistry) -> None:
    books = await enrolled(strict, "shop/books")
    films = await bearer(strict, "films", service="shop/films")
    assert (await ask(strict, books, "PUT", FILMS, PORT, films)).status == 201
    assert (await ask(strict, books, "PUT", BOOKS, PORT, films)).status == 404
    unknown = await ask(strict, books, "PUT", BOOKS, PORT, "Authorization: Bearer mwt_abcdefgh_" + "a" * 43)
    assert (unknown.status, unknown.json["code"]) == (401, "unknown_token")


async def test_another_authority_s_certificate_ends_the_handshake(strict: RunningRegistry) -> None:
    forged = Authority("Root of mesh.internal").issue("spiffe://mesh.internal/ns/shop/svc/books")
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await ask(strict, showing(forged), "PUT", BOOKS, PORT)


async def test_a_revoked_one_is_refused_on_an_open_connection_and_its_stream_ends(strict: RunningRegistry) -> None:
    books, films = await enrolled(strict, "shop/books"), await enrolled(strict, "shop/films")
    gateway = await enrolled(strict, "gateway/gw-1")
    async with (
        RawClient(strict.port, tls=books) as client,
        RawClient(strict.port, tls=films) as neighbour,
        RawClient(strict.port, tls=gateway) as follower,
    ):
        assert (await client.call("PUT", BOOKS, PORT)).status == 201
        assert (await neighbour.call("PUT", FILMS, PORT)).status == 201
        follower.send("GET", "/v1/feed?node=gw-1")
        assert (await follower.head()).status == 200
        for subject in ("shop/books", "gateway/gw-1"):
            await strict.core.identity.revocation.revoke(serial="", subject=subject, by="ada", reason="lost")
        refused = await client.call("PUT", BOOKS, PORT)
        assert (refused.status, refused.json["code"]) == (401, "certificate_void")
        assert refused.headers["connection"] == "close"
        with pytest.raises(asyncio.IncompleteReadError):
            async with asyncio.timeout(5):
                await follower.reader.readexactly(1 << 30)
        assert (await neighbour.call("PUT", FILMS, PORT)).status == 200
    assert (await ask(strict, books, "PUT", BOOKS, PORT)).status == 401


async def test_on_a_trusted_machine_a_certificate_makes_nobody_an_admin(tmp_path: Path) -> None:
    async with running_registry(tmp_path, encrypted(tmp_path)) as registry:
        plain = client_context(SERVER.pem)
        assert (await ask(registry, plain, "POST", "/v1/identity/authority", {})).status == 201
        books = await enrolled(registry, "shop/books")
        assert (await ask(registry, plain, "GET", "/v1/tokens")).status == 200
        assert (await ask(registry, books, "GET", "/v1/tokens")).status == 403


async def test_a_root_that_is_dropped_takes_its_connections_along(
    strict: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = strict.core.identity
    monkeypatch.setattr(identity.rotation, "_settle_s", 0.0)
    key, token = Key(), await identity.enrolment.create("shop/books", by="ada", ttl_s=60.0, cidr="")
    first = await identity.enrolment.enrol(token.token, key.signing_request(), peer="127.0.0.1")
    old = client_context(SERVER.pem, read_pair(first.certificate.encode(), key.pem.encode()))
    async with RawClient(strict.port, tls=old) as client:
        assert (await client.call("PUT", BOOKS, PORT)).status == 201
        for _ in range(2):
            await identity.rotation.advance()
        assert (await client.call("PUT", BOOKS, PORT)).status == 200, "both are trusted"
        following = Key()
        csr = following.signing_request()
        renewed = await identity.enrolment.renew(first.certificate, csr, key.renewal_proof(csr))
        for _ in range(2):
            await identity.rotation.advance()
        async with asyncio.timeout(5):
            assert await client.reader.read() == b""
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await ask(strict, old, "PUT", BOOKS, PORT)
    new = client_context(SERVER.pem, read_pair(renewed.certificate.encode(), following.pem.encode()))
    assert (await ask(strict, new, "PUT", BOOKS, PORT)).status == 200
