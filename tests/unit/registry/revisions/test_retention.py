from __future__ import annotations

from typing import Any

import pytest

from registry.revisions.retention import Retention
from registry.store.interface import OnceRecord, StoreUnavailable
from registry.view.view import View
from tests.parts.clock import ManualClock
from tests.parts.fake_store import FakeStore
from tests.parts.registry_bench import empty_view


def retention_of(view: View, store: FakeStore, *, now_s: float = 1e6, **settings: Any) -> Retention:
    kept: dict[str, Any] = {"revisions": 100, "age_s": 60.0, "history_age_s": None, "clock": ManualClock()}
    kept |= {"audit_age_s": lambda: 1e9, "tell": _nobody} | settings
    return Retention(view, store, wall=lambda: now_s, **kept)


async def _nobody(_: dict[str, str]) -> None:
    raise AssertionError("no row of the audit log is old enough")


async def test_the_log_keeps_the_number_and_the_day_whichever_is_more() -> None:
    for young, expected in ((None, 901), (500, 500), (950, 901), (1, 1)):
        view, store = empty_view(), FakeStore()
        view.revision, view.floor, store.head, store.young = 1000, 1, 1000, young
        await retention_of(view, store).compact()
        assert view.floor == expected
        assert sum(end - first for first, end in store.compacted) == expected - 1


@pytest.mark.parametrize(("rows", "revisions"), [(1, 200), (100, 2), (3000, 1)])
async def test_no_step_takes_out_more_rows_than_a_commit_may_wait_for(rows: int, revisions: int) -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor, store.head, store.rows_of_a_revision = 1000, 1, 1000, rows
    await retention_of(view, store).compact()
    assert view.floor == 901
    assert max(end - first for first, end in store.compacted) == revisions
    gone = [number for first, end in store.compacted for number in range(first, end)]
    assert gone == list(range(1, 901))


async def test_who_leads_anew_goes_on_where_the_one_before_ended() -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor, store.head, store.begins = 1_000_000, 1, 1_000_000, 999_890
    await retention_of(view, store).compact()
    assert store.compacted == [(999_890, 999_901)]
    assert view.floor == 999_901


async def test_a_short_log_is_left_alone() -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor = 50, 1
    await retention_of(view, store).compact()
    assert store.compacted == []


async def test_keys_are_forgotten_after_a_day() -> None:
    view = empty_view()
    view.remember_once(OnceRecord("old", b"", 0.0, b""))
    view.remember_once(OnceRecord("young", b"", 90_000.0, b""))
    await retention_of(view, FakeStore(), now_s=100_000.0).compact()
    assert list(view.onces) == ["young"]


async def test_keys_go_step_by_step() -> None:
    store = FakeStore()
    store.forgettable_onces = [200, 200, 7]
    await retention_of(empty_view(), store).compact()
    assert store.onces_cuts == [200] * 3


async def test_what_the_store_could_not_forget_is_forgotten_next_time_so_that_the_log_has_no_hole() -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor, store.head = 1000, 1, 1000
    retention = retention_of(view, store)
    store.cannot_compact = True
    with pytest.raises(StoreUnavailable):
        await retention.compact()
    store.cannot_compact = False
    await retention.compact()
    assert view.floor == 901
    gone = [number for first, end in store.compacted for number in range(first, end)]
    assert gone == list(range(1, 901))


async def test_the_history_is_kept_whole_unless_told_otherwise() -> None:
    store = FakeStore()
    await retention_of(empty_view(), store).compact()
    assert store.history_cuts == []


async def test_old_states_of_documents_are_forgotten_step_by_step_until_none_is_left() -> None:
    store = FakeStore()
    store.forgettable = [200, 200, 3]
    await retention_of(empty_view(), store, history_age_s=1000.0).compact()
    assert store.history_cuts == [1e6 - 1000.0] * 4


async def test_the_store_is_tidied_once_an_hour() -> None:
    store, clock = FakeStore(), ManualClock()
    retention = retention_of(empty_view(), store, clock=clock)
    for now_s, expected in ((3599.0, 0), (3600.0, 1), (3660.0, 1), (7200.0, 2)):
        clock.now_s = 100.0 + now_s
        await retention.compact()
        assert store.tidied == expected
