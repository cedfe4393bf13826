import gc
import tracemalloc

from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from meshway.snapshot import Change
from tests.parts.changes import document, running

MOST_BYTES = 3_000  # of its document and its plan; where nothing was shared they took 4,200
ROUTES = 300


def route(number: int) -> Change:
    rule = {"match": [{"path": {"prefix": f"/r/{number}/"}}], "destinations": [{"service": f"s{number % 3}"}]}
    return document("Route", f"r{number}", {"rules": [rule]}, created_at="2026-11-28T10:00:00Z")


def compiled(*changes: Change) -> Compiler:
    compiler = Compiler(Parts(now=lambda: 0.0, random=lambda: 0.5))
    compiler.snapshot(1, [*(running(f"s{n}", f"i{n}") for n in range(3)), *changes])
    return compiler


def test_routes_to_one_service_share_what_is_alike() -> None:
    state = compiled(route(0), route(3)).state
    one, other = (state.routes["Route", "default", name] for name in ("r0", "r3"))
    assert one.clusters is other.clusters
    assert one.involved is other.involved
    assert one.attached is other.attached
    plans = [each.placed[0].candidate.plan for each in (one, other)]
    assert plans[0].retry is plans[1].retry
    assert plans[0].choose is plans[1].choose
    assert plans[0].service is plans[1].service
    assert plans[0].route is one.entry.title


def test_a_route_of_another_service_is_not_led_there() -> None:
    state = compiled(route(0), route(1)).state
    one, other = (state.routes["Route", "default", name] for name in ("r0", "r1"))
    assert one.clusters != other.clusters
    assert one.placed[0].candidate.plan.choose is not other.placed[0].candidate.plan.choose


def test_a_route_more_takes_no_more_than_three_kilobytes() -> None:
    compiler = compiled(route(0))
    changes = [route(number) for number in range(1, ROUTES + 1)]
    gc.collect()
    tracemalloc.start()
    try:
        compiler.delta(2, changes)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / ROUTES < MOST_BYTES
