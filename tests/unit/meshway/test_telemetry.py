import random

import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row, Rows, add_row, summed


def row(*seconds: float, key: tuple[str, ...] = ("edge", "shop/cart"), failed: int = 0) -> Row:
    found = Row(key, len(seconds), failed, seconds=sum(seconds))
    for each in seconds:
        found.buckets[bucket_of(each)] = found.buckets.get(bucket_of(each), 0) + 1
    return found


def test_percentiles_of_added_rows_are_those_of_all_calls() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    durations = [chance.lognormvariate(-5.0, 1.2) for _ in range(5_000)]
    parts = [row(*durations[at::7]) for at in range(7)]
    total = summed(parts)
    assert (total.calls, sum(total.buckets.values())) == (5_000, 5_000)
    for share in (0.5, 0.95, 0.99):
        true = sorted(durations)[int(share * 5_000) - 1]
        assert total.quantile_s(share) == pytest.approx(true, rel=0.05)


def test_adding_leaves_what_was_added_as_it_is() -> None:
    rows: Rows = {}
    first, second = row(0.1), row(0.2, 0.1, failed=1)
    add_row(rows, first)
    add_row(rows, second)
    assert (first.calls, second.calls) == (1, 2)
    (total,) = rows.values()
    assert (total.calls, total.failed) == (3, 1)


def test_nothing_counted_has_no_percentile() -> None:
    assert Row(()).quantile_s(0.99) == 0.0


def test_a_report_reads_back_as_it_was_written() -> None:
    report = Numbers(node="gw-1", boot="12345678", sequence=1, begun=1.0, ended=3.0, edges=(row(0.1, 0.3),))
    assert msgspec.json.decode(msgspec.json.encode(report), type=Numbers) == report


@pytest.mark.parametrize(
    ("section", "key", "path"),
    [
        ("edges", ("edge",), "edges[0][0]"),
        ("edges", ("edge", "shop/cart"), ""),
        ("routes", ("edge", "shop/cart"), "routes[0][0]"),
        ("instances", ("shop/cart", "a", "v1"), "instances[0][0]"),
        ("instances", ("shop/cart", "a"), ""),
    ],
)
def test_a_key_has_the_parts_of_its_section(section: str, key: tuple[str, ...], path: str) -> None:
    report = Numbers(node="gw-1", boot="12345678", sequence=1, begun=1.0, ended=3.0)
    assert msgspec.structs.replace(report, **{section: (Row(key, 1),)}).bad_key() == path
