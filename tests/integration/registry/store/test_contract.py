"""What every store promises, asked of each of them on its real database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from registry.store.alerts import (
    add_silence,
    end_silence,
    forget_resolved,
    forget_silences,
    forget_state,
    live_states,
    put_state,
    resolved_states,
    silences,
)
from registry.store.interface import (
    DocumentRecord,
    HeadMoved,
    HistoryForgotten,
    HistoryRecord,
    OnceRecord,
    PeopleRecord,
    Store,
    StoreUnavailable,
)
from registry.store.people import forget_people
from tests.parts.postgres import Postgres
from tests.parts.store_records import batch, change, history, instance, opener

Open = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["sqlite", "postgres"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store; each time on the same data."""

    def new_database() -> str:
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()

    return opener(request.param, tmp_path, new_database)


async def test_what_was_committed_is_there_after_a_restart(again: Open) -> None:
    document = DocumentRecord("Route", "default", "r", 2, 1.0, 2.0, "me", b"d")
    rows = {"instances": [instance(1)], "documents": [document], "namespaces": ["default", "shop"]}
    async with again() as store:
        first = await store.load()
        assert (first.revision, first.floor, first.at, first.instances) == (0, 1, None, [])
        await store.commit(batch(first.epoch, 0, 2, changes=[change(1), change(2)], **rows))
    async with again() as store:
        found = await store.load()
    assert (found.epoch, found.revision, found.floor, found.at) == (first.epoch, 2, 1, 2.0)
    assert (found.instances, found.documents, found.instance_number) == ([instance(1)], [document], 2)
    assert found.namespaces == ["default", "shop"]


async def test_rows_are_replaced_and_taken_out(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        many = [instance(1, f"b{at}") for at in range(300)]
        documents = [DocumentRecord("Route", "default", f"r{at}", 1, 1.0, 1.0, "me", b"d") for at in range(3)]
        changes = [change(1, at) for at in range(300)]
        await store.commit(batch(epoch, 0, 1, instances=many, documents=documents, changes=changes))
        gone = {"gone_instances": [("default", "books", "b1")], "gone_documents": [("Route", "default", "r1")]}
        await store.commit(batch(epoch, 1, 2, instances=[instance(2, "b0")], changes=[change(2)], **gone))
        found = await store.load()
    instances = {row.id: row for row in found.instances}
    assert len(instances) == 299
    assert "b1" not in instances
    assert instances["b0"].value == b"v2"
    assert sorted(row.name for row in found.documents) == ["r0", "r2"]


async def test_a_moved_head_and_an_error_leave_nothing_behind(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        with pytest.raises(HeadMoved):
            await store.commit(batch(epoch, 5, 6, instances=[instance(6)]))
        with pytest.raises(StoreUnavailable):
            await store.commit(batch(epoch, 0, 1, instances=[instance(1)], changes=[change(1), change(1)]))
        assert store.missing() is not None
        found = await store.load()
        assert (found.revision, found.instances) == (0, [])
        await store.commit(batch(epoch, 0, 1, instances=[instance(1)], changes=[change(1)]))
        assert store.missing() is None


async def test_who_took_no_write_is_believed_only_when_a_write_is_taken(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        with pytest.raises(StoreUnavailable):
            await store.commit(batch(epoch, 0, 1, changes=[change(1), change(1)]))
        before = await store.load()
        await store.changes(1, 100)
        await store.forget_onces(0.0, 10)
        assert store.missing() is not None, "what reads, and what removes nothing, is no write"
        await store.try_write()
        assert store.missing() is None
        assert await store.load() == before, "nothing of the trial is left"
        assert await store.changes(0, 100) == []


async def test_the_log_is_read_in_whole_revisions(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        rows = [change(1), *[change(2, at) for at in range(5)], change(3, value=None)]
        await store.commit(batch(epoch, 0, 3, changes=rows))
        assert await store.changes(1, 3) == rows[:6]
        assert await store.changes(1, 1) == rows[:1]
        assert await store.changes(3, 10) == rows[6:]
        assert await store.changes(4, 10) == []


async def test_the_log_is_shortened_from_its_beginning(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 10, changes=[change(at) for at in range(1, 11)]))
        assert await store.revision_at(4.5) == 5
        assert await store.revision_at(99.0) is None
        assert [await store.revision_after(3, rows) for rows in (0, 2, 7, 8)] == [3, 5, 10, None]
        await store.compact(1, 5)
        found = await store.load()
        assert (found.floor, found.revision) == (5, 10)
        assert [row.revision for row in await store.changes(1, 100)] == [5, 6, 7, 8, 9, 10]


async def test_history_tells_what_stood_when(again: Open) -> None:
    rows = [
        history(1, "a", b"a1"), history(1, "b", b"b1"), history(2, "a", b"a2"), history(3, "b", None), history(4, "c"),
    ]  # fmt: skip
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 4, history=rows, changes=[change(at) for at in range(1, 5)]))
        assert [(row.name, row.value) for row in await store.documents_at(1)] == [("a", b"a1"), ("b", b"b1")]
        assert [(row.name, row.value) for row in await store.documents_at(3)] == [("a", b"a2")]
        assert await store.documents_at(0) == []
        assert [row.revision for row in await store.history(4, 2)] == [3, 2]
        assert [row.revision for row in await store.history(2, 9)] == [1, 1]
        assert await store.history_of(2) == [rows[2]]
        assert await store.history_of_document(("Route", "default", "a"), 9, 1) == [rows[2]]


async def test_a_key_without_a_change_is_kept_and_forgotten_with_age(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 0, onces=[OnceRecord("k", b"f", 5.0, b"a")]))
        assert await store.forget_onces(5.0, 10) == 0
        with pytest.raises((HeadMoved, StoreUnavailable)):
            await store.commit(batch(epoch, 1, 1, onces=[OnceRecord("l", b"f", 5.0, b"a")]))
        await store.commit(batch(epoch, 0, 0, onces=[OnceRecord("m", b"f", 4.0, b"a")]))
        assert [await store.forget_onces(5.1, 1) for _ in range(3)] == [1, 1, 0]
    async with again() as store:
        assert (await store.load()).onces == []
        await store.commit(batch(epoch, 0, 0, onces=[OnceRecord("k", b"f", 6.0, b"a")]))


