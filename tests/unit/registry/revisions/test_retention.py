import pytest

from registry.revisions.retention import Retention
from registry.store.interface import OnceRecord, StoreUnavailable
from tests.parts.fake_store import FakeStore
from tests.parts.registry_bench import empty_view


async def test_the_log_keeps_the_number_and_the_day_whichever_is_more() -> None:
    for young, expected in ((None, 901), (500, 500), (950, 901), (1, 1)):
        view, store = empty_view(), FakeStore()
        view.revision, view.floor, store.young = 1000, 1, young
        await Retention(view, store, revisions=100, age_s=60.0, wall=lambda: 1e6).compact()
        assert view.floor == expected
        assert sum(end - first for first, end in store.compacted) == expected - 1
        assert all(end - first <= 500 for first, end in store.compacted)


async def test_a_short_log_is_left_alone() -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor = 50, 1
    await Retention(view, store, revisions=100, age_s=60.0, wall=lambda: 1e6).compact()
    assert store.compacted == []


async def test_keys_are_forgotten_after_a_day() -> None:
    view = empty_view()
    view.remember_once(OnceRecord("old", b"", 0.0, b""))
    view.remember_once(OnceRecord("young", b"", 90_000.0, b""))
    await Retention(view, FakeStore(), revisions=100, age_s=60.0, wall=lambda: 100_000.0).compact()
    assert list(view.onces) == ["young"]


async def test_what_the_store_could_not_forget_is_forgotten_next_time_so_that_the_log_has_no_hole() -> None:
    view, store = empty_view(), FakeStore()
    view.revision, view.floor = 1000, 1
    retention = Retention(view, store, revisions=100, age_s=60.0, wall=lambda: 1e6)
    store.cannot_compact = True
    with pytest.raises(StoreUnavailable):
        await retention.compact()
    store.cannot_compact = False
    await retention.compact()
    assert view.floor == 901
    gone = [number for first, end in store.compacted for number in range(first, end)]
    assert gone == list(range(1, 901))
