"""The gateway's own certificate of the mesh, with real processes: got once, kept over a restart, rotated under load."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from meshway.certificates import read_pair
from meshway.client import MeshSettings, certificate
from meshway.client.certificate import CertificateKeeper
from meshway.client.certificate_folder import CertificateFolder
from meshway.client.credential import spiffe_id_of
from meshway.client.registry import AsyncRegistry
from meshway.tls import client_context
from tests.parts.conditions import until
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService
from tests.parts.planes import Registry

ONLY_CARTS = """
apiVersion: meshway/v1
kind: AccessPolicy
metadata: {name: carts}
spec:
  targets: [{service: books}]
  rules: [{action: allow, from: [{service: cart, namespace: shop}]}]
"""
IDENTITY = "spiffe://mesh.internal/meshway/gateway/gw-1"


# What takes minutes in a mesh takes a second here.
_HASTY = """
from meshway.client import certificate
from registry.identity import rotation
certificate.ROOTS_S, certificate.SOON_S = 0.5, 1.0
rotation.SETTLE_S = 2.0
"""


class HastyRegistry(Registry):
    program = _HASTY


class HastyGateway(GatewayProcess):
    program = _HASTY


# Renews again and again, and says who does.
_EAGER = """
import os, time
from meshway.client import certificate, identity_calls
_renew = identity_calls.renew
def renew(*asked):
    print(os.getpid(), "renews", flush=True)
    return _renew(*asked)
identity_calls.renew = renew
certificate.renewal_at = lambda *_: time.time() + 0.1
"""


class EagerGateway(GatewayProcess):
    program = _EAGER

    def renewers(self) -> list[int]:
        """Pids, one after another, however often each."""
        lines = [line.split() for line in self.text().splitlines() if line.endswith(" renews")]
        return [int(pid) for pid, _ in groupby(words[0] for words in lines)]


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[tuple[Registry, GatewayProcess]]:
    registry = await asyncio.to_thread(HastyRegistry, tmp_path)
    try:
        async with PlainService("books") as books:
            registry.register("books", "b1", books.port)
            registry.client.post("/v1/identity/authority", json={}).raise_for_status()
            made = registry.client.post("/v1/identity/enrolments", json={"subject": "gateway/gw-1"}).json()
            token = tmp_path / "token"
            token.write_text(made["token"])
            async with HastyGateway(tmp_path, registry.url, enrol_token_file=str(token)) as gateway:
                yield registry, gateway
    finally:
        await asyncio.to_thread(registry.close)


def roots_of(registry: Registry) -> str:
    return str(registry.client.get("/v1/identity/trust").json()["roots"])


class Caller:
    """A service that calls through mesh TLS, on a new connection each time, by the roots that it was told last and,
    with a keeper, with a certificate of its own."""

    def __init__(
        self, gateway: GatewayProcess, roots: str, keeper: CertificateKeeper | None = None, identity: str = IDENTITY
    ) -> None:
        """identity: the gateway's."""
        self.gateway = gateway
        self._identity = identity
        self._roots = roots
        self.keeper = keeper
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self.issuers: dict[str, int] = {}
        self.serials: set[str] = set()
        self.is_leaving = False

    async def call(self) -> None:
        own = None if self.keeper is None else self.keeper.credential
        pair = None if own is None else read_pair(own.certificate.encode(), own.key.encode())
        context = client_context((self._roots if own is None else own.roots).encode(), pair)
        context.check_hostname = False  # the gateway is known by its SPIFFE id
        async with (
            httpx.AsyncClient(verify=context, trust_env=False, timeout=20.0) as client,
            client.stream("GET", self.gateway.mesh_tls, headers={"Host": "books.default.mesh"}) as answer,
        ):
            tls = answer.extensions["network_stream"].get_extra_info("ssl_object")
            leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
            assert spiffe_id_of(leaf).text == self._identity
            await answer.aread()
        self.statuses.append(answer.status_code)
        self.serials.add(f"{leaf.serial_number:x}")
        issuer = leaf.issuer.rfc4514_string()
        self.issuers[issuer] = self.issuers.get(issuer, 0) + 1

    async def calls(self, more: int) -> None:
        """Waits for so many more."""
        wanted = len(self.statuses) + more
        await until(lambda: len(self.statuses) >= wanted, within_s=20.0)

    async def calls_now(self, count: int) -> None:
        for _ in range(count):
            await self.call()

    async def run(self) -> None:
        while not self.is_leaving:
            try:
                await self.call()
            except (httpx.HTTPError, ssl.SSLError) as error:
                self.failures.append(repr(error))


