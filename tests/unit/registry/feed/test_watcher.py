from __future__ import annotations

import json
from typing import Any

import pytest

from registry.feed.watcher import Event, Watcher
from registry.view import recent
from tests.parts.conditions import until
from tests.parts.feed_bench import FeedBench
from tests.parts.registry_bench import route_to, written


def watch(bench: FeedBench, since: int | None = None, **filters: Any) -> Watcher:
    return bench.feed.watch(since=since, wake=lambda: None, **filters)


def drain(watcher: Watcher) -> list[Event]:
    events = watcher.take()
    while watcher.has_more:
        events += watcher.take()
    return events


def shown(events: list[Event]) -> list[tuple[str, int, list[str]]]:
    return [
        (event.name, event.revision, [change["name"] for change in json.loads(event.data)["changes"]])
        for event in events
    ]


async def test_a_snapshot_first_then_every_revision() -> None:
    bench = FeedBench()
    bench.register()
    watcher = watch(bench)
    assert shown(drain(watcher)) == [("snapshot", 1, ["books/b1"])]
    bench.register(port=9)
    (event,) = drain(watcher)
    change = json.loads(event.data)["changes"][0]
    assert (event.name, event.revision, change["op"], change["kind"], change["value"]["port"]) == (
        "delta", 2, "put", "Instance", 9,
    )  # fmt: skip


async def test_a_watcher_of_nothing_knows_that_it_is_nothing() -> None:
    assert shown(drain(watch(FeedBench()))) == [("snapshot", 0, [])]


async def test_a_snapshot_comes_in_parts_of_one_revision() -> None:
    bench = FeedBench()
    for at in range(1001):
        bench.register(instance_id=f"b{at}")
    watcher = watch(bench)
    bench.register(instance_id="late")
    events = shown(drain(watcher))
    assert [(name, revision, len(names)) for name, revision, names in events] == [
        ("snapshot", 1001, 500), ("snapshot", 1001, 500), ("snapshot", 1001, 1), ("delta", 1002, 1),
    ]  # fmt: skip


async def test_a_resumed_watch_misses_none_and_doubles_none() -> None:
    bench = FeedBench()
    for port in range(1, 5):
        bench.register(port=port)
    assert [event.revision for event in drain(watch(bench, since=2))] == [3, 4]
    assert drain(watch(bench, since=4)) == []


@pytest.mark.parametrize("since", [0, 99])
async def test_a_revision_that_is_not_in_the_log_is_reset(since: int) -> None:
    bench = FeedBench()
    bench.register()
    bench.register(port=1)
    bench.view.floor = 2
    events = drain(watch(bench, since=since))
    assert [event.name for event in events] == ["reset", "snapshot"]


async def test_filters_leave_out_and_the_revision_goes_on() -> None:
    bench = FeedBench()
    watchers = {
        "namespace": watch(bench, since=0, namespace="shop"),
        "kind": watch(bench, since=0, kind="Route"),
        "service": watch(bench, since=0, service="books"),
    }
    bench.register("books", "b1")
    bench.register("books-too", "x1")
    bench.register("carts", "c1", namespace="shop")
    bench.apply(written("Service", "books", {"owner": "us"}), route_to("books"))
    assert shown(drain(watchers["namespace"])) == [("delta", 3, ["carts/c1"])]
    assert shown(drain(watchers["kind"])) == [("delta", 4, ["r"])]
    assert shown(drain(watchers["service"])) == [("delta", 1, ["books/b1"]), ("delta", 4, ["books"])]
    assert {watcher.revision for watcher in watchers.values()} == {4}


async def test_a_watcher_too_slow_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 10)
    bench = FeedBench()
    watcher = watch(bench)
    drain(watcher)
    for port in range(1, 31):
        bench.register(port=port)
    assert [event.name for event in drain(watcher)] == ["reset", "snapshot"]


async def test_an_old_revision_is_read_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_REVISIONS", 10)
    bench = FeedBench()
    for port in range(1, 101):
        bench.register(port=port)
    watcher = watch(bench, since=10)
    events: list[Event] = []

    def all_seen() -> bool:
        events.extend(drain(watcher))
        return watcher.revision == 100

    await until(all_seen)
    assert [event.revision for event in events] == list(range(11, 101))


@pytest.mark.parametrize(
    "filters",
    [
        {}, {"namespace": "shop"}, {"kind": "Instance"}, {"kind": "Route"}, {"service": "carts"},
        {"namespace": "default", "service": "books"}, {"kind": "Service", "service": "books"}, {"service": "none"},
    ],
)  # fmt: skip
async def test_a_filter_leaves_the_same_out_of_a_snapshot_as_out_of_the_log(filters: dict[str, Any]) -> None:
    bench = FeedBench()
    bench.register("books", "b1")
    bench.register("books-too", "x1")
    bench.register("carts", "c1", namespace="shop")
    bench.apply(written("Service", "books", {"owner": "us"}), route_to("books"))
    whole = {name for _, _, names in shown(drain(watch(bench, **filters))) for name in names}
    followed = {name for _, _, names in shown(drain(watch(bench, since=0, **filters))) for name in names}
    assert whole == followed


async def test_a_piece_is_one_part_of_a_snapshot_however_large_it_is() -> None:
    bench = FeedBench()
    for at in range(1001):
        bench.register(instance_id=f"b{at}")
    watcher = watch(bench)
    states = [(len(watcher.take()), watcher.is_in_snapshot, watcher.has_more) for _ in range(4)]
    assert states == [(1, True, True)] * 3 + [(0, False, False)]


async def test_a_closed_watcher_is_forgotten() -> None:
    bench = FeedBench()
    watcher = watch(bench)
    watcher.close()
    assert bench.feed.watchers == set()
