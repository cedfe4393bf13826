import random
from collections import Counter
from pathlib import Path

from gateway.telemetry.counters import CALL, ENDPOINT, HISTOGRAM, Counters, Totals
from gateway.telemetry.differences import Differences, Sections
from meshway.histogram import bucket_of

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


def test_only_what_came_since_is_told(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for _ in range(3):
        count(counters, CART, 0.01)
    first = differences.take([counters.path])
    (edge,), (route,) = first.edges.values(), first.routes.values()
    assert (edge.key, edge.calls, edge.buckets) == (("shop/web", "shop/cart"), 3, {bucket_of(0.01): 3})
    assert route.key == ("shop/cart", "all", "shop/cart", "2xx", "")
    assert not differences.take([counters.path])
    count(counters, CART, 0.02)
    (edge,) = differences.take([counters.path]).edges.values()
    assert (edge.calls, edge.buckets) == (1, {bucket_of(0.02): 1})
    counters.close()


def test_outcomes_of_an_edge_are_added_up_and_those_of_a_route_are_not(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    for labels in (CART, with_status("5xx", "UF"), with_status("4xx"), with_status("none"), with_status("none", "DC")):
        count(counters, labels, 0.01)
    taken = differences.take([counters.path])
    (edge,) = taken.edges.values()
    assert (edge.calls, edge.failed, edge.rejected) == (5, 2, 1), "a caller that went away did not see a failure"
    assert len(taken.routes) == 5
    counters.close()


def test_of_an_instance_retries_and_failures_are_told(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    labels = (("service", "shop/cart"), ("instance", "cart-1"))
    count(counters, labels, 0.01, ENDPOINT)
    base = counters.series(ENDPOINT, labels)
    counters.add(base + 1, 2.0)
    counters.add(base + 2)
    (row,) = differences.take([counters.path]).instances.values()
    assert (row.key, row.calls, row.retries, row.failed) == (("shop/cart", "cart-1"), 1, 2, 1)
    counters.close()


def test_what_a_worker_that_is_gone_counted_last_is_told(tmp_path: Path) -> None:
    counters, differences, totals = Counters(tmp_path / "one"), Differences(), Totals()
    totals.before_fold = differences.leave
    count(counters, CART, 0.01)
    assert calls(differences.take([counters.path])) == 1
    count(counters, CART, 0.01)
    totals.fold(counters.path)
    assert calls(differences.take([])) == 1
    assert not differences.take([])
    counters.close()


def test_a_call_that_is_half_written_is_told_whole_in_the_end(tmp_path: Path) -> None:
    counters, differences = Counters(tmp_path / "one"), Differences()
    base = counters.series(CALL, CART)
    counters.add(base)
    first = differences.take([counters.path])
    counters.add(base + HISTOGRAM + bucket_of(0.01))
    second = differences.take([counters.path])
    assert calls(first) + calls(second) == 1
    assert [row.buckets for row in second.edges.values()] == [{bucket_of(0.01): 1}]
    counters.close()


def test_a_file_that_is_not_made_yet_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"MW")
    assert not Differences().take([tmp_path / "none", tmp_path / "half"])


def test_random_counts_of_workers_that_come_and_go_add_up(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    differences, totals = Differences(), Totals()
    totals.before_fold = differences.leave
    workers = [Counters(tmp_path / f"worker-{number}", max_series=40) for number in range(3)]
    truth: Counter[int] = Counter()
    told: Counter[int] = Counter()

    def look() -> None:
        for row in differences.take([worker.path for worker in workers]).edges.values():
            told.update(row.buckets)

    for turn in range(300):
        seconds = chance.lognormvariate(-5.0, 2.0)
        count(chance.choice(workers), with_status(chance.choice(("2xx", "4xx", "5xx"))), seconds)
        truth[bucket_of(seconds)] += 1
        if chance.random() < 0.2:
            look()
        if chance.random() < 0.05:
            gone = workers.pop(chance.randrange(3))
            totals.fold(gone.path)
            gone.close()
            workers.append(Counters(tmp_path / f"worker-of-{turn}", max_series=40))
    look()
    assert told == truth
    for worker in workers:
        worker.close()
