"""Workload identity over the registry's real surface: authority, enrolment, renewal, revocation, a new root."""

from __future__ import annotations

import asyncio
import base64
import gzip
import math
import secrets
import shutil
import ssl
import time
import warnings
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from meshway.client.credential import Key, spiffe_id_of
from meshway.identity import serial_hash
from meshway.jwt import TokenFault, TokenRules, verify
from meshway.jwt_keys import KeySet, read_keys
from meshway.model.trust_bundle import TrustBundle
from meshway.sealing import Sealing
from meshway.tasks import spawn
from registry.backup.restoring import restore_backup
from registry.gateways import Report
from registry.identity import enrolment
from registry.identity.rotation import SETTLE_S
from registry.sealing import MASTER_KEY_FILE
from registry.store.certificates import add_certificate, certificate_of, read_certificate, revoke_certificate
from registry.store.sqlite import SqliteStore
from tests.parts.conditions import until
from tests.parts.postgres import Postgres
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_wire import Answer, RawClient
from tests.parts.valkey import Valkey

_DER = serialization.Encoding.DER
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def begin(registry: RunningRegistry) -> Any:
    answer = await registry.call("POST", "/v1/identity/authority", {})
    assert answer.status == 201, answer
    return answer.json


async def token_for(registry: RunningRegistry, subject: str = "shop/books", **more: Any) -> str:
    answer = await registry.call("POST", "/v1/identity/enrolments", {"subject": subject, **more})
    assert answer.status == 201, answer
    return str(answer.json["token"])


async def enrol(registry: RunningRegistry, token: str, key: Key) -> Answer:
    return await registry.call("POST", "/v1/identity/enrol", {"token": token, "csr": key.signing_request()})


async def renew(registry: RunningRegistry, certificate: str, live: Key, following: Key) -> Answer:
    csr = following.signing_request()
    body = {"certificate": certificate, "csr": csr, "proof": live.renewal_proof(csr)}
    return await registry.call("POST", "/v1/identity/renew", body)


def leaf_of(answer: Answer) -> x509.Certificate:
    return x509.load_pem_x509_certificate(answer.json["certificate"].encode())


def bundle_of(registry: RunningRegistry) -> TrustBundle:
    shown = registry.core.identity.publisher.shown
    assert shown is not None
    return shown[0]


async def test_a_token_is_changed_for_a_certificate_that_names_the_service_and_nobody_else(
    registry: RunningRegistry,
) -> None:
    await begin(registry)
    key = ec.generate_private_key(ec.SECP256R1())
    named = [x509.UniformResourceIdentifier("spiffe://mesh.internal/ns/shop/svc/payments"), x509.DNSName("evil.test")]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "payments")]))
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    answer = await registry.call("POST", "/v1/identity/enrol", {"token": await token_for(registry), "csr": csr})
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    leaf = leaf_of(answer)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert spiffe_id_of(leaf).text == "spiffe://mesh.internal/ns/shop/svc/books" == answer.json["subject"]
    assert names.get_values_for_type(x509.DNSName) == ["books.shop.mesh"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.public_key() == key.public_key()
    assert 86_400 - 60 < answer.json["not_after"] - time.time() <= 86_400


async def test_two_programs_speak_mtls_by_their_certificates(registry: RunningRegistry, tmp_path: Path) -> None:
    await begin(registry)
    contexts = []
    for subject, purpose in (("shop/books", ssl.PROTOCOL_TLS_SERVER), ("shop/cart", ssl.PROTOCOL_TLS_CLIENT)):
        key = Key()
        issued = (await enrol(registry, await token_for(registry, subject), key)).json
        file = tmp_path / f"{subject.replace('/', '-')}.pem"
        file.write_text(key.pem + issued["certificate"])
        context = ssl.SSLContext(purpose)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=issued["roots"])
        contexts.append(context)
    peers = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peercert")["subjectAltName"])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=contexts[0])
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=contexts[1], server_hostname="books.shop.mesh"
        )
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
    assert peers == [(("URI", "spiffe://mesh.internal/ns/shop/svc/cart"), ("DNS", "cart.shop.mesh"))]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_of_a_hundred_parallel_uses_of_a_token_one_wins(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, Any] = {}
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        master = tmp_path / "master.key"
        master.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        master.chmod(0o600)
        valkey: Valkey = request.getfixturevalue("valkey")
        settings = {"database_url": server.new_database(), "redis_url": valkey.url, "master_key_file": master}
    async with AsyncExitStack() as stack:
        count = 2 if kind == "postgres" else 1
        registries = [
            await stack.enter_async_context(running_registry(tmp_path / str(at), **settings)) for at in range(count)
        ]
        await begin(registries[0])
        token = await token_for(registries[0])
        answers = await asyncio.gather(*(enrol(registries[at % count], token, Key()) for at in range(100)))
        page = await registries[-1].call("GET", "/v1/identity/certificates?limit=1000")
    statuses = [answer.status for answer in answers]
    assert (statuses.count(201), statuses.count(401)) == (1, 99)
    assert len(page.json["items"]) == 1


