import pytest

from gateway.compiler.tables import Compiler
from gateway.plan import Parts
from gateway.worker.evidence import MIN_BEATS, Evidence, InstanceKey
from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, running
from tests.parts.clock import ManualClock

ADMIN = document("Route", "r", edge_route({"destinations": [{"service": "books", "port": "admin"}]}))
UNJUDGED = document("TrafficPolicy", "p", {"outlier_detection": {"enabled": False}})


class Bench:
    def __init__(self, *changes: Change) -> None:
        self.clock = ManualClock()
        self.compiler = Compiler(Parts(now=self.clock, random=lambda: 0.0))
        self.compiler.snapshot(1, changes)
        self.told: list[InstanceKey] = []
        self.evidence = Evidence(self.told.extend)

    def attempt(self, cluster: str, identity: str, outcome: str = "ok", status: int = 200) -> None:
        of = self.compiler.tables.clusters[cluster]
        (endpoint,) = (each for each in of.endpoints if each.id == identity)
        endpoint.in_flight += 1
        of.attempt_ended(endpoint, outcome, status, self.clock())

    def round(self) -> list[str]:
        self.told.clear()
        for _ in range(MIN_BEATS):
            self.evidence.beat(self.compiler.tables)
        return sorted(identity for _, _, identity in self.told)


@pytest.mark.parametrize("policies", [(), (UNJUDGED,)], ids=["judged", "unjudged"])
def test_whoever_gave_a_good_answer_is_named_once_a_round(policies: tuple[Change, ...]) -> None:
    bench = Bench(*(running("books", str(number)) for number in range(10)), *policies)
    bench.attempt("default/books", "3")
    bench.attempt("default/books", "3", status=404)
    bench.attempt("default/books", "7")
    assert bench.round() == ["3", "7"]
    assert bench.round() == []
    bench.attempt("default/books", "7")
    assert bench.round() == ["7"]


@pytest.mark.parametrize("policies", [(), (UNJUDGED,)], ids=["judged", "unjudged"])
def test_failures_are_no_evidence(policies: tuple[Change, ...]) -> None:
    bench = Bench(running("books", "1"), running("books", "2"), *policies)
    bench.attempt("default/books", "1", status=500)
    bench.attempt("default/books", "1", status=503)
    bench.attempt("default/books", "2", "connect_failure", 0)
    bench.attempt("default/books", "2", "cancelled", 0)
    assert bench.round() == []


def test_a_round_goes_over_all_endpoints_in_slices() -> None:
    bench = Bench(*(running("books", str(number)) for number in range(41)))
    for _ in range(MIN_BEATS):
        for number in range(41):
            bench.attempt("default/books", str(number))
        before = len(bench.told)
        bench.evidence.beat(bench.compiler.tables)
        assert len(bench.told) - before <= 5
    assert sorted(int(identity) for _, _, identity in bench.told) == list(range(41)), "each is looked at once a round"


def test_an_answer_on_a_named_port_speaks_for_the_instance() -> None:
    bench = Bench(running("books", "1", ports={"admin": 9001}), ADMIN)
    bench.attempt("default/books:admin", "1:admin")
    assert bench.round() == ["1"]


def test_a_round_with_many_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.worker.evidence.MOST_NAMED", 2)
    monkeypatch.setattr("gateway.worker.evidence.MIN_BEATS", 1)
    bench = Bench(*(running("books", str(number)) for number in range(9)))
    for number in range(9):
        bench.attempt("default/books", str(number))
    sizes: list[int] = []
    bench.evidence = Evidence(lambda part: sizes.append(len(part)))
    bench.evidence.beat(bench.compiler.tables)
    assert sizes == [2, 2, 2, 2, 1]