async def can_call(caller: Caller) -> bool:
    try:
        await caller.call()
    except httpx.HTTPError:
        return False
    return True


async def shown_at_last(caller: Caller) -> None:
    """The gateway enrols after it has begun to serve."""
    end = time.monotonic() + 20
    while not await can_call(caller):
        assert time.monotonic() < end, caller.gateway.text()
        await asyncio.sleep(0.1)


async def test_a_gateway_enrols_once_and_shows_its_certificate_without_the_registry(
    mesh: tuple[Registry, GatewayProcess], tmp_path: Path
) -> None:
    registry, gateway = mesh
    caller = Caller(gateway, roots_of(registry))
    await shown_at_last(caller)
    assert caller.statuses == [200]
    (tmp_path / "token").unlink()
    registry.process.kill()
    await gateway.stop()
    gateway.client = httpx.AsyncClient(timeout=10.0, trust_env=False)
    await gateway.start()
    await caller.call()
    assert (len(caller.serials), caller.statuses) == (1, [200, 200])
    page = (await gateway.client.get(f"{gateway.admin}/metrics")).text
    assert 'meshway_certificate_not_after_seconds{certificate="identity"}' in page
    assert "PRIVATE KEY" not in gateway.text() + page


@pytest.mark.soak
async def test_of_two_generations_the_one_that_has_the_place_renews_the_certificate(tmp_path: Path) -> None:
    registry = await asyncio.to_thread(Registry, tmp_path)
    try:
        registry.client.post("/v1/identity/authority", json={}).raise_for_status()
        made = registry.client.post("/v1/identity/enrolments", json={"subject": "gateway/gw-1"}).json()
        (tmp_path / "token").write_text(made["token"])
        how: dict[str, Any] = {"enrol_token_file": str(tmp_path / "token"), "worker": {"drain_s": 1.0}}
        gateway = EagerGateway(tmp_path, registry.url, workers=1, **how)
        async with gateway:
            await until(gateway.renewers, within_s=30.0, what="the first renewal")
            port = int(gateway.mesh.rpartition(":")[2])
            _, idle = await asyncio.open_connection("127.0.0.1", port)  # so that the old one drains for a while
            before = await gateway.take_over()
            assert await asyncio.to_thread(before.popen.wait, 20) == 0
            assert gateway.process is not None
            mine = gateway.process.pid
            await until(lambda: gateway.renewers()[-1] == mine, within_s=30.0, what="a renewal by the new one")
            assert gateway.renewers() == [before.pid, mine]
            idle.close()
    finally:
        await asyncio.to_thread(registry.close)