async def test_of_a_persons_rows_the_youngest_stays_and_what_is_over_is_forgotten(again: Open) -> None:
    young = PeopleRecord("user", "ann", 3, None, b"3")
    over, later = PeopleRecord("session", "1", 1, 10.0), PeopleRecord("session", "2", 1, 20.0, b"s")
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 0, people=[young, over, later]))
        for version, stays in ((2, young), (3, young), (4, PeopleRecord("user", "ann", 4, None, None))):
            value = None if version == 4 else b"other"
            await store.commit(batch(epoch, 0, 0, people=[PeopleRecord("user", "ann", version, None, value)]))
            assert stays in await store.people()
        assert sorted((await store.load()).people, key=lambda one: one.id) == [over, later, stays]
        await store.do([forget_people(15.0)])
        assert over not in await store.people()
        assert later in await store.people()


async def test_a_restore_takes_the_place_of_everything(again: Open) -> None:
    async with again() as store:
        epoch = (await store.load()).epoch
        rows = {"instances": [instance(1)], "history": [history(1, "a")], "namespaces": ["old"]}
        await store.commit(batch(epoch, 0, 1, changes=[change(1)], **rows))
        chunks = [
            batch("e2", 0, 7, instances=[instance(7, f"b{at}") for at in range(3)], namespaces=["default"]),
            batch("e2", 0, 7, history=[history(3, "r")]),
        ]
        await store.restore(chunks)
        found = await store.load()
        assert (found.epoch, found.revision, found.floor, found.instance_number) == ("e2", 7, 8, 7)
        assert (len(found.instances), found.namespaces) == (3, ["default"])
        assert [row.name for row in await store.history(99, 9)] == ["r"]
        await store.commit(batch("e2", 7, 8, changes=[change(8)]))


