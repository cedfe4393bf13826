"""The last calls of a worker: all of them, bounded, and without what may be secret."""

from pathlib import Path

import msgspec
import pytest

from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.counters import Counters
from gateway.telemetry.finish import Finisher
from gateway.telemetry.recent import recent_calls
from gateway.telemetry.recorder import MOST_HEAD, MOST_RECENT, Recorded, Recorder
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.one_route import cluster, plan

WALL_S = 1_700_000_000.0
RULES = [("default/shop", "all", "")]


def finisher(folder: Path) -> tuple[Finisher, Recorder]:
    recorder = Recorder(folder / "recorded")
    counters = Counters(folder / "w0")
    for route, rule, _ in RULES:
        counters.rule_slot(route, rule)
    return Finisher(counters, AccessLog("", 0, lambda _: None), recorder), recorder


def told(recorder: Recorder, *, now: float, since: float = 0.0) -> tuple[float, list[Recorded]]:
    found = recent_calls(list(recorder.ended), RULES, since=since, now=now, wall_s=WALL_S)
    return found.whole_from_s, [msgspec.json.decode(line, type=Recorded) for line in found.lines.splitlines()]


def test_every_call_is_there_also_those_that_the_disk_does_not_get(tmp_path: Path) -> None:
    finish, recorder = finisher(tmp_path)
    for number in range(1000):
        exchange = call(f"/{number}", headers={"Cookie": "s3cret", "X-User": "ada"})
        exchange.status, exchange.started = 200, 10.0 + number / 1000.0
        finish.finish(exchange, exchange.started + 0.5)
    whole_from_s, calls = told(recorder, now=20.0, since=5.0)
    recorder.close()
    assert whole_from_s == WALL_S - 15.0
    assert [one.target for one in calls] == [f"/{number}" for number in range(1000)]
    assert {one.seen for one in calls} == {1}
    assert (calls[0].at, calls[0].status, calls[0].listener) == (WALL_S - 10.0, 200, "edge")
    assert calls[0].by == "edge"
    assert (calls[0].headers, calls[0].left_out) == ([("X-User", "ada")], ["cookie"])
    (path,) = (tmp_path / "recorded").iterdir()
    assert len(path.read_bytes().splitlines()) < 200


def test_where_it_is_full_it_is_whole_since_the_oldest_ended(tmp_path: Path) -> None:
    finish, recorder = finisher(tmp_path)
    slow = call("/slow")
    slow.started = 0.5
    for number in range(MOST_RECENT + 10):
        exchange = call()
        exchange.started = 1.0 + number / 100.0
        finish.finish(exchange, exchange.started + 0.005)
    finish.finish(slow, 60.0)
    whole_from_s, calls = told(recorder, now=60.0)
    recorder.close()
    assert len(recorder.ended) == MOST_RECENT
    first_held_ended = 1.0 + 11 / 100.0 + 0.005
    assert abs(whole_from_s - (WALL_S - (60.0 - first_held_ended))) < 1e-3
    # The oldest that is held began before that, and so did the slow one: others of their time are gone already.
    assert len(calls) == MOST_RECENT - 2
    assert "/slow" not in {one.target for one in calls}


@pytest.mark.parametrize("began_s", [1.0004, 1.0005, 1.0006])
def test_no_call_it_tells_of_lies_before_the_span_that_is_whole(tmp_path: Path, began_s: float) -> None:
    finish, recorder = finisher(tmp_path)
    exchange = call()
    exchange.started = began_s
    finish.finish(exchange, began_s + 1.0)
    whole_from_s, (one,) = told(recorder, now=60.0, since=began_s)
    recorder.close()
    assert one.at >= whole_from_s


def test_a_long_head_is_counted_and_not_held(tmp_path: Path) -> None:
    finish, recorder = finisher(tmp_path)
    for target, value in (("/a", "x"), ("/long", "x" * MOST_HEAD), ("/long", "x" * MOST_HEAD), ("/b", "x")):
        exchange = call(target, headers={"X-Value": value})
        exchange.started = 1.0
        finish.finish(exchange, 2.0)
    _, calls = told(recorder, now=3.0)
    recorder.close()
    assert [(one.target, one.seen) for one in calls] == [("/a", 1), ("/b", 3)]


def test_each_call_says_which_rule_had_it(tmp_path: Path) -> None:
    finish, recorder = finisher(tmp_path)
    for had in (plan(cluster(now=ManualClock())), None):
        exchange = call("/")
        exchange.plan, exchange.status = had, 200
        finish.finish(exchange, 0.5)
    _, calls = told(recorder, now=20.0)
    recorder.close()
    assert [(one.route, one.rule) for one in calls] == [("default/shop", "all"), ("", "")]
