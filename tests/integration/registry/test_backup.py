"""A backup over real sockets, and what stands after it was restored."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshway.snapshot import FrameReader
from registry.backup.archive import BrokenArchive, read_archive
from registry.backup.restoring import check_backup, restore_backup
from registry.backup.taking import held_by_store, take_backup
from registry.store.interface import Batch
from registry.store.postgres.store import open_postgres
from registry.store.sqlite import SqliteStore
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from collections.abc import Iterator

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
