"""A backup over real sockets, and what stands after it was restored."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from meshway.audit import NOTHING_FORGOTTEN, REGISTRY, RETENTION, AuditHead, AuditRow, fault_of, forgotten
from meshway.snapshot import FrameReader
from registry.backup.archive import BrokenArchive, read_archive
from registry.backup.restoring import SealedElsewhere, check_backup, own_of, restore_backup
from registry.backup.sealed import LINE, SealedFile, SealedReader, Sealer
from registry.backup.taking import held_by_store, take_backup
from registry.people.totp import STEP_S, code_at
from registry.revisions.acts import Actor, Noted
from registry.revisions.draft import OfPeople
from registry.rights.caller import TRUSTED
from registry.rights.records import Binding, User
from registry.rights.token import Grant
from registry.store.audit import forget_audit
from registry.store.interface import Batch
from registry.store.postgres.store import open_postgres
from registry.store.sqlite import SqliteStore
from tests.parts.people import PASSWORD, Browser, made_user, signed_in
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer, made_token
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from registry.revisions.draft import Draft
    from registry.store.interface import HistoryRecord, Loaded, Store
    from tests.parts.postgres import Postgres

ROUTE = "/v1/namespaces/shop/routes/cart"
SPEC: dict[str, Any] = {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "cart"}]}]}


async def fill(registry: RunningRegistry) -> None:
    """Instances of every wanted status, documents with a past, one of them deleted, and an Idempotency-Key."""
    instances = "/v1/namespaces/shop/services/cart/instances"
    for at in range(3):
        await registry.call("PUT", f"{instances}/c-{at}", {"port": 9000 + at, "tags": ["a", "b"]})
    await registry.call("PATCH", f"{instances}/c-1", {"status": "draining"})
    await registry.call("PATCH", f"{instances}/c-2", {"status": "maintenance"}, "Idempotency-Key: once")
    await registry.call("PUT", ROUTE, {"spec": SPEC})
    await registry.call("PUT", ROUTE, {"spec": SPEC | {"priority": 3}})
    gone = "/v1/namespaces/shop/routes/gone"
    assert (await registry.call("PUT", gone, {"spec": SPEC | {"hosts": ["gone.example"]}})).status == 201
    assert (await registry.call("DELETE", gone)).status == 204


async def held(store: Store) -> tuple[Loaded, list[HistoryRecord]]:
    return await store.load(), await store.history(2**62, 1000)


async def take(registry: RunningRegistry, file: Path) -> int:
    answer = await registry.call("GET", "/v1/backup")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/gzip")
    file.write_bytes(answer.body)
    return int(answer.headers["meshway-revision"])


async def test_catalogue_documents_and_history_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        revision = await take(registry, file)
        before, history = await held(registry.core.store)
        shown = (await registry.call("GET", "/v1/namespaces/shop/services/cart/instances")).json["items"]
        await registry.call("DELETE", ROUTE)
    assert check_backup(file).revision == revision == before.revision

    store = SqliteStore(tmp_path / "two")
    head = await restore_backup(file, store, at=time.time())
    after, restored_history = await held(store)
    await store.close()
    assert head == after.revision == revision + 1_000_000
    assert after.epoch != before.epoch
    assert (after.floor, after.instance_number) == (head + 1, before.instance_number)
    assert sorted(after.instances, key=str) == sorted(before.instances, key=str)
    assert sorted(after.documents, key=str) == sorted(before.documents, key=str)
    assert (set(after.namespaces), after.onces) == ({"default", *before.namespaces}, before.onces)
    assert len(after.onces) == 1
    assert restored_history == history
    assert len(history) == 4

    async with running_registry(tmp_path / "two") as registry:
        again = (await registry.call("GET", "/v1/namespaces/shop/services/cart/instances")).json["items"]
        assert [row | {"expires_in_s": 0} for row in again] == [row | {"expires_in_s": 0} for row in shown]
        assert all(row["expires_in_s"] > 25 for row in again)
        lease = next(row.lease_id for row in registry.core.view.services["shop", "cart"].values())
        assert (await registry.call("POST", "/v1/heartbeats", {"leases": [lease]})).json["renewed"] == 1
        assert (await registry.call("GET", ROUTE)).json["spec"]["priority"] == 3
        entries = (await registry.call("GET", "/v1/revisions?kind=Route&namespace=shop&name=cart")).json["items"]
        assert [entry["documents"][0]["result"] for entry in entries] == ["changed", "created"]
        patched = await registry.call("POST", f"/v1/revisions/{revision}/restore")
        assert patched.json["revision"] == head


async def test_who_follows_from_before_gets_a_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        revision = await take(registry, file)
        epoch = registry.core.view.epoch
    store = SqliteStore(tmp_path / "two")
    await restore_backup(file, store, at=time.time())
    await store.close()
    async with running_registry(tmp_path / "two") as registry:
        for since in (revision, revision + 7):  # up to date, and one who saw what is lost now
            assert b"event: snapshot" in await stream(registry, f"/v1/watch?since={since}", b"event: snapshot")
        data = await stream(registry, f"/v1/feed?since={revision}&epoch={epoch}&node=g", b"snapshot_end")
        frames = [type(frame).__name__ for frame in FrameReader().feed(data)]
        assert frames[:3] == ["Hello", "Reset", "Snapshot"]


async def stream(registry: RunningRegistry, path: str, until: bytes) -> bytes:
    """What a streamed answer said until it held `until`."""
    data = b""
    async with RawClient(registry.port) as client:
        client.send("GET", path)
        assert (await client.head()).status == 200
        while until not in data:
            data += await client.piece()
    return data


async def test_a_bit_flipped_anywhere_is_found_or_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await take(registry, file)
    whole, frames, found = file.read_bytes(), list(read_archive(file)), 0
    step = max(1, len(whole) // 300)
    for at in range(0, len(whole), step):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            # A gzip file has bits that mean nothing here: its time, and what fills the last byte of a block.
            assert list(read_archive(file)) == frames
        except BrokenArchive:
            found += 1
    assert found > 0.9 * len(whole) / step


@pytest.mark.parametrize("harm", ["cut", "flipped", "longer", "empty", "other"])
async def test_a_file_that_is_not_whole_is_refused_and_nothing_changes(tmp_path: Path, harm: str) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await take(registry, file)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:-9],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "longer": whole + whole,
            "empty": b"",
            "other": b"no backup at all",
        }[harm]
    )
    store = SqliteStore(tmp_path / "one")
    before = await held(store)
    with pytest.raises(BrokenArchive):
        await restore_backup(file, store, at=time.time())
    assert await held(store) == before
    await store.close()


async def test_a_mesh_moves_from_sqlite_to_postgresql_and_back(tmp_path: Path, postgres: Postgres) -> None:
    first = tmp_path / "first"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await take(registry, first)
        before, history = await held(registry.core.store)
    async with open_postgres(postgres.new_database()) as shared:
        await restore_backup(first, shared, at=time.time())
        moved, moved_history = await held(shared)
        second = tmp_path / "second"
        with second.open("wb") as opened:
            async for piece in take_backup(held_by_store(moved), shared, version="1", at=time.time()):
                opened.write(piece)
    store = SqliteStore(tmp_path / "two")
    await restore_backup(second, store, at=time.time())
    back, back_history = await held(store)
    await store.close()
    assert history == moved_history == back_history
    for found in (moved, back):
        assert sorted(found.instances, key=str) == sorted(before.instances, key=str)
        assert sorted(found.documents, key=str) == sorted(before.documents, key=str)
        assert (found.instance_number, set(found.namespaces)) == (before.instance_number, {"default", "shop"})
    assert before.revision < moved.revision < back.revision
    assert len({before.epoch, moved.epoch, back.epoch}) == 3


async def test_a_broken_file_leaves_a_postgresql_store_as_it_was(tmp_path: Path, postgres: Postgres) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await take(registry, file)
    async with open_postgres(postgres.new_database()) as shared:
        await restore_backup(file, shared, at=time.time())
        before = await held(shared)

        def chunks() -> Iterator[Batch]:
            yield Batch(epoch="other", base=0, head=9, instance_number=1, at=1.0, namespaces=["lost"])
            raise BrokenArchive("cut in the middle")

        with pytest.raises(BrokenArchive):
            await shared.restore(chunks())
        assert await held(shared) == before


async def test_registries_that_run_over_the_database_go_on_from_what_was_restored(
    tmp_path: Path, postgres: Postgres
) -> None:
    url, file = postgres.new_database(), tmp_path / "backup"
    async with running_registry(tmp_path / "one", database_url=url) as registry:
        await fill(registry)
        await take(registry, file)
        epoch = registry.core.view.epoch
        await registry.call("DELETE", ROUTE)
        assert (await registry.call("GET", ROUTE)).status == 404
        async with open_postgres(url) as other:
            head = await restore_backup(file, other, at=time.time())
        async with asyncio.timeout(10):
            while registry.core.view.revision < head:
                await asyncio.sleep(0.02)
        assert registry.core.view.epoch != epoch
        assert (await registry.call("GET", ROUTE)).json["spec"]["priority"] == 3
        assert (await registry.register("late", "l-1")).json["revision"] == head + 1


class Known(msgspec.Struct, OfPeople, frozen=True):
    """A user, one who is gone, a role, and a session, which is of one registry alone."""

    size = 100

    def judge(self, draft: Draft) -> None:
        user = User(name="ann", mark="m", hash="$argon2id$", totp=b"sealed", created_at=1.0, created_by="loopback")
        draft.put_person("user", "ann", msgspec.msgpack.encode(user))
        draft.put_person("user", "bob", None, time.time() + 1e6)
        grant = Binding(
            kind="user", subject="ann", grant=Grant(role="viewer", namespace="shop"), created_at=1.0, created_by="x"
        )
        draft.put_person("binding", grant.id, msgspec.msgpack.encode(grant))
        draft.put_person("session", "s-1", b"x", time.time() + 1e6)


async def with_callers(registry: RunningRegistry) -> str:
    """A token, a user with a role and some rows of the audit log; the line that shows the token."""
    await fill(registry)
    line = await bearer(registry, "ci", "admin")
    gone = await made_token(registry, "gone", "viewer")
    await registry.core.callers.tokens.revoke(TRUSTED, gone.id)
    await registry.core.revisions.submit(Known())
    return line


async def whole_log(registry: RunningRegistry, *lines: str) -> tuple[list[AuditRow], AuditHead, AuditHead]:
    page = (await registry.call("GET", "/v1/audit?after=0&limit=1000", None, *lines)).body
    read = msgspec.json.decode(page, type=Log)
    return read.items, read.head, read.forgotten


class Log(msgspec.Struct):
    items: list[AuditRow]
    head: AuditHead
    forgotten: AuditHead = NOTHING_FORGOTTEN


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_callers_and_the_audit_log_come_back_and_the_chain_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    file, settings = tmp_path / "backup", dict[str, Any]()
    if kind == "postgres":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    async with running_registry(tmp_path / "one", **settings) as registry:
        line = await with_callers(registry)
        await registry.core.store.do(forget_audit(1, (await registry.core.store.audit_after(0, 1))[0].hash))
        told = Noted(Actor(REGISTRY, "", RETENTION), forgotten(1, (await cut(registry)).hash))
        await registry.core.revisions.submit(told)
        rows, head, begun = await whole_log(registry)
        assert fault_of(rows, head, begun) is None
        await take(registry, file)
        tokens = await registry.core.store.tokens()
        people = [row for row in await registry.core.store.people() if row.value and row.kind != "session"]
    settings = {"database_url": request.getfixturevalue("postgres").new_database()} if settings else {}
    if not settings:  # over PostgreSQL there is none unless one is named
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "master.key").write_bytes((tmp_path / "one" / "master.key").read_bytes())
        (tmp_path / "two" / "master.key").chmod(0o600)
    if settings:
        async with open_postgres(settings["database_url"]) as store:
            await restore_backup(file, store, at=time.time())
    else:
        embedded = SqliteStore(tmp_path / "two")
        await restore_backup(file, embedded, at=time.time())
        await embedded.close()
    async with running_registry(tmp_path / "two", trusts_loopback=False, **settings) as registry:
        assert sorted(await registry.core.store.tokens(), key=str) == sorted(tokens, key=str)
        assert sorted(await registry.core.store.people(), key=str) == sorted(people, key=str)
        again, restored, restored_begun = await whole_log(registry, line)
        assert (again, restored, restored_begun) == (rows, head, begun)
        assert (await registry.call("DELETE", ROUTE, None, line)).status == 204
        after, last, _ = await whole_log(registry, line)
        assert after[-1].seq == last.seq == head.seq + 1
        assert fault_of(after, last, begun) is None


async def cut(registry: RunningRegistry) -> AuditHead:
    return (await whole_log(registry))[2]


async def test_a_store_with_callers_and_a_log_of_its_own_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await with_callers(registry)
        await take(registry, file)
    async with running_registry(tmp_path / "two") as registry:
        line = await bearer(registry, "own", "admin")
        await registry.register("own", "o-1")
        own = await whole_log(registry)
    store = SqliteStore(tmp_path / "two")
    await restore_backup(file, store, at=time.time())
    assert [record.name for record in await store.tokens()] == ["own"]
    assert await store.people() == []
    await store.close()
    (tmp_path / "two" / "master.key").write_bytes((tmp_path / "one" / "master.key").read_bytes())
    async with running_registry(tmp_path / "two", trusts_loopback=False) as registry:
        assert await whole_log(registry, line) == own
        assert (await registry.call("GET", ROUTE, None, line)).status == 200


async def with_codes(registry: RunningRegistry, name: str) -> bytes:
    """A user whose app tells codes; its secret."""
    browser = await signed_in(registry, name, "admin")
    secret = base64.b32decode((await browser.call("POST", "/v1/session/totp")).json["secret"])
    given = {"totp": code_at(secret, int(time.time()) // STEP_S - 1)}
    assert (await browser.call("PUT", "/v1/session/totp", given)).status == 204
    return secret


async def signs_in(registry: RunningRegistry, name: str, secret: bytes) -> int:
    code = code_at(secret, int(time.time()) // STEP_S + 1)
    return (await Browser(registry).sign_in(name, totp=code)).status


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_users_that_a_store_keeps_still_sign_in_by_their_codes(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    bare, sealed, settings = tmp_path / "bare", tmp_path / "sealed", dict[str, Any]()
    if kind == "postgres":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
        settings["master_key_file"] = tmp_path / "two.key"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await take(registry, bare)
        await made_user(registry, "eve", "admin")
        await take(registry, sealed)
    async with running_registry(tmp_path / "two", trusts_loopback=False, **settings) as registry:
        secret = await with_codes(registry, "ann")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        if settings:
            async with open_postgres(settings["database_url"]) as store:
                yield store
        else:
            embedded = SqliteStore(tmp_path / "two")
            yield embedded
            await embedded.close()

    async with opened() as store:
        before = await held(store), await store.people(), await store.data_keys()
        with pytest.raises(SealedElsewhere, match="ann could not sign in any more"):
            await restore_backup(sealed, store, at=time.time())
        assert (await held(store), await store.people(), await store.data_keys()) == before
        await restore_backup(bare, store, at=time.time())
    async with running_registry(tmp_path / "two", trusts_loopback=False, **settings) as registry:
        assert await signs_in(registry, "ann", secret) == 201


async def test_a_store_that_was_only_started_takes_callers_and_its_first_link_is_over(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with running_registry(tmp_path / "one") as registry:
        await fill(registry)
        await made_user(registry, "ann", "admin")
        await take(registry, file)
    async with running_registry(tmp_path / "two", trusts_loopback=False) as registry:
        link = await registry.core.callers.users.first_link()
        assert link is not None
    store = SqliteStore(tmp_path / "two")
    assert (await own_of(store)).callers is False
    await restore_backup(file, store, at=time.time())
    await store.close()
    (tmp_path / "two" / "master.key").write_bytes((tmp_path / "one" / "master.key").read_bytes())
    async with running_registry(tmp_path / "two", trusts_loopback=False) as registry:
        assert (await Browser(registry).sign_in("ann")).status == 201
        wanted = {"token": link.token, "name": "mallory", "password": PASSWORD}
        refused = await registry.call("POST", "/v1/session/setup", wanted)
        assert (refused.status, refused.json["code"]) == (401, "void_link")


async def test_a_sealed_file_opens_by_its_key_and_whole_alone(tmp_path: Path) -> None:
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    async with running_registry(tmp_path / "one") as registry:
        await with_callers(registry)
        await take(registry, plain)
    key, content = secrets.token_bytes(32), plain.read_bytes()
    seal(sealed, key, content, 700)
    assert list(read_archive(sealed, key)) == list(read_archive(plain))
    assert content[:2000] not in sealed.read_bytes()
    for other in (None, secrets.token_bytes(32)):
        with pytest.raises(BrokenArchive):
            check_backup(sealed, other)
    whole = sealed.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 200)):
        sealed.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(BrokenArchive):
            check_backup(sealed, key)
    for harmed in (whole[:-1], whole + b"x", whole + whole, whole[: len(whole) // 2], whole[:30]):
        sealed.write_bytes(harmed)
        with pytest.raises(BrokenArchive):
            check_backup(sealed, key)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 7])
def test_what_was_sealed_comes_back_whatever_its_size(tmp_path: Path, size: int) -> None:
    key, content, file = secrets.token_bytes(32), secrets.token_bytes(size), tmp_path / "sealed"
    seal(file, key, content, 300_000)
    with file.open("rb") as opened:
        assert SealedReader(opened, key).read() == content
    if size > 1 << 20:
        whole = file.read_bytes()
        first = len(LINE) + 16 + 4 + int.from_bytes(whole[len(LINE) + 16 :][:4], "big")
        file.write_bytes(whole[:first])  # a whole piece, and no more
        with file.open("rb") as opened, pytest.raises(SealedFile):
            SealedReader(opened, key).read()


def seal(file: Path, key: bytes, content: bytes, step: int) -> None:
    with file.open("wb") as opened:
        sealer = Sealer(opened.write, key)
        for at in range(0, len(content), step):
            sealer.add(content[at : at + step])
        sealer.end()
