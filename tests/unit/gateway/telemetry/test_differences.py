import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from gateway.telemetry.counters import CALL, CONSUMER_CALLS, ENDPOINT, HISTOGRAM, IN_FLIGHT, Counters, Totals
from gateway.telemetry.differences import Differences, Sections
from meshway.histogram import bucket_of
from meshway.tasks import spawn

CART = (
    ("listener", "mesh"),
    ("route", "shop/cart"),
    ("rule", "all"),
    ("source", "shop/web"),
    ("service", "shop/cart#v2"),
    ("status_class", "2xx"),
    ("response_flag", ""),
)


def with_status(status: str, flag: str = "") -> tuple[tuple[str, str], ...]:
    return (*CART[:5], ("status_class", status), ("response_flag", flag))


def count(counters: Counters, labels: tuple[tuple[str, str], ...], seconds: float, kind: str = CALL) -> None:
    base = counters.series(kind, labels)
    counters.add(base)
    counters.add(base + 3, seconds)
    counters.add(base + HISTOGRAM + bucket_of(seconds))


def calls(sections: Sections) -> int:
    return sum(row.calls for row in sections.edges.values())


async def test_only_what_came_since_is_told(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for _ in range(3):
        count(counters, CART, 0.01)
    first = await differences.take([counters.path])
    (edge,), (route,) = first.edges.values(), first.routes.values()
    assert (edge.key, edge.calls, edge.buckets) == (("shop/web", "shop/cart"), 3, {bucket_of(0.01): 3})
    assert route.key == ("shop/cart", "all", "shop/cart", "2xx", "")
    assert not await differences.take([counters.path])
    count(counters, CART, 0.02)
    (edge,) = (await differences.take([counters.path])).edges.values()
    assert (edge.calls, edge.buckets) == (1, {bucket_of(0.02): 1})
    counters.close()


async def test_an_edge_says_what_was_repeated_refused_and_proved_by_certificates(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for labels in (CART, with_status("4xx", "RL"), with_status("5xx", "UO"), with_status("5xx", "DT,UO")):
        count(counters, labels, 0.01)
    counters.add(counters.series(CALL, CART) + 4, 3.0)
    counters.add(counters.series(CALL, CART) + 5)
    (edge,) = (await differences.take([counters.path])).edges.values()
    assert (edge.calls, edge.retries, edge.limited, edge.shed, edge.mutual) == (4, 3, 1, 2, 1)
    count(counters, CART, 0.01)
    (edge,) = (await differences.take([counters.path])).edges.values()
    assert (edge.calls, edge.retries, edge.limited, edge.shed, edge.mutual) == (1, 0, 0, 0, 0)
    counters.close()


async def test_outcomes_of_an_edge_are_added_up_and_those_of_a_route_are_not(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for labels in (
        CART, with_status("5xx", "UF"), with_status("4xx"), with_status("none", "UC"), with_status("none", "DC")
    ):  # fmt: skip
        count(counters, labels, 0.01)
    taken = await differences.take([counters.path])
    (edge,) = taken.edges.values()
    assert (edge.calls, edge.failed, edge.rejected) == (5, 2, 1), "a caller that went away did not see a failure"
    assert len(taken.routes) == 5
    counters.close()


async def test_an_answer_that_its_service_broke_off_has_failed_and_what_a_drain_cut_has_not(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for labels in (with_status("2xx", "UC"), with_status("4xx", "UC"), with_status("none"), with_status("none", "DPE")):
        count(counters, labels, 0.01)
    (edge,) = (await differences.take([counters.path])).edges.values()
    assert (edge.calls, edge.failed, edge.rejected) == (4, 2, 0)
    counters.close()


async def test_of_an_instance_retries_and_failures_are_told(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    labels = (("service", "shop/cart"), ("instance", "cart-1"))
    count(counters, labels, 0.01, ENDPOINT)
    base = counters.series(ENDPOINT, labels)
    counters.add(base + 1, 2.0)
    counters.add(base + 2)
    (row,) = (await differences.take([counters.path])).instances.values()
    assert (row.key, row.calls, row.retries, row.failed) == (("shop/cart", "cart-1"), 1, 2, 1)
    counters.close()


async def test_of_a_consumer_calls_are_told_by_credential_and_outcome(tmp_path: Path) -> None:
    counters, differences, totals = Counters(tmp_path / "one"), Differences(), Totals()
    totals.before_fold = differences.leave
    of = {"consumer": "shop/acme", "credential": "acme0001"}
    good = counters.counter(CONSUMER_CALLS, **of, status_class="2xx", response_flag="")
    limited = counters.counter(CONSUMER_CALLS, **of, status_class="4xx", response_flag="RL")
    counters.add(good, 3.0)
    taken = (await differences.take([counters.path])).consumers
    assert [(row.key, row.calls) for row in taken.values()] == [(("shop/acme", "acme0001", "2xx", ""), 3)]
    counters.add(limited)
    ((row,)) = (await differences.take([counters.path])).consumers.values()
    assert (row.key[2:], row.calls, row.rejected, row.failed) == (("4xx", "RL"), 1, 1, 0)
    assert not await differences.take([counters.path])
    counters.add(good)
    totals.fold(counters.path)
    assert [row.calls for row in (await differences.take([])).consumers.values()] == [1]
    counters.close()


async def test_what_a_worker_that_is_gone_counted_last_is_told(tmp_path: Path) -> None:
    counters, differences, totals = Counters(tmp_path / "one"), Differences(), Totals()
    totals.before_fold = differences.leave
    count(counters, CART, 0.01)
    assert calls(await differences.take([counters.path])) == 1
    count(counters, CART, 0.01)
    totals.fold(counters.path)
    assert calls(await differences.take([])) == 1
    assert not await differences.take([])
    counters.close()


async def test_a_call_that_is_half_written_is_told_whole_in_the_end(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    base = counters.series(CALL, CART)
    counters.add(base)
    first = await differences.take([counters.path])
    counters.add(base + HISTOGRAM + bucket_of(0.01))
    second = await differences.take([counters.path])
    assert calls(first) + calls(second) == 1
    assert [row.buckets for row in second.edges.values()] == [{bucket_of(0.01): 1}]
    counters.close()


async def test_a_file_that_is_not_made_yet_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"MW")
    assert not await Differences().take([tmp_path / "none", tmp_path / "half"])


async def test_random_counts_of_workers_that_come_and_go_add_up(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    differences, totals = Differences(), Totals()
    totals.before_fold = differences.leave
    workers = [Counters(tmp_path / f"worker-{number}", max_series=40) for number in range(3)]
    truth: Counter[int] = Counter()
    told: Counter[int] = Counter()

    async def look() -> None:
        for row in (await differences.take([worker.path for worker in workers])).edges.values():
            told.update(row.buckets)

    for turn in range(300):
        seconds = chance.lognormvariate(-5.0, 2.0)
        count(chance.choice(workers), with_status(chance.choice(("2xx", "4xx", "5xx"))), seconds)
        truth[bucket_of(seconds)] += 1
        if chance.random() < 0.2:
            await look()
        if chance.random() < 0.05:
            gone = workers.pop(chance.randrange(3))
            totals.fold(gone.path)
            gone.close()
            workers.append(Counters(tmp_path / f"worker-of-{turn}", max_series=40))
    await look()
    assert told == truth
    for worker in workers:
        worker.close()


async def test_what_was_taken_by_one_who_was_ended_is_told_to_the_next(tmp_path: Path) -> None:
    counters, differences, totals = Counters(tmp_path / "one"), Differences(), Totals()
    totals.before_fold = differences.leave
    for number in range(500):
        count(counters, (*CART[:3], ("source", f"shop/web-{number}"), *CART[4:]), 0.01)
    taking = spawn(differences.take([counters.path]), name="take")
    await asyncio.sleep(0)  # it stops after some of them
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    totals.fold(counters.path)
    taken = await differences.take([])
    assert (len(taken.edges), calls(taken)) == (500, 500)
    counters.close()


async def test_a_worker_that_goes_while_it_is_looked_at_is_told_whole_and_once(tmp_path: Path) -> None:
    counters, differences, totals = Counters(tmp_path / "one"), Differences(), Totals()
    totals.before_fold = differences.leave
    for number in range(500):
        count(counters, (*CART[:3], ("source", f"shop/web-{number}"), *CART[4:]), 0.01)
    taking = spawn(differences.take([counters.path]), name="take")
    await asyncio.sleep(0)
    totals.fold(counters.path)
    assert calls(await taking) + calls(await differences.take([])) == 500
    counters.close()


async def test_a_track_is_told_apart_and_counts_in_its_rule_all_the_same(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    canary = (("track", "canary"),)
    for labels in (CART, (*CART, *canary), (*with_status("5xx"), *canary)):
        count(counters, labels, 0.01)
    taken = await differences.take([counters.path])
    (track,) = taken.tracks.values()
    assert (track.key, track.calls, track.failed) == (("shop/cart", "all", "canary"), 2, 1)
    assert track.buckets == {bucket_of(0.01): 2}
    assert {key[3]: row.calls for key, row in taken.routes.items()} == {"2xx": 2, "5xx": 1}
    assert calls(taken) == 3
    counters.close()


async def test_attempts_under_way_are_told_by_service_over_all_workers(tmp_path: Path) -> None:
    one, two, differences = Counters(tmp_path / "one"), Counters(tmp_path / "two"), Differences()
    one.set(one.gauge(IN_FLIGHT, service="shop/cart"), 2.0)
    one.set(one.gauge(IN_FLIGHT, service="shop/cart#v2"), 3.0)
    one.set(one.gauge(IN_FLIGHT, service="shop/idle"), 0.0)
    two.set(two.gauge(IN_FLIGHT, service="shop/cart:admin"), 4.0)
    assert differences.in_flight() == {}
    await differences.take([one.path, two.path])
    assert differences.in_flight() == {"shop/cart": 6}
    differences.leave(two.path)
    assert differences.in_flight() == {"shop/cart": 2}
    three = Counters(tmp_path / "three")
    three.set(three.gauge(IN_FLIGHT, service="shop/pay#v2"), 5.0)
    await differences.take([three.path])
    assert differences.in_flight() == {"shop/cart": 2, "shop/pay": 5}
    three.close()
    one.close()
    two.close()