async def test_the_same_request_gets_its_certificate_again_and_another_key_none(registry: RunningRegistry) -> None:
    """An answer that was lost must not cost the program its only token."""
    await begin(registry)
    token, key = await token_for(registry), Key()
    first, again = await enrol(registry, token, key), await enrol(registry, token, key)
    assert (first.status, again.status) == (201, 201)
    assert first.json["serial"] == again.json["serial"]
    assert (await enrol(registry, token, Key())).status == 401


async def test_tokens_that_are_wrong_late_or_elsewhere_are_refused_alike(registry: RunningRegistry) -> None:
    await begin(registry)
    token = await token_for(registry)
    elsewhere = await token_for(registry, cidr="192.0.2.0/24")
    late, end = await token_for(registry, ttl_s=0.05), time.time() + 0.06
    await until(lambda: time.time() > end)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    answers = [await enrol(registry, each, Key()) for each in (wrong, elsewhere, late, "mwe_x", "", "mwt_" + token[4:])]
    assert {(answer.status, answer.json["code"], answer.json["detail"]) for answer in answers} == {
        (401, "invalid_enrolment_token", "the token is unknown, used, expired, or for another address")
    }
    near = await token_for(registry, cidr="127.0.0.0/8")
    assert (await enrol(registry, near, Key())).status == 201
    assert (await enrol(registry, token, Key())).status == 201, "what was guessed at is not spent"


@pytest.mark.parametrize("name", ["rsa1024", "exponent", "p521", "p192", "unsigned", "nonsense", "certificate"])
async def test_requests_with_weak_keys_or_without_proof_are_refused(registry: RunningRegistry, name: str) -> None:
    await begin(registry)
    token = await token_for(registry)
    answer = await registry.call("POST", "/v1/identity/enrol", {"token": token, "csr": _bad_request(name)})
    assert (answer.status, answer.json["code"]) == (422, "invalid_signing_request")
    assert (await enrol(registry, token, Key())).status == 201, "a bad request does not spend the token"


