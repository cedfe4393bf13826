"""Certificates that the mesh issues: when, for what, how gateways hear of them, and when anew."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.secret_ring import SecretRing
from meshway.certificates import Pair, read_pair
from meshway.client.credential import Key
from meshway.model.certificate import issued_name
from meshway.model.secret import SecretRef
from meshway.snapshot import SecretFrame, decode_frame
from registry.certificates.issuer import Issuer
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry

HOST = "books.default.mesh"
PATH = "/v1/namespaces/default/certificates/own"


async def begin(registry: RunningRegistry) -> Any:
    answer = await registry.call("POST", "/v1/identity/authority", {})
    assert answer.status == 201, answer
    return answer.json


async def put(registry: RunningRegistry, **spec: Any) -> Any:
    answer = await registry.call("PUT", PATH, {"spec": {"mesh_ca": {}, "hosts": [HOST]} | spec})
    assert answer.status in (200, 201), answer
    return answer.json


def told(registry: RunningRegistry) -> Pair | None:
    """What gateways hear."""
    ring = SecretRing()
    follower = registry.core.feed.follow(
        since=registry.core.view.revision, epoch=None, node="t", wake=lambda: None, is_gateway=True
    )
    try:
        taken = follower.take()
    finally:
        follower.close()
    while taken:
        size = int.from_bytes(taken[:4], "big")
        frame = decode_frame(taken[4 : 4 + size])
        taken = taken[4 + size :]
        if isinstance(frame, SecretFrame):
            ring.take(frame)
    held = ring.held("default", SecretRef(secret=issued_name("own")))
    if held is None:
        return None
    data = held.versions[0].data
    return read_pair(data["certificate"].encode(), data["private_key"].encode())


async def told_after(registry: RunningRegistry, before: Pair | None = None) -> Pair:
    def another() -> Pair | None:
        pair = told(registry)
        return pair if pair is not None and (before is None or pair.serial != before.serial) else None

    await until(lambda: another() is not None, what="a certificate")
    found = another()
    assert found is not None
    return found


def leaf_of(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.chain)


@pytest.mark.proves("Certificate.mesh_ca", "MeshCa.lifetime", "MeshCa.key")
async def test_a_certificate_is_issued_for_its_hosts_and_anew_for_others(registry: RunningRegistry) -> None:
    warned = await put(registry)
    assert [each["code"] for each in warned["warnings"]] == ["no_authority"]
    await begin(registry)
    first = await told_after(registry)
    assert (first.hosts, first.algorithm) == ((HOST,), "ec")
    assert 86_400 - 60 < first.not_after - time.time() <= 86_400
    await put(registry, hosts=[HOST, "*.default.mesh"], mesh_ca={"lifetime": "2h", "key": "rsa2048"})
    second = await told_after(registry, first)
    key = leaf_of(second).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert (second.hosts, key.key_size) == ((HOST, "*.default.mesh"), 2048)
    assert second.not_after - time.time() <= 7_200
    await put(registry, mesh_ca={"key": "ec384"})
    third = leaf_of(await told_after(registry, second)).public_key()
    assert isinstance(third, ec.EllipticCurvePublicKey)
    assert third.key_size == 384
    history = (await registry.call("GET", "/v1/revisions")).json["items"]
    assert "registry" in {entry["by"] for entry in history}


async def test_it_stays_over_a_restart_and_its_key_is_in_nothing_that_people_read(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await begin(registry)
        await put(registry)
        before = await told_after(registry)
        for path in (PATH, "/v1/namespaces/-/certificates", "/v1/revisions", "/v1/audit"):
            assert "PRIVATE" not in str((await registry.call("GET", path)).json)
        assert b"PRIVATE" not in registry.core.view.document(("Certificate", "default", "own")).value  # type: ignore[union-attr]
    async with running_registry(tmp_path) as registry:
        assert told(registry) == before


def issuer_at(registry: RunningRegistry, wall_s: float) -> Issuer:
    core = registry.core
    keys, wall = core.identity.custody, (lambda: wall_s)
    return Issuer(core.view, core.store, keys, core.revisions, core.sealing, wall=wall, random=lambda: 0.5)


@pytest.mark.proves("Certificate.renew_before")
async def test_it_is_renewed_with_another_key_at_half_its_life_or_when_it_was_asked_for(
    registry: RunningRegistry,
) -> None:
    await begin(registry)
    await put(registry, mesh_ca={"lifetime": "10h"})
    first = await told_after(registry)
    for renew_before, life_s, kept_s, due_s in ((None, 36_000, 14_000, 22_000), ("1h", 36_000, 32_000, 32_500)):
        if renew_before is not None:
            await put(registry, mesh_ca={"lifetime": "10h"}, renew_before=renew_before)
            first = await told_after(registry, first)
        assert abs(first.not_after - time.time() - life_s) < 60
        for later_s, is_renewed in ((kept_s, False), (due_s, True)):
            issuer = issuer_at(registry, time.time() + later_s)
            await issuer.turn()
            pair = told(registry)
            assert pair is not None
            assert (pair.serial != first.serial) == is_renewed, (renew_before, later_s)
            assert (pair.key != first.key) == is_renewed
        await put(registry, mesh_ca={"lifetime": "9h"})
        first = await told_after(registry, pair)


async def test_a_revoked_one_is_issued_anew_and_nobody_enrols_by_it(registry: RunningRegistry) -> None:
    await begin(registry)
    await put(registry)
    first = await told_after(registry)
    key = Key(first.key.decode())
    csr = Key().signing_request()
    body = {"certificate": first.chain.decode(), "csr": csr, "proof": key.renewal_proof(csr)}
    assert (await registry.call("POST", "/v1/identity/renew", body)).status == 401
    assert (await registry.call("POST", "/v1/identity/revocations", {"serial": first.serial})).status == 200
    second = await told_after(registry, first)
    page = (await registry.call("GET", "/metrics")).body.decode()
    left = [line for line in page.splitlines() if line.startswith("meshway_certificate_days_left{")]
    assert {line.partition('"')[2].partition('"')[0].partition(" ")[0] for line in left} == {
        "root",
        "intermediate",
        "default/own",
    }
    shown = (await registry.call("GET", "/v1/identity/certificates")).json["items"]
    named = {each["serial"].lstrip("0"): each for each in shown if each["subject"] == "certificate default/own"}
    assert named[first.serial]["revoked_at"] is not None
    assert "replaced_at" not in named[second.serial]


async def test_a_rotation_of_the_root_waits_for_no_document_that_is_gone(registry: RunningRegistry) -> None:
    await begin(registry)
    await put(registry)
    first = await told_after(registry)
    registry.core.identity.rotation._settle_s = 0.0
    for _ in range(2):
        answer = await registry.call("POST", "/v1/identity/rotation", {})
        assert answer.status == 200, answer
    second = await told_after(registry, first)
    assert second.issuer != first.issuer
    assert (await registry.call("DELETE", PATH)).status == 204
    await until(lambda: told(registry) is None, what="a certificate that is gone")


@pytest.mark.proves("Certificate.expiry", "Expiry.warn", "Expiry.critical")
async def test_what_gateways_show_of_it_is_told_beside_it(registry: RunningRegistry) -> None:
    await begin(registry)
    await put(registry, expiry={"warn": "12h", "critical": "6h"})
    pair = await told_after(registry)
    path = "/v1/reports"

    def report(node: str, fingerprint: str) -> dict[str, Any]:
        shown = {"namespace": "default", "name": "own", "fingerprint": fingerprint, "not_after": pair.not_after}
        return {"node": node, "certificates": [shown]}

    for node, fingerprint in (("a", pair.fingerprint), ("b", "00")):
        assert (await registry.call("POST", path, report(node, fingerprint))).status < 300
    for where in (PATH, "/v1/namespaces/default/certificates"):
        found = (await registry.call("GET", where)).json
        status = found.get("items", [found])[0]["status"]
        assert (status["gateways"], status["serial"], status["issuer"]) == ("1/2", pair.serial, pair.issuer)
        assert status["fingerprint"] == pair.fingerprint
    document = (await registry.call("GET", PATH)).json
    assert (await registry.call("PUT", PATH, document)).status == 200


@pytest.mark.proves("Namespace.edge_hosts")
async def test_a_host_that_a_namespace_has_for_itself_is_certified_for_it_alone(registry: RunningRegistry) -> None:
    await begin(registry)
    for hosts, status in ([], 422), (["shop.example"], 201):
        owner = "/v1/namespaces/mesh/namespaces/default"
        assert (await registry.call("PUT", owner, {"spec": {"edge_hosts": hosts}})).status in (200, 201)
        answer = await registry.call("PUT", PATH, {"spec": {"mesh_ca": {}, "hosts": ["shop.example"]}})
        assert answer.status == status
    assert (await told_after(registry)).hosts == ("shop.example",)
    other = "/v1/namespaces/other/certificates/c"
    answer = await registry.call("PUT", other, {"spec": {"mesh_ca": {}, "hosts": ["shop.example"]}})
    assert [error["code"] for error in answer.json["errors"]] == ["forbidden_combination", "conflict"]