async def test_leaf_intermediate_and_root_are_rotated_under_load_without_a_failed_call(
    mesh: tuple[Registry, GatewayProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, gateway = mesh
    monkeypatch.setattr(certificate, "ROOTS_S", 0.5)
    monkeypatch.setattr(certificate, "SOON_S", 1.0)
    registry.apply(ONLY_CARTS)
    client = AsyncRegistry(MeshSettings(registry=registry.url))
    callers = [Caller(gateway, "", await enrolled(registry, client, tmp_path / f"cart-{at}")) for at in range(3)]
    await shown_at_last(callers[0])
    stranger = Caller(gateway, roots_of(registry))
    await stranger.call()
    assert stranger.statuses == [403]
    async with asyncio.TaskGroup() as group:
        keeping = [group.create_task(caller.keeper.run()) for caller in callers if caller.keeper is not None]
        for caller in callers:
            group.create_task(caller.run())
        rotate(registry, "intermediate")
        for phase in ("trust_both", "issue_new", "all_renewed", "settled"):
            await reached(registry, phase)
            await callers[0].calls(3)
        for caller in callers:
            caller.is_leaving = True
        for task in keeping:
            task.cancel()
    assert [caller.failures for caller in callers] == [[], [], []]
    assert {status for caller in callers for status in caller.statuses} == {200}
    await assert_revoked_within(registry, callers[0], 5.0)
    await client.close()
    assert len(callers[0].issuers) >= 2, "it was renewed under the new root"
    assert roots_of(registry).count("BEGIN CERTIFICATE") == 1


async def test_a_revoked_certificate_is_refused_by_every_gateway_within_five_seconds(
    mesh: tuple[Registry, GatewayProcess], tmp_path: Path
) -> None:
    registry, first = mesh
    token = tmp_path / "token-2"
    token.write_text(registry.client.post("/v1/identity/enrolments", json={"subject": "gateway/gw-2"}).json()["token"])
    (tmp_path / "second").mkdir()
    client = AsyncRegistry(MeshSettings(registry=registry.url))
    stolen = await enrolled(registry, client, tmp_path / "cart")
    sound = await enrolled(registry, client, tmp_path / "stock", "shop/stock")
    async with GatewayProcess(tmp_path / "second", registry.url, node="gw-2", enrol_token_file=str(token)) as second:
        named = ((first, IDENTITY), (second, IDENTITY.replace("gw-1", "gw-2")))
        thieves = [Caller(gateway, "", stolen, identity) for gateway, identity in named]
        others = [Caller(gateway, "", sound, identity) for gateway, identity in named]
        for caller in (*thieves, *others):
            await shown_at_last(caller)
            assert caller.statuses == [200]
        registry.client.post("/v1/identity/revocations", json={"subject": "shop/cart"}).raise_for_status()
        end = time.monotonic() + 5.0
        await asyncio.gather(*(refused_in_a_row(caller, end) for caller in thieves))
        for caller in others:
            await caller.calls_now(5)
            assert caller.statuses == [200] * 6
    await client.close()


async def refused_in_a_row(caller: Caller, end: float) -> None:
    """Ten times 401, each on a connection of its own, so that they meet both workers; end: monotonic seconds until when
    the last call may be let in."""
    refused = 0
    while refused < 10:
        await caller.call()
        status = caller.statuses[-1]
        assert status in (200, 401)
        refused = refused + 1 if status == 401 else 0
        assert status == 401 or time.monotonic() < end, "a revoked certificate is believed"


async def enrolled(
    registry: Registry, client: AsyncRegistry, folder: Path, subject: str = "shop/cart"
) -> CertificateKeeper:
    made = registry.client.post("/v1/identity/enrolments", json={"subject": subject}).json()
    keeper = CertificateKeeper(client, CertificateFolder(folder), token=lambda: str(made["token"]))
    await keeper.step()
    assert keeper.credential is not None, keeper.problem
    return keeper


async def assert_revoked_within(registry: Registry, caller: Caller, within_s: float) -> None:
    registry.client.post("/v1/identity/revocations", json={"subject": "shop/cart"}).raise_for_status()
    await refused_in_a_row(caller, time.monotonic() + within_s)


def rotate(registry: Registry, what: str = "root") -> httpx.Response:
    return registry.client.post("/v1/identity/rotation", json={"what": what})


async def reached(registry: Registry, phase: str) -> None:
    """Asked again and again, as `meshway ca rotate --wait` does."""
    answers: list[httpx.Response] = []

    def moved() -> bool:
        answers.append(rotate(registry))
        return answers[-1].status_code == 200

    await until(moved, within_s=60.0, every_s=0.5, what=phase)
    assert answers[-1].json()["phase"] == phase
