"""When a program's certificate is got, renewed and followed, with a registry that answers as told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from meshway.client.calls import Call
from meshway.client.certificate import ROOTS_S, SOON_S, CertificateKeeper, renewal_at
from meshway.client.certificate_folder import CertificateFolder
from meshway.client.credential import Credential, Key
from meshway.client.errors import NotAllowed, Unreachable
from meshway.client.identity_calls import Issued, Roots, ServiceToken
from meshway.identity import parse_spiffe_id
from meshway.problem import Problem
from registry.identity.issuing import new_intermediate, new_key, new_leaf, new_root
from registry.identity.signing_request import read_signing_request

DAY_S = 86_400.0
BOOKS = parse_spiffe_id("spiffe://mesh.internal/ns/shop/svc/books")


class Registry:
    """asked: the paths. fails: what the next calls raise, first to last."""

    def __init__(self, clock: list[float]) -> None:
        self._clock = clock
        root_key, self._key = new_key(), new_key()
        root = new_root(root_key, "mesh.internal", clock[0])
        self._issuer = new_intermediate(self._key.public_key(), root, root_key, "mesh.internal", clock[0])
        self.roots = root.public_bytes(Encoding.PEM).decode()
        self.asked: list[str] = []
        self.requests: list[bytes] = []
        self.fails: list[Exception] = []
        self.answers_for: Key | None = None
        self.issuing = ""

    async def send(self, call: Call[Any]) -> Any:
        self.asked.append(call.path.rpartition("/")[2])
        body = msgspec.json.decode(call.content) if call.content else {}
        if "csr" in body:
            self.requests.append(read_signing_request(body["csr"]).digest)
        if self.fails:
            raise self.fails.pop(0)
        if call.path.endswith("/tokens"):
            return ServiceToken(token=f"token of {self._clock[0]}", expires_at=self._clock[0] + 3600)
        if call.path.endswith("/trust"):
            return Roots(trust_domain="mesh.internal", roots=self.roots, issuing=self.issuing)
        csr = body["csr"] if self.answers_for is None else self.answers_for.signing_request()
        now = self._clock[0]
        leaf = new_leaf(read_signing_request(csr).public_key, BOOKS, self._issuer, self._key, now, DAY_S)
        return Issued(
            subject=BOOKS.text,
            certificate=leaf.public_bytes(Encoding.PEM).decode(),
            roots=self.roots,
            not_before=now,
            not_after=now + DAY_S,
        )


class World:
    def __init__(
        self, folder: Path, token: str = "mwe_token", chance: float = 0.5, *, keeps_token: bool = False
    ) -> None:
        self.clock = [time.time()]
        self.registry = Registry(self.clock)
        self.folder = CertificateFolder(folder)
        self.changes: list[Credential] = []
        self.token = token
        self.chance = chance
        self.keeps_token = keeps_token
        self.keeper = self.started()

    def started(self) -> CertificateKeeper:
        keeper = CertificateKeeper(
            self.registry,
            self.folder,
            token=lambda: self.token,
            keeps_token=self.keeps_token,
            changed=self.changes.append,
            wall=lambda: self.clock[0],
            chance=lambda: self.chance,
        )
        keeper.take_kept()
        return keeper


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "identity")


async def test_it_enrols_and_renews_at_half_its_life_with_another_key(world: World) -> None:
    wait_s = await world.keeper.step()
    assert world.registry.asked == ["enrol"]
    assert wait_s == pytest.approx(ROOTS_S, abs=0.1)
    world.clock[0] += DAY_S / 2 - 1
    await world.keeper.step()
    assert world.registry.asked == ["enrol", "trust"]
    world.clock[0] += 1
    await world.keeper.step()
    assert world.registry.asked == ["enrol", "trust", "renew"]
    assert len({one.key for one in world.changes}) == len(world.changes) == 2
    assert world.folder.read() is not None


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.45), (0.5, 0.5), (1.0, 0.55)])
def test_what_began_together_is_not_renewed_together(chance: float, share: float) -> None:
    credential = Credential(key="", certificate="", roots="", not_before=100.0, not_after=1100.0)
    assert renewal_at(credential, chance) == pytest.approx(100.0 + 1000.0 * share)


async def test_a_restart_goes_on_with_what_is_kept_and_needs_no_token(world: World) -> None:
    await world.keeper.step()
    world.token = ""
    keeper = world.started()
    assert keeper.credential is not None
    await keeper.step()
    assert world.registry.asked == ["enrol"]


async def test_a_certificate_that_expired_is_not_gone_on_with(world: World) -> None:
    await world.keeper.step()
    world.clock[0] += DAY_S + 1
    assert world.started().credential is None
    world.registry.fails = [Unreachable(Problem(503, "away", "Away"))]
    await world.keeper.step()
    assert world.keeper.credential is None
    world.token = ""
    await world.keeper.step()
    assert "meshway token create --enrol" in world.keeper.problem


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(world: World) -> None:
    """The registry gives the certificate of a spent token to the key it was made for, and to no other."""
    world.registry.fails = [Unreachable(Problem(503, "away", "Away"))] * 2
    waits = [await world.keeper.step() for _ in range(3)]
    assert waits[0] < waits[1] < 1.0
    assert world.registry.asked == ["enrol"] * 3
    assert len(set(world.registry.requests)) == 1
    assert world.keeper.problem == ""


async def test_what_the_registry_refuses_is_not_asked_for_all_the_time(world: World) -> None:
    await world.keeper.step()
    before = world.keeper.credential
    world.clock[0] += DAY_S / 2 + 1
    world.registry.fails = [NotAllowed(Problem(401, "invalid_certificate", "Not renewed", detail="it was revoked"))]
    assert await world.keeper.step() >= 30.0
    assert world.keeper.problem == "it was revoked"
    assert world.keeper.credential == before, "good as long as its dates say"


async def test_other_roots_are_told_without_another_certificate(world: World) -> None:
    await world.keeper.step()
    world.clock[0] += ROOTS_S + 1
    await world.keeper.step()
    assert len(world.changes) == 1, "the same as before"
    world.registry.roots += Registry(world.clock).roots
    world.clock[0] += ROOTS_S + 1
    await world.keeper.step()
    assert world.changes[-1].roots == world.registry.roots
    kept = world.folder.read()
    assert kept is not None
    assert kept.roots == world.registry.roots
    assert kept.key == world.changes[0].key


async def test_a_certificate_for_another_key_replaces_nothing(world: World) -> None:
    await world.keeper.step()
    before = world.folder.read()
    world.clock[0] += DAY_S / 2 + 1
    world.registry.answers_for = Key()
    await world.keeper.step()
    assert "another key" in world.keeper.problem
    assert world.folder.read() == before


async def test_another_root_that_issues_is_renewed_to_within_minutes(world: World) -> None:
    """Else a change of the root would wait for half the life of every certificate."""
    await world.keeper.step()
    assert world.changes[0].issued_under
    world.registry.issuing = world.changes[0].issued_under
    world.clock[0] += ROOTS_S + 1
    assert await world.keeper.step() > ROOTS_S / 2
    world.registry.issuing = "00" * 20
    world.clock[0] += ROOTS_S + 1
    await world.keeper.step()
    world.clock[0] += SOON_S * world.chance
    await world.keeper.step()
    assert world.registry.asked[-1] == "renew"


async def test_a_service_token_is_kept_beside_it_and_renewed_at_half_its_life(tmp_path: Path) -> None:
    world = World(tmp_path / "identity", keeps_token=True)
    file = world.folder.path / "service.token"
    await world.keeper.step()
    assert await world.keeper.step() > 0
    first = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    while file.read_text() == first:
        world.clock[0] += max(await world.keeper.step(), 0.001)
    assert 1700 < world.clock[0] - float(first.rpartition(" ")[2]) < 1900
    asked = world.registry.asked.count("tokens")
    world.clock[0] += DAY_S / 2
    for _ in range(3):
        await world.keeper.step()
    assert "renew" in world.registry.asked
    assert world.registry.asked.count("tokens") > asked, "another certificate, another token"
