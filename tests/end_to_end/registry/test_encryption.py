"""A registry that speaks TLS alone, and all who speak to it: gateway, SDK, command."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from meshway.client import AsyncMesh, Mesh, MeshSettings, MeshwayError, Unreachable
from meshway.tasks import spawn
from meshway.tls import client_context
from registry import encryption
from registry.encryption import Encryption
from registry.settings import StartRefused
from tests.parts.authority import Authority, Issued
from tests.parts.command import meshway
from tests.parts.conditions import until
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService
from tests.parts.planes import Registry

ROOT = Authority()
SOON = """
from registry import encryption
encryption.READ_AGAIN_S = 0.2
"""


class EncryptedRegistry(Registry):
    """certificate.pem and certificate.key lie in its folder."""

    program = SOON


class StrictRegistry(EncryptedRegistry):
    """Nobody is trusted for his address."""

    trusts = ()


def write(folder: Path, issued: Issued) -> tuple[str, ...]:
    """The key first, as whoever renews them in place may do it: for a moment they do not fit."""
    (folder / "certificate.key").write_bytes(issued.key)
    (folder / "certificate.pem").write_bytes(issued.certificate)
    return (
        "--tls-certificate",
        str(folder / "certificate.pem"),
        "--tls-key",
        str(folder / "certificate.key"),
    )


async def test_silent_callers_do_not_keep_the_others_out(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(ROOT.pem)
    arguments = write(tmp_path, ROOT.issue("127.0.0.1"))
    registry = await asyncio.to_thread(EncryptedRegistry, tmp_path, *arguments, ca_file=ca_file)
    silent = []
    try:
        port = int(registry.url.rpartition(":")[2])
        for _ in range(80):
            caller = socket.create_connection(("127.0.0.1", port), timeout=10.0)
            caller.send(b"\x16\x03\x01")  # a ClientHello that never goes on
            silent.append(caller)
        async with httpx.AsyncClient(verify=client_context(ROOT.pem), trust_env=False, timeout=20.0) as client:
            assert (await client.get(f"{registry.url}/v1/health/live")).status_code == 200
        # Of 64 places some were taken from who had been silent the longest; each of the rest has ten seconds.
        silent[0].settimeout(20.0)
        assert await asyncio.to_thread(silent[0].recv, 100) == b""
    finally:
        for caller in silent:
            caller.close()
        await asyncio.to_thread(registry.close)


async def test_gateway_sdk_and_command_speak_tls_to_it_and_another_certificate_breaks_nothing(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(ROOT.pem)
    arguments = write(tmp_path, ROOT.issue("127.0.0.1"))
    registry = await asyncio.to_thread(EncryptedRegistry, tmp_path, *arguments, ca_file=ca_file)
    try:
        async with PlainService("books") as books:
            mesh = Mesh(MeshSettings(registry=registry.url, ca_file=ca_file))
            registration = mesh.register("books", books.port)
            me = await asyncio.to_thread(registration.__enter__)
            await until(lambda: me.status().state == "passing", within_s=20.0)
            async with GatewayProcess(tmp_path, registry.url, registry_ca_file=str(ca_file)) as gateway:
                await until_served(gateway)
                following = ROOT.issue("127.0.0.1")
                write(tmp_path, following)
                serial = f"{following.leaf.serial_number:x}"
                await until(lambda: serial_of(registry, ca_file) == serial, within_s=20.0, what="the new certificate")
                listed = await asyncio.to_thread(
                    meshway, "get", "services", "-o", "json", "--registry", registry.url, "--ca-file", str(ca_file)
                )
                assert [one["metadata"]["name"] for one in json.loads(listed.out)["items"]] == ["books"]
                head = registry.client.get("/v1/health/live").headers["meshway-revision"]
                registry.register("films", "f1", books.port)
                await until(lambda: registry.client.get("/v1/gateways").json()["items"][0]["revision"] > int(head))
            await asyncio.to_thread(registration.__exit__, None, None, None)
    finally:
        await asyncio.to_thread(registry.close)


async def until_served(gateway: GatewayProcess) -> None:
    async def is_served() -> bool:
        answer = await gateway.client.get(gateway.mesh, headers={"Host": "books.default.mesh"})
        return answer.status_code == 200

    async with asyncio.timeout(20):
        while not await is_served():
            await asyncio.sleep(0.05)


def serial_of(registry: Registry, ca_file: Path) -> str:
    with (
        httpx.Client(verify=client_context(ca_file.read_bytes()), trust_env=False) as client,
        client.stream("GET", f"{registry.url}/v1/health/live") as answer,
    ):
        tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
        return str(tls.getpeercert()["serialNumber"]).lower().lstrip("0")


def test_who_does_not_know_its_authority_and_who_speaks_without_is_not_served(tmp_path: Path) -> None:
    arguments = write(tmp_path, ROOT.issue("127.0.0.1"))
    ca_file, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca_file.write_bytes(ROOT.pem)
    other.write_bytes(Authority("Another").pem)
    registry = EncryptedRegistry(tmp_path, *arguments, ca_file=ca_file)
    try:
        for url, authorities in ((registry.url, other), (registry.url.replace("https", "http"), ca_file)):
            with pytest.raises(Unreachable):
                Mesh(MeshSettings(registry=url, ca_file=authorities)).discover("books")
        refused = meshway("get", "services", "--registry", registry.url, "--ca-file", str(other))
        assert refused.code == 7
        assert Mesh(MeshSettings(registry=registry.url, ca_file=ca_file)).discover("books") == []
        assert meshway("get", "services", "--registry", registry.url, "--ca-file", str(tmp_path / "none")).code == 2
    finally:
        registry.close()


def test_a_pair_of_another_kind_of_key_leaves_nothing_of_the_former(tmp_path: Path) -> None:
    write(tmp_path, ROOT.issue("127.0.0.1", rsa_bits=2048))
    serving = Encryption(tmp_path / "certificate.pem", tmp_path / "certificate.key")
    assert shown(serving, "ECDHE-RSA-AES128-GCM-SHA256") is not None
    following = ROOT.issue("127.0.0.1")
    write(tmp_path, following)
    serving.refresh()
    assert shown(serving, "ECDHE-ECDSA-AES128-GCM-SHA256") == following.der
    with pytest.raises(ssl.SSLError):
        shown(serving, "ECDHE-RSA-AES128-GCM-SHA256")


def shown(serving: Encryption, suite: str) -> bytes | None:
    """The certificate that a caller of this suite of TLS 1.2 gets. Raises ssl.SSLError: none."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server, own = serving.context.wrap_bio(up, down, server_side=True), client_context(ROOT.pem)
    own.maximum_version = ssl.TLSVersion.TLSv1_2
    own.set_ciphers(suite)
    client = own.wrap_bio(down, up, server_hostname="127.0.0.1")
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert(binary_form=True)