async def test_a_single_registry_leads_whatever_it_asks_for(again: Open) -> None:
    async with again() as store:
        assert await store.lead("sweep")
        assert await store.lead("sweep")
        assert await store.lead("retention")


async def test_states_that_were_replaced_long_ago_are_forgotten_and_what_stood_then_is_kept(again: Open) -> None:
    rows = [
        at_moment(10.0, 1, "a", b"a1"),
        at_moment(10.0, 1, "gone", b"g1"),
        at_moment(20.0, 2, "stays", b"s2"),
        at_moment(30.0, 3, "a", b"a3"),
        at_moment(40.0, 4, "gone", None),
        at_moment(50.0, 5, "a", b"a5"),
        at_moment(60.0, 6, "gone", b"g6"),
    ]
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 6, history=rows, changes=[change(6)]))
        assert (await store.history_from(), await store.forget_history(5.0, 100)) == (0, 0)
        before = {revision: await store.documents_at(revision) for revision in range(1, 7)}
        for looked_at, begins in ((2, 1), (2, 3), (1, 4), (0, 4)):
            assert await store.forget_history(45.0, 2) == looked_at
            assert await store.history_from() == begins
            for revision in range(begins, 7):
                assert await store.documents_at(revision) == before[revision]
    async with again() as store:
        for revision in range(4, 7):
            assert await store.documents_at(revision) == before[revision]
        for revision in range(1, 4):
            with pytest.raises(HistoryForgotten) as forgotten:
                await store.documents_at(revision)
            assert forgotten.value.args == (4,)
        assert [row.revision for row in await store.history(7, 100)] == [6, 5, 3, 2]
        assert await store.forget_history(45.0, 2) == 0


async def test_a_deletion_never_goes_before_the_states_it_deleted(again: Open) -> None:
    rows = [at_moment(float(number), number, "a", b"v") for number in range(1, 6)] + [at_moment(6.0, 6, "a", None)]
    async with again() as store:
        epoch = (await store.load()).epoch
        await store.commit(batch(epoch, 0, 7, history=rows, changes=[change(7)]))
        while await store.forget_history(10.0, 1):
            assert await store.documents_at(7) == []
        assert await store.history(8, 100) == []


async def test_a_restored_history_begins_where_it_began(again: Open) -> None:
    async with again() as store:
        await store.load()
        await store.restore([batch("e", 0, 9, history=[history(7, "r")], history_from=7)])
        assert await store.history_from() == 7
        await store.tidy()
        with pytest.raises(HistoryForgotten):
            await store.documents_at(6)
        assert len(await store.documents_at(7)) == 1


def at_moment(at: float, revision: int, name: str, value: bytes | None) -> HistoryRecord:
    return HistoryRecord(revision, "Route", "default", name, at, "me", value)


async def test_states_of_alerts_and_silences_outlive_a_restart(again: Open) -> None:
    async with again() as store:
        await store.do(
            [
                put_state("e1", "pending", 1.0, b"one"),
                put_state("e2", "firing", 2.0, b"two"),
                put_state("e1", "resolved", 3.0, b"one over"),
                put_state("e3", "pending", 4.0, b"three"),
                forget_state("e3"),
                add_silence("s1", "shop", 50.0, b"quiet"),
                add_silence("s2", "*", 10.0, b"past"),
            ]
        )
    async with again() as store:
        found = await store.do([live_states(), resolved_states(9.0, 5), resolved_states(3.0, 5), silences(10.0)])
        assert found == [[(b"two",)], [(b"one over",)], [], [(b"quiet",)]]
        ended, unknown, *_ = await store.do([end_silence("s1"), end_silence("s9"), forget_resolved(4.0)])
        assert (ended, unknown) == ([(b"quiet",)], [])
        assert await store.do([resolved_states(9.0, 5), silences(0.0)]) == [[], [(b"past",)]]
        await store.do([forget_silences(11.0)])
        assert await store.do([silences(0.0)]) == [[]]