def _bad_request(name: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    pem = serialization.Encoding.PEM
    if name == "rsa1024":
        return builder.sign(rsa.generate_private_key(65537, 1024), hashes.SHA256()).public_bytes(pem).decode()
    if name in ("p521", "p192"):
        curve = ec.SECP521R1() if name == "p521" else ec.SECP192R1()
        return builder.sign(ec.generate_private_key(curve), hashes.SHA256()).public_bytes(pem).decode()
    if name == "exponent":
        return builder.sign(_key_of_a_large_exponent(), hashes.SHA256()).public_bytes(pem).decode()
    if name == "unsigned":
        request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        der = bytearray(request.public_bytes(serialization.Encoding.DER))
        der[-1] ^= 1
        text = base64.encodebytes(bytes(der)).decode()
        return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
    return "nonsense" if name == "nonsense" else "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def _key_of_a_large_exponent() -> rsa.RSAPrivateKey:
    """Whose every signature would cost others as much to verify as to make."""
    whole = rsa.generate_private_key(65537, 2048).private_numbers()
    p, q, e = whole.p, whole.q, (1 << 1024) + 1
    while math.gcd(e, (p - 1) * (q - 1)) != 1:
        e += 2
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


async def test_a_renewal_holds_nothing_while_it_waits_for_a_revocation(
    tmp_path: Path, postgres: Postgres, valkey: Valkey
) -> None:
    url, master = postgres.new_database(), tmp_path / "master.key"
    master.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    master.chmod(0o600)
    async with running_registry(tmp_path, database_url=url, redis_url=valkey.url, master_key_file=master) as registry:
        await begin(registry)
        key = Key()
        issued = (await enrol(registry, await token_for(registry), key)).json
        revoking, looking = await asyncpg.connect(url), await asyncpg.connect(url)
        try:
            async with revoking.transaction():
                # As a revocation does, step by step.
                await revoking.execute("UPDATE trust SET generation = generation + 1")
                renewing = spawn(renew(registry, issued["certificate"], key, Key()), name="renewal")
                async with asyncio.timeout(10.0):
                    while not await looking.fetchval(_WAITING):
                        await asyncio.sleep(0.02)
                await revoking.execute("SET LOCAL lock_timeout = '5s'")
                await revoking.execute(
                    "UPDATE certificates SET revoked_at = $1 WHERE serial = $2", time.time(), issued["serial"]
                )
            refused = await renewing
        finally:
            await revoking.close()
            await looking.close()
    assert (refused.status, refused.json["code"]) == (401, "invalid_certificate")


async def test_the_live_certificate_is_changed_for_the_next(registry: RunningRegistry) -> None:
    await begin(registry)
    first, second, third = Key(), Key(), Key()
    issued = await enrol(registry, await token_for(registry), first)
    renewed = await renew(registry, issued.json["certificate"], first, second)
    assert renewed.status == 201
    assert renewed.json["subject"] == issued.json["subject"]
    assert second.is_of(renewed.json["certificate"])
    assert (await renew(registry, renewed.json["certificate"], second, third)).status == 201


async def test_nobody_fills_the_store_by_renewing_again_and_again(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "MOST_OF_SUBJECT", 4)
    await begin(registry)
    key = Key()
    issued = await enrol(registry, await token_for(registry, "shop/looping"), key)
    renewed = [await renew(registry, issued.json["certificate"], key, Key()) for _ in range(3)]
    assert [answer.status for answer in renewed] == [201] * 3
    full = await renew(registry, issued.json["certificate"], key, Key())
    assert (full.status, full.json["code"]) == (429, "too_many_certificates")
    assert (await enrol(registry, await token_for(registry, "shop/neighbour"), Key())).status == 201


async def test_a_renewal_needs_the_live_key_and_a_certificate_of_ours(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    await begin(registry)
    key = Key()
    issued = (await enrol(registry, await token_for(registry), key)).json
    thief = await renew(registry, issued["certificate"], Key(), Key())
    assert (thief.status, thief.json["code"]) == (401, "invalid_certificate")
    async with running_registry(tmp_path / "other") as other:
        await begin(other)
        foreign = (await enrol(other, await token_for(other), key)).json
    answer = await renew(registry, foreign["certificate"], key, Key())
    assert (answer.status, answer.json["detail"]) == (401, "the certificate was not issued here, or is long over")
    der = bytearray(leaf_of(await enrol(registry, await token_for(registry), Key())).public_bytes(_DER))
    serial = x509.load_der_x509_certificate(bytes(der)).serial_number
    der[bytes(der).index(serial.to_bytes((serial.bit_length() + 7) // 8, "big"))] |= 0x80  # below nought
    negative = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(bytes(der)).decode()}-----END CERTIFICATE-----\n"
    with warnings.catch_warnings(action="ignore"):
        assert (await renew(registry, negative, key, Key())).status == 401
    # What was signed for one purpose is good for no other.
    csr = Key().signing_request()
    body = {"certificate": issued["certificate"], "csr": csr, "proof": key.token_proof(int(time.time()))}
    assert (await registry.call("POST", "/v1/identity/renew", body)).status == 401


async def test_what_is_revoked_is_told_by_the_feed_and_not_renewed(registry: RunningRegistry) -> None:
    await begin(registry)
    key, neighbour = Key(), Key()
    issued = await enrol(registry, await token_for(registry), key)
    other = await enrol(registry, await token_for(registry, "shop/cart"), neighbour)
    unused = await token_for(registry)
    answer = await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/books", "reason": "stolen"})
    assert (answer.status, answer.json["serials"]) == (200, [issued.json["serial"]])
    assert bundle_of(registry).revoked == (f"{serial_hash(leaf_of(issued).serial_number):016x}",)
    refused = await renew(registry, issued.json["certificate"], key, Key())
    assert (refused.status, refused.json["detail"]) == (401, "the certificate was revoked")
    assert (await enrol(registry, unused, Key())).status == 401
    assert (await renew(registry, other.json["certificate"], neighbour, Key())).status == 201
    number = leaf_of(issued).serial_number
    for written in (issued.json["serial"].upper(), f"{number:x}", bytes.fromhex(issued.json["serial"]).hex(":")):
        again = await registry.call("POST", "/v1/identity/revocations", {"serial": written})
        assert (again.status, again.json["serials"]) == (200, []), written
    assert (await registry.call("POST", "/v1/identity/revocations", {"serial": "0x1g"})).status == 422
    unknown = await registry.call("POST", "/v1/identity/revocations", {"serial": "00" * 16})
    assert unknown.status == 404
    slip = f"{issued.json['serial'][:-1]}{'0' if issued.json['serial'][-1] != '0' else '1'}"
    for body, meant in (({"subject": "shop/boks"}, "shop/books"), ({"serial": slip}, issued.json["serial"])):
        missed = await registry.call("POST", "/v1/identity/revocations", body)
        assert (missed.status, f"did you mean {meant}?" in missed.json["mend"]) == (404, True), missed
    assert (await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/books"})).json["serials"] == []
    await token_for(registry, "shop/new")  # its unused token is all that there is of it
    assert (await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/new"})).status == 200
    rows = (await registry.call("GET", "/v1/identity/certificates?subject=shop/books")).json["items"]
    assert [(row["revoked_by"], row["reason"]) for row in rows] == [("loopback", "stolen")]


async def test_what_is_revoked_is_told_a_while_longer_than_slow_clocks_could_believe_it(
    registry: RunningRegistry,
) -> None:
    await begin(registry)
    key, store = Key(), registry.core.store
    issued = await enrol(registry, await token_for(registry), key)
    (row,) = await store.do([read_certificate(issued.json["serial"])])
    now = time.time()
    told = {}
    for serial, end in (("1a", now - 200.0), ("1b", now - 400.0)):
        over = msgspec.structs.replace(certificate_of(row[0]), serial=serial, not_after=end)
        await store.do([add_certificate(over), revoke_certificate(serial, end - 1.0, by="me", reason="")])
        told[serial] = f"{serial_hash(int(serial, 16)):016x}"
    await registry.core.identity.publisher.publish()
    assert bundle_of(registry).revoked == (told["1a"],)


async def test_a_restored_revision_brings_no_revoked_certificate_back(registry: RunningRegistry) -> None:
    await begin(registry)
    await enrol(registry, await token_for(registry), Key())
    before = registry.core.view.revision
    await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/books"})
    restored = await registry.call("POST", f"/v1/revisions/{before}/restore")
    assert restored.status == 200, restored
    assert len(bundle_of(registry).revoked) == 1


async def test_people_can_neither_write_nor_delete_what_the_registry_tells_of_trust(registry: RunningRegistry) -> None:
    await begin(registry)
    document = {
        "apiVersion": "meshway/v1",
        "kind": "TrustBundle",
        "metadata": {"name": "mesh", "namespace": "mesh"},
        "spec": {"trust_domain": "mesh.internal", "generation": 99},
    }
    written = await registry.call("POST", "/v1/apply", {"documents": [document]})
    assert (written.status, written.json["errors"][0]["code"]) == (422, "forbidden_kind")
    key = {"kind": "TrustBundle", "namespace": "mesh", "name": "mesh"}
    deleted = await registry.call("POST", "/v1/apply", {"delete": [key]})
    assert (deleted.status, deleted.json["errors"][0]["code"]) == (422, "unknown_kind")
    for method, body in (("PUT", document), ("DELETE", None)):
        answer = await registry.call(method, "/v1/namespaces/mesh/trust-bundles/mesh", body)
        assert answer.status == 404
    assert bundle_of(registry).generation == 1


async def test_a_service_token_names_who_asked_and_falls_with_its_certificate(registry: RunningRegistry) -> None:
    await begin(registry)
    key = Key()
    issued = await enrol(registry, await token_for(registry), key)
    now = int(time.time())
    body = {"certificate": issued.json["certificate"], "at": now, "proof": key.token_proof(now)}
    answer = await registry.call("POST", "/v1/identity/tokens", body)
    assert answer.status == 201
    keys = KeySet(read_keys({"keys": [_jwk(each) for each in bundle_of(registry).token_keys]}))
    rules = TokenRules("spiffe://mesh.internal", frozenset({"meshway"}), frozenset({"ES256"}))
    claims = verify(answer.json["token"].encode(), rules, keys, time.time())
    assert claims["sub"] == "spiffe://mesh.internal/ns/shop/svc/books"
    assert claims["cert"] == f"{serial_hash(leaf_of(issued).serial_number):016x}"
    assert 3500 < claims["exp"] - now <= 3600
    with pytest.raises(TokenFault):
        verify(answer.json["token"].encode(), rules, keys, time.time() + 3700)
    stale = body | {"at": now - 120, "proof": key.token_proof(now - 120)}
    assert (await registry.call("POST", "/v1/identity/tokens", stale)).status == 401
    thief = body | {"proof": Key().token_proof(now)}
    assert (await registry.call("POST", "/v1/identity/tokens", thief)).status == 401
    await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/books"})
    assert (await registry.call("POST", "/v1/identity/tokens", body)).status == 401


def _jwk(key: Any) -> dict[str, str]:
    return {"kty": key.kty, "crv": key.crv, "alg": key.alg, "use": key.use, "kid": key.kid, "x": key.x, "y": key.y}


async def rotate(registry: RunningRegistry, step: str = "next") -> Answer:
    return await registry.call("POST", "/v1/identity/rotation", {"step": step})


async def test_a_new_root_waits_for_every_gateway_and_every_certificate(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begin(registry)
    old_root = next(row["id"] for row in first["authorities"] if row["role"] == "root")
    key = Key()
    issued = await enrol(registry, await token_for(registry), key)
    begun = (await rotate(registry)).json
    assert (begun["phase"], len(bundle_of(registry).roots)) == ("trust_both", 2)
    registry.gateways.report(Report(node="g1", revision=begun["revision"] - 1))
    waiting = await rotate(registry)
    assert (waiting.status, waiting.json["code"]) == (409, "not_confirmed")
    assert "g1" in waiting.json["waits_for"][0]
    assert "programs ask for the roots" in waiting.json["waits_for"][1]
    monkeypatch.setattr(registry.core.identity.rotation, "_settle_s", 0.0)
    assert (await rotate(registry)).json["waits_for"] == waiting.json["waits_for"][:1]
    registry.gateways.report(Report(node="g1", revision=begun["revision"]))

    moved = (await rotate(registry)).json
    assert moved["phase"] == "issue_new"
    registry.gateways.report(Report(node="g1", revision=moved["revision"]))
    late = await rotate(registry)
    assert "shop/svc/books" in late.json["waits_for"][0], "its certificate is of the old root"
    following = Key()
    renewed = await renew(registry, issued.json["certificate"], key, following)
    assert renewed.status == 201
    assert leaf_of(renewed).issuer != leaf_of(issued).issuer

    done = (await rotate(registry)).json
    assert done["phase"] == "all_renewed"
    registry.gateways.report(Report(node="g1", revision=done["revision"]))
    settled = (await rotate(registry)).json
    assert (settled["phase"], len(bundle_of(registry).roots)) == ("settled", 1)
    assert old_root not in {row["id"] for row in settled["authorities"]}
    assert (await renew(registry, renewed.json["certificate"], following, Key())).status == 201
    assert SETTLE_S > 120


async def test_a_change_of_the_root_can_be_taken_back_until_the_last_step(
    registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begin(registry)
    monkeypatch.setattr(registry.core.identity.rotation, "_settle_s", 0.0)
    before = (await registry.call("GET", "/v1/identity/trust")).json["roots"]
    key = Key()
    issued = await enrol(registry, await token_for(registry), key)
    assert (await rotate(registry, "back")).json["code"] == "nothing_to_take_back"
    assert (await rotate(registry)).json["phase"] == "trust_both"
    assert (await rotate(registry)).json["phase"] == "issue_new"
    following = Key()
    renewed = await renew(registry, issued.json["certificate"], key, following)
    assert (await rotate(registry)).json["phase"] == "all_renewed"
    assert (await rotate(registry, "back")).json["phase"] == "issue_new"
    assert (await rotate(registry, "back")).json["phase"] == "trust_both"
    used = await rotate(registry, "back")
    assert (used.status, used.json["code"]) == (409, "root_in_use"), "a certificate would be left without its root"
    last = Key()
    old = await renew(registry, renewed.json["certificate"], following, last)
    assert leaf_of(old).issuer == leaf_of(issued).issuer
    assert (await rotate(registry, "back")).json["phase"] == "settled"
    assert (await registry.call("GET", "/v1/identity/trust")).json["roots"] == before
    kept = {row["id"] for row in first["authorities"]}
    shown = (await registry.call("GET", "/v1/identity")).json
    assert {row["id"] for row in shown["authorities"]} == kept
    assert (await renew(registry, old.json["certificate"], last, Key())).status == 201


async def test_the_roots_key_is_taken_away_and_brought_back_for_another_intermediate(registry: RunningRegistry) -> None:
    await begin(registry)
    key = (await registry.call("POST", "/v1/identity/root-key")).json["key"]
    again = await registry.call("POST", "/v1/identity/root-key")
    assert (again.status, again.json["code"]) == (409, "key_offline")
    without = await registry.call("POST", "/v1/identity/rotation", {"what": "intermediate"})
    assert (without.status, without.json["code"]) == (409, "key_offline")
    another = Key().pem
    foreign = await registry.call("POST", "/v1/identity/rotation", {"what": "intermediate", "root_key": another})
    assert foreign.status == 422
    renewed = await registry.call("POST", "/v1/identity/rotation", {"what": "intermediate", "root_key": key})
    assert renewed.status == 200, renewed
    root = next(row for row in renewed.json["authorities"] if row["role"] == "root")
    assert not root["has_key"], "brought for once"
    assert root["certificate"].startswith("-----BEGIN CERTIFICATE-----"), "what others are to trust"
    assert (await enrol(registry, await token_for(registry), Key())).status == 201


async def test_after_a_kill_the_feed_is_told_what_the_tables_say(tmp_path: Path) -> None:
    """The revocation was written, and the registry died before it told."""
    async with running_registry(tmp_path) as registry:
        await begin(registry)
        await enrol(registry, await token_for(registry), Key())

        async def died() -> int:
            return 0

        registry.core.identity.publisher.publish = died  # type: ignore[method-assign]
        await registry.core.identity.revocation.revoke(subject="shop/books", by="me")
        assert bundle_of(registry).revoked == ()
    async with running_registry(tmp_path) as registry:
        await until(lambda: len(bundle_of(registry).revoked) == 1)


async def test_an_intermediate_of_a_companys_own_root_issues(registry: RunningRegistry) -> None:
    from registry.identity.issuing import new_intermediate, new_key, new_root

    root_key, key = new_key(), new_key()
    root = new_root(root_key, "corp.example", time.time())
    intermediate = new_intermediate(key.public_key(), root, root_key, "corp.example", time.time())

    def pem(one: x509.Certificate) -> str:
        return one.public_bytes(serialization.Encoding.PEM).decode()

    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    body = {"trust_domain": "corp.example", "root": pem(root), "intermediate": pem(intermediate), "key": private}
    stranger = new_root(new_key(), "corp.example", time.time())
    for wrong in (body | {"root": pem(stranger)}, body | {"key": Key().pem}, body | {"key": ""}):
        assert (await registry.call("POST", "/v1/identity/authority", wrong)).status == 422
    assert (await registry.call("POST", "/v1/identity/authority", body)).status == 201
    assert (await registry.call("POST", "/v1/identity/authority", body)).json["code"] == "authority_exists"
    issued = await enrol(registry, await token_for(registry), Key())
    assert issued.json["subject"] == "spiffe://corp.example/ns/shop/svc/books"
    assert (await registry.call("POST", "/v1/identity/root-key")).json["code"] == "key_offline"


async def test_without_an_authority_each_question_says_how_to_begin(registry: RunningRegistry) -> None:
    for method, path, body in (
        ("GET", "/v1/identity", None),
        ("POST", "/v1/identity/enrolments", {"subject": "shop/books"}),
        ("POST", "/v1/identity/revocations", {"subject": "shop/books"}),
    ):
        answer = await registry.call(method, path, body)
        assert (answer.status, answer.json["mend"]) == (409, "meshway ca init"), path


@pytest.mark.proves("MeshSettings.identity", "Identity.leaf_lifetime")
async def test_the_lifetime_of_certificates_is_the_meshs_to_say(registry: RunningRegistry) -> None:
    await begin(registry)
    settings = {
        "apiVersion": "meshway/v1",
        "kind": "MeshSettings",
        "metadata": {"name": "mesh", "namespace": "mesh"},
        "spec": {"identity": {"leaf_lifetime": "2h"}},
    }
    assert (await registry.call("POST", "/v1/apply", {"documents": [settings]})).status == 200
    issued = (await enrol(registry, await token_for(registry), Key())).json
    assert 7200 - 60 < issued["not_after"] - time.time() <= 7200


async def test_a_restored_backup_knows_the_certificates_of_its_time_and_issues_on(tmp_path: Path) -> None:
    file, key = tmp_path / "backup", Key()
    async with running_registry(tmp_path / "one") as registry:
        await begin(registry)
        issued = await enrol(registry, await token_for(registry), key)
        await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/cart"})
        roots = (await registry.call("GET", "/v1/identity/trust")).json["roots"]
        file.write_bytes((await registry.call("GET", "/v1/backup")).body)
    assert b"PRIVATE KEY" not in gzip.decompress(file.read_bytes())
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "one" / MASTER_KEY_FILE, tmp_path / "two")
    async with running_registry(tmp_path / "two") as registry:
        await begin(registry)  # an authority of its own, and a data key
    store = SqliteStore(tmp_path / "two")
    await restore_backup(file, store, at=time.time())
    await store.close()
    async with running_registry(tmp_path / "two") as registry:
        assert (await registry.call("GET", "/v1/identity/trust")).json["roots"] == roots
        assert (await renew(registry, issued.json["certificate"], key, Key())).status == 201
        assert bundle_of(registry).roots == (roots,)


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


async def service_token(registry: RunningRegistry, subject: str) -> str:
    key, now = Key(), int(time.time())
    issued = (await enrol(registry, await token_for(registry, subject), key)).json
    body = {"certificate": issued["certificate"], "at": now, "proof": key.token_proof(now)}
    return str((await registry.call("POST", "/v1/identity/tokens", body)).json["token"])


async def test_a_service_signs_in_by_its_token_and_registers_itself_alone(registry: RunningRegistry) -> None:
    await begin(registry)
    line = bearer(await service_token(registry, "shop/books"))
    instances = "/v1/namespaces/shop/services/{}/instances/i1"
    assert (await registry.call("PUT", instances.format("books"), {"port": 9000}, line)).status == 201
    assert (await registry.call("PUT", instances.format("payments"), {"port": 9000}, line)).status in (403, 404)
    other = "/v1/namespaces/default/services/books/instances/i1"
    assert (await registry.call("PUT", other, {"port": 9000}, line)).status in (403, 404)
    assert (await registry.call("POST", "/v1/apply", {"documents": []}, line)).status in (403, 404)
    session = (await registry.call("GET", "/v1/session", None, line)).json
    assert session["principal"] == "spiffe://mesh.internal/ns/shop/svc/books"
    await registry.call("POST", "/v1/identity/revocations", {"subject": "shop/books"})
    refused = await registry.call("PUT", instances.format("books"), {"port": 9000}, line)
    assert (refused.status, "revoked" in refused.json["detail"]) == (401, True)
    for wrong in ("a.b.c", line.removeprefix("Authorization: Bearer ")[:-3] + "AAA"):
        answer = await registry.call("PUT", instances.format("books"), {"port": 9000}, f"Authorization: Bearer {wrong}")
        assert answer.status == 401


async def test_a_gateway_signs_in_by_its_token_and_may_what_gateways_may(registry: RunningRegistry) -> None:
    await begin(registry)
    line = bearer(await service_token(registry, "gateway/gw-1"))
    assert (await registry.call("POST", "/v1/reports", {"node": "gw-1"}, line)).status < 300
    assert (await registry.call("GET", "/v1/backup", None, line)).status == 403
    instance = "/v1/namespaces/shop/services/books/instances/i1"
    assert (await registry.call("PUT", instance, {"port": 9000}, line)).status in (403, 404)


async def test_a_stream_is_cut_when_the_certificate_behind_its_token_is_revoked(registry: RunningRegistry) -> None:
    await begin(registry)
    line = bearer(await service_token(registry, "gateway/gw-1"))
    async with RawClient(registry.port) as client:
        client.send("GET", "/v1/feed", None, line)
        assert (await client.head()).status == 200
        request = next(iter(registry.surface.connections))._request
        assert request is not None
        caller, sign_in = request.caller, registry.core.callers.sign_in
        assert sign_in.is_still(caller)
        await registry.call("POST", "/v1/identity/revocations", {"subject": "gateway/gw-1"})
        assert not sign_in.is_still(caller)


async def test_a_key_that_the_master_key_does_not_open_signs_nothing_and_says_so(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await begin(registry)
        token, key = await token_for(registry), Key()
        custody = registry.core.identity.custody
        custody._sealing = Sealing(secrets.token_bytes(32))
        refused = await enrol(registry, token, key)
        assert (refused.status, refused.json["code"]) == (503, "key_unreadable")
        custody._sealing = registry.core.sealing
        assert (await enrol(registry, token, key)).status == 201, "the token was not spent"