def test_files_that_may_not_serve_stop_the_start_and_never_a_running_registry(tmp_path: Path) -> None:
    files = (tmp_path / "certificate.pem", tmp_path / "certificate.key")
    with pytest.raises(StartRefused):
        Encryption(*files)
    first = ROOT.issue("127.0.0.1")
    write(tmp_path, first)
    serving = Encryption(*files)
    files[1].write_bytes(ROOT.issue("127.0.0.1").key)
    serving.refresh()
    assert serving._fault == "the key is not the certificate's"
    write(tmp_path, ROOT.issue("127.0.0.1"))
    serving.refresh()
    assert serving._fault == ""
    with pytest.raises(StartRefused, match="come together"):
        encryption.encryption_of(files[0], None)


async def test_gateway_and_service_sign_in_by_their_certificates_and_no_token(tmp_path: Path) -> None:
    ca_file, folder, enrolment = tmp_path / "ca.pem", tmp_path / "books", tmp_path / "enrol.token"
    ca_file.write_bytes(ROOT.pem)
    bootstrap = tmp_path / "bootstrap.token"
    bootstrap.write_text("b" * 43)
    files = write(tmp_path, ROOT.issue("127.0.0.1"))
    registry = await asyncio.to_thread(
        StrictRegistry, tmp_path, *files, "--bootstrap-token-file", str(bootstrap), ca_file=ca_file
    )
    try:
        registry.client.headers["authorization"] = f"Bearer {bootstrap.read_text()}"
        assert registry.client.post("/v1/identity/authority", json={}).status_code == 201

        def enrol(subject: str) -> str:
            return str(registry.client.post("/v1/identity/enrolments", json={"subject": subject}).json()["token"])

        enrolment.write_text(enrol("gateway/gw-1"))
        settings = MeshSettings(registry=registry.url, ca_file=ca_file, certificate_dir=folder)
        async with (
            PlainService("books") as books,
            GatewayProcess(
                tmp_path, registry.url, registry_ca_file=str(ca_file), enrol_token_file=str(enrolment)
            ) as gateway,
        ):
            with Mesh(settings).register("books", books.port) as me:
                await until(
                    lambda: "nobody is signed in" in (me.status().error or ""), what="refused without a certificate"
                )
                enrolment.write_text(enrol("default/books"))
                async with AsyncMesh(settings).certificate(folder, token_file=enrolment) as kept:
                    await asyncio.wait_for(kept.first(), 20)
                await until(lambda: me.status().state == "passing", within_s=20.0)
                await until_served(gateway)
                port, shown = str(books.port), ("--certificate-dir", str(folder))
                asked = ("register", "books", "--port", port, "--id", "wrapped", *shown, "--registry", registry.url)
                beside = spawn(
                    asyncio.to_thread(meshway, *asked, "--ca-file", str(ca_file), "--", "sleep", "6"), name="register"
                )
                instances = "/v1/namespaces/default/services/books/instances/wrapped"
                await until(lambda: registry.client.get(instances).status_code == 200, within_s=30.0)
                assert (await beside).code == 0
                with pytest.raises(MeshwayError):
                    await asyncio.to_thread(Mesh(settings).discover, "films")
                revoked = registry.client.post("/v1/identity/revocations", json={"subject": "default/books"})
                assert revoked.status_code == 200
                await until(lambda: "was revoked" in (me.status().error or ""), within_s=20.0, what="refused")
    finally:
        await asyncio.to_thread(registry.close)
