"""At most so many calls run; the others wait in order, bounded in number and time."""

from pathlib import Path

from gateway.exchange import Exchange, Reply
from gateway.host_table import HostTable
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.cluster_settings import BulkheadSettings
from gateway.upstream.connection_limit import ConnectionLimit
from tests.parts.calls import call
from tests.parts.endpoints import endpoints


def bulkhead(
    max_requests: int = 1,
    max_pending: int = 8,
    timeout_s: float = 1.0,
    workers: int = 1,
    table: HostTable | None = None,
) -> Bulkhead:
    row = table.row("default/books") if table is not None else -1
    return Bulkhead("default/books", BulkheadSettings(max_requests, max_pending, timeout_s), workers, table, row)


class Waiter:
    def __init__(self, gate: Bulkhead, order: list[str], name: str, now: float = 100.0) -> None:
        self.exchange: Exchange = call()
        self.verdicts: list[Reply | None] = []
        self.refusal = gate.wait(self.exchange, self.resume, now)
        self._order, self._name = order, name

    def resume(self, reply: Reply | None) -> None:
        self.verdicts.append(reply)
        self._order.append(self._name)


def test_calls_wait_in_order_and_each_is_resumed_once() -> None:
    gate, order = bulkhead(), list[str]()
    first = call()
    assert gate.enter(first)
    assert not gate.enter(call())
    waiters = [Waiter(gate, order, name) for name in "abc"]
    gate.release(first)
    assert order == ["a"]
    gate.release(waiters[0].exchange)
    gate.release(waiters[1].exchange)
    assert order == ["a", "b", "c"]
    assert [waiter.verdicts for waiter in waiters] == [[None]] * 3


def test_a_newcomer_does_not_pass_those_who_wait() -> None:
    gate, order = bulkhead(max_requests=2), list[str]()
    one, two = call(), call()
    gate.enter(one)
    gate.enter(two)
    Waiter(gate, order, "a")
    gate.held.discard(two)  # as when another process frees a slot without telling
    assert not gate.enter(call())


def test_a_full_queue_refuses() -> None:
    gate, order = bulkhead(max_pending=1), list[str]()
    gate.enter(call())
    assert Waiter(gate, order, "a").refusal is None
    refusal = Waiter(gate, order, "b").refusal
    assert refusal is not None
    assert (refusal.status, refusal.reason, refusal.flag) == (503, "pending_full", "UO")


def test_who_waited_his_time_is_refused_and_not_resumed_again() -> None:
    gate, order = bulkhead(timeout_s=1.0), list[str]()
    first = call()
    gate.enter(first)
    early, late = Waiter(gate, order, "early", 100.0), Waiter(gate, order, "late", 100.5)
    gate.expire(101.0)
    assert [reply.reason if reply else None for reply in early.verdicts] == ["pending_timeout"]
    assert late.verdicts == []
    gate.release(first)
    assert order == ["early", "late"]


def test_a_caller_who_left_is_skipped() -> None:
    gate, order = bulkhead(), list[str]()
    first = call()
    gate.enter(first)
    gone = Waiter(gate, order, "gone")
    Waiter(gate, order, "next")
    assert gate.cancel(gone.exchange)
    assert not gate.cancel(gone.exchange)
    gate.release(first)
    assert order == ["next"]


def test_released_twice_counts_once() -> None:
    gate = bulkhead(max_requests=1)
    first, second = call(), call()
    gate.enter(first)
    gate.release(first)
    gate.release(first)
    assert gate.enter(second)
    assert not gate.enter(call())


def test_a_thousand_waiting_calls_that_end_at_once_do_not_deepen_the_stack() -> None:
    gate = bulkhead(max_pending=5000)
    first, resumed = call(), []
    gate.enter(first)
    for _ in range(3000):
        exchange = call()

        def end_at_once(reply: Reply | None, exchange: Exchange = exchange) -> None:
            resumed.append(reply)
            gate.release(exchange)

        gate.wait(exchange, end_at_once, 100.0)
    gate.release(first)
    assert resumed == [None] * 3000
    assert not gate.held


def test_workers_of_a_host_share_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, workers=2), HostTable(path, 0) as one, HostTable(path, 1) as two:
        here, there = bulkhead(2, table=one, workers=2), bulkhead(2, table=two, workers=2)
        mine, theirs = call(), call()
        assert here.enter(mine)
        assert there.enter(theirs)
        assert not here.enter(call())
        order: list[str] = []
        Waiter(here, order, "a")
        there.release(theirs)
        here.hand_on()  # the tick
        assert order == ["a"]
        here.release(mine)
        here.release(mine)
        here.release(call())
        assert one.sum(here.row) == 1, "only what was admitted is given back"


def test_without_a_table_each_worker_has_its_share() -> None:
    gate = bulkhead(max_requests=5, workers=2)
    assert sum(gate.enter(call()) for _ in range(5)) == 3


def test_when_the_policy_goes_all_go_on() -> None:
    gate, order = bulkhead(), list[str]()
    gate.enter(call())
    waiters = [Waiter(gate, order, name) for name in "ab"]
    gate.dissolve()
    assert [waiter.verdicts for waiter in waiters] == [[None], [None]]
    assert not gate.held


def test_of_a_limit_of_the_mesh_each_gateway_has_its_part_and_one_at_least() -> None:
    mesh = BulkheadSettings(5, 8, 1.0, max_connections=5, is_mesh_wide=True)
    assert [mesh.of_host(5, gateways) for gateways in (0, 1, 2, 5, 9)] == [5, 5, 2, 1, 1]
    assert mesh.of_host(0, 2) == 0
    assert BulkheadSettings(5, 8, 1.0).of_host(5, 2) == 5
    gate = bulkhead(max_requests=4)
    gate.configure(mesh, 1, gateways=2)
    assert [gate.enter(call()) for _ in range(3)] == [True, True, False]
    gate.configure(mesh, 1, gateways=1)
    assert [gate.enter(call()) for _ in range(4)] == [True, True, True, False]


def test_calls_wait_for_a_connection_too() -> None:
    (place,) = endpoints(1)
    connections = ConnectionLimit(lambda: (place,), None, -1)
    settings = BulkheadSettings(0, 8, 1.0, max_connections=2)
    gate, order = Bulkhead("default/books", settings, 1, None, connections=connections), list[str]()
    first, second = call(), call()
    assert gate.enter(first)
    assert gate.enter(second)
    Waiter(gate, order, "third")
    gate.release(first)
    assert order == ["third"]
    assert not gate.enter(call())
    gate.release(second)
    assert gate.enter(call())
