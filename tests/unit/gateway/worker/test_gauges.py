from pathlib import Path

from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from gateway.relay.tunnel import Tunnels
from gateway.telemetry.counters import Counters, read_counters
from gateway.upstream.adaptive_limit import FIRST_LIMIT
from gateway.upstream.cluster import Cluster
from gateway.worker.gauges import BEATS, OF_LIMITS, Gauges
from meshway.snapshot import Change
from tests.parts.calls import call
from tests.parts.changes import document, gone, left, running
from tests.parts.clock import ManualClock

POLICY = {"adaptive_concurrency": {}, "breaker": {"minimum_requests": 1}, "bulkhead": {"max_requests": 1}}


class Bench:
    def __init__(self, folder: Path, *changes: Change) -> None:
        self.clock = ManualClock()
        self.counters = Counters(folder / "w0")
        parts = Parts(now=self.clock, random=lambda: 0.0, counters=self.counters)
        self.compiler = Compiler(parts)
        self.tunnels = Tunnels()
        self.gauges = Gauges(self.counters, self.tunnels)
        self.delta(*changes)

    def delta(self, *changes: Change) -> None:
        self.compiler.delta(self.compiler.tables.revision + 1, changes)

    @property
    def books(self) -> Cluster:
        return self.compiler.tables.clusters["default/books"]

    def round(self) -> dict[str, float]:
        for _ in range(BEATS):
            self.gauges.beat(self.compiler.tables, self.compiler.limits)
        found = {}
        for (_, labels), cells in read_counters(self.counters.path).items():
            pairs = dict(labels)
            found[f"{pairs.pop('__name__')} {' '.join(pairs.values())}"] = cells[0]
        return found


def test_connections_waiting_calls_and_breakers_are_told_while_there_is_something_to_tell(tmp_path: Path) -> None:
    policy = document("TrafficPolicy", "p", {"targets": [{"service": "books"}], **POLICY})
    bench = Bench(tmp_path, running("books", "1"), running("idle", "1"), policy)
    assert bench.round() == {}
    first, second = call(), call()
    assert bench.books.admit(first, lambda _: None) is None
    bench.books.admit(second, lambda _: None)
    (endpoint,) = bench.books.endpoints
    endpoint.in_flight += 1
    shown = {"meshway_upstream_connections": 1.0, "meshway_pending_requests": 1.0, "meshway_breaker_open": 0.0}
    shown |= {"meshway_concurrency_limit": FIRST_LIMIT, "meshway_upstream_requests_in_flight": 1.0}
    assert bench.round() == {f"{name} default/books": value for name, value in shown.items()}
    bench.books.attempt_ended(endpoint, "connect_failure", 0, bench.clock())
    bench.books.cancel_pending(second)
    shown = {"meshway_upstream_connections": 0.0, "meshway_pending_requests": 0.0, "meshway_breaker_open": 1.0}
    shown |= {"meshway_concurrency_limit": FIRST_LIMIT, "meshway_upstream_requests_in_flight": 0.0}
    told = {f"{name} default/books": value for name, value in shown.items()}
    assert bench.round() == told | {"meshway_upstream_connect_failures_total 1 default/books": 1.0}


def test_a_cluster_that_is_gone_has_nothing_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path, running("books", "1"))
    bench.books.endpoints[0].in_flight += 1
    assert bench.round()["meshway_upstream_connections default/books"] == 1.0
    bench.delta(left("books", "1"))
    bench.compiler.snapshot(9, ())
    assert bench.round()["meshway_upstream_connections default/books"] == 0.0


def test_what_an_audited_limit_would_have_refused_is_counted_over_its_changes(tmp_path: Path) -> None:
    def limit(rate: str) -> Change:
        spec = {"token_bucket": {"rate": rate, "burst": 1}, "mode": "audit", "targets": [{"service": "books"}]}
        return document("RateLimit", "l", spec)

    def calls(count: int) -> None:
        plan = bench.compiler.tables.match(call(host="books", listener=1))
        assert plan is not None
        for _ in range(count):
            plan.request_filters[0](call())

    bench = Bench(tmp_path, running("books", "1"), limit("1/s"))
    calls(4)
    told = {f"{name} default/l": 0.0 for name in OF_LIMITS}
    assert bench.round() == told | {"meshway_rate_limit_would_refuse_total default/l": 3.0}
    assert bench.round() == told | {"meshway_rate_limit_would_refuse_total default/l": 3.0}
    bench.delta(limit("2/s"))
    calls(3)
    assert bench.round() == told | {"meshway_rate_limit_would_refuse_total default/l": 5.0}
    bench.delta(gone("RateLimit", "l"))
    assert bench.round() == told | {"meshway_rate_limit_would_refuse_total default/l": 5.0}
