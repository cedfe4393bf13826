"""A fault in one document, also one of the compiler itself, costs that document and nothing else of its revision."""

from typing import Any

import pytest

from gateway.compiler import accept, cluster_set, diff, endpoint_set, policies, recompiled, service_update
from gateway.compiler.tables import Compiler
from gateway.exchange import MESH, Reply
from gateway.plan import Parts, RoutePlan
from gateway.upstream.endpoint import Endpoint
from meshway.model.instance import Instance
from meshway.model.traffic_policy import TrafficPolicy
from meshway.snapshot import Change
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.clock import ManualClock


class Bench:
    def __init__(self) -> None:
        self.compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0))
        self.revision = 0

    def snapshot(self, *changes: Change) -> list[str]:
        self.revision += 1
        return [f"{r.kind} {r.name}: {r.reason}" for r in self.compiler.snapshot(self.revision, changes)]

    def delta(self, *changes: Change) -> list[str]:
        self.revision += 1
        return [f"{r.kind} {r.name}: {r.reason}" for r in self.compiler.delta(self.revision, changes)]

    def plan(self, target: str = "/") -> RoutePlan | None:
        return self.compiler.tables.match(call(target))

    def refusal(self, service: str) -> tuple[int, str] | None:
        """What a mesh call is answered by its first filter."""
        plan = self.compiler.tables.match(call(host=service, listener=MESH))
        assert plan is not None
        reply = plan.request_filters[0](call(host=service, listener=MESH)) if plan.request_filters else None
        assert reply is None or isinstance(reply, Reply)
        return None if reply is None else (reply.status, reply.reason)


def route(name: str, prefix: str) -> Change:
    return document("Route", name, edge_route(to("books", {"prefix": prefix})))


def policy(service: str = "books", **spec: Any) -> Change:
    return document("TrafficPolicy", "p", {"targets": [{"service": service}], **spec})


def deadline_s(bench: Bench, path: str = "/a") -> float:
    plan = bench.plan(path)
    assert plan is not None
    return plan.deadline_s


def faulty(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, is_hit: Any) -> None:
    """From now on `where.name` breaks down when its first argument is hit."""
    real = getattr(where, name)

    def breaks_down(first: Any, *rest: Any, **named: Any) -> Any:
        if is_hit(first):
            raise KeyError("a defect of ours")
        return real(first, *rest, **named)

    monkeypatch.setattr(where, name, breaks_down)


def test_a_defect_in_one_route_keeps_its_last_good_version_and_lets_the_rest_of_the_revision_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.snapshot(running("books", "1"), route("bad", "/old"))
    faulty(monkeypatch, recompiled, "compile_route", lambda entry: entry.name == "bad")
    reason = "Route bad: internal error: KeyError: 'a defect of ours'"
    assert bench.delta(route("bad", "/new"), route("good", "/good"), running("books", "2")) == [reason]
    assert [bench.plan(path) is not None for path in ("/old", "/new", "/good")] == [True, False, True]
    assert len(bench.compiler.tables.clusters["default/books"].endpoints) == 2
    assert caplog.text.count("Traceback") == 1
    assert bench.delta(route("other", "/other")) == [reason]
    assert caplog.text.count("Traceback") == 1, "told once, not at each try"
    monkeypatch.undo()
    assert bench.delta(route("other", "/another")) == []
    assert [bench.plan(path) is not None for path in ("/old", "/new")] == [False, True]


def test_a_defect_in_reading_one_document_or_instance_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty(monkeypatch, diff, "_read_document", lambda change: change.name == "bad")
    faulty(monkeypatch, diff, "_read_instance", lambda change: change.name == "books/2")
    bench = Bench()
    said = bench.snapshot(running("books", "1"), running("books", "2"), route("bad", "/bad"), route("good", "/good"))
    assert [line.partition(":")[0] for line in said] == ["Instance books/2", "Route bad"]
    assert bench.plan("/good") is not None
    assert [e.id for e in bench.compiler.tables.clusters["default/books"].endpoints] == ["1"]


def test_a_policy_whose_settings_break_down_keeps_its_last_good_version(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.snapshot(running("books", "1"), route("r", "/a"), policy(timeouts={"deadline": "3s"}))
    real = policies.effective

    def effective(written: Any) -> TrafficPolicy:
        written = list(written)
        if any(one.timeouts is not None and one.timeouts.deadline == 4 for one in written):
            raise ValueError("invalid literal")
        return real(written)

    monkeypatch.setattr(accept, "effective", effective)
    assert bench.delta(policy(timeouts={"deadline": "4s"}), route("s", "/b")) == [
        "TrafficPolicy p: internal error: ValueError: invalid literal"
    ]
    assert (deadline_s(bench, "/a"), deadline_s(bench, "/b")) == (3.0, 3.0)
    assert bench.refusal("books") is None


def test_policies_that_break_down_together_cost_the_one_that_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    wide = document("TrafficPolicy", "wide", {"timeouts": {"deadline": "3s"}})
    bench.snapshot(running("books", "1"), route("r", "/a"), wide)
    faulty(
        monkeypatch, cluster_set, "cluster_settings", lambda policy: policy.breaker and policy.timeouts.deadline == 3
    )
    said = bench.delta(policy(breaker={"failure_percent": 10}), route("s", "/b"))
    assert said == ["TrafficPolicy p: internal error: KeyError: 'a defect of ours'"]
    assert bench.compiler.tables.clusters["default/books"].breaker is None
    assert deadline_s(bench, "/b") == 3.0


def test_a_service_whose_endpoints_break_down_keeps_those_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.snapshot(running("books", "1"), running("cart", "1"))

    class Broken(service_update.ServiceUpdate):
        def _endpoint(self, instance: Instance, identity: str, *, is_kept: bool) -> Endpoint:
            if instance.tags == ("bad",):
                raise KeyError("a defect of ours")
            return super()._endpoint(instance, identity, is_kept=is_kept)

    monkeypatch.setattr(endpoint_set, "ServiceUpdate", Broken)
    reason = "Service books: internal error: KeyError: 'a defect of ours'"
    assert bench.delta(running("books", "2", tags=("bad",)), running("cart", "2")) == [reason]
    tables = bench.compiler.tables
    assert [e.id for e in tables.clusters["default/books"].endpoints] == ["1"]
    assert [e.id for e in tables.clusters["default/cart"].endpoints] == ["1", "2"]
    subsets = document("Service", "books", {"subsets": [{"name": "v1", "match": {"version": "v1"}}]})
    assert bench.delta(subsets) == [reason], "it stands while the cause does"
    assert bench.delta(running("books", "2")) == []
    assert [e.id for e in bench.compiler.tables.clusters["default/books"].endpoints] == ["1", "2"]


@pytest.mark.parametrize(
    "bad",
    [
        document("RateLimit", "l", {"targets": [{"service": "books"}], "token_bucket": {"rate": "1/s"}, "new": 1}),
        document("TrafficPolicy", "l", {"targets": [{"service": "books"}], "retry": "never"}),
    ],
    ids=["RateLimit", "TrafficPolicy"],
)
def test_at_a_first_start_the_target_of_a_policy_that_does_not_compile_refuses(bad: Change) -> None:
    bench = Bench()
    bench.snapshot(running("books", "1"), running("cart", "1"), bad)
    assert bench.refusal("books") == (503, "policy_unavailable")
    assert bench.refusal("cart") is None
    bench.delta(route("r", "/r"))
    plan = bench.plan("/r")
    assert plan is not None
    assert len(plan.request_filters) == 1, "a Route to it refuses as well"
    bench.delta(gone(bad.kind, bad.name))
    assert bench.refusal("books") is None
    plan = bench.plan("/r")
    assert plan is not None
    assert plan.request_filters == ()


def test_a_policy_whose_targets_cannot_be_read_refuses_its_namespace_and_no_other() -> None:
    bench = Bench()
    bad = document("RateLimit", "l", {"targets": "all"}, namespace="shop")
    bench.snapshot(running("books", "1"), running("cart", "1", "shop"), bad)
    assert bench.refusal("cart.shop") == (503, "policy_unavailable")
    assert bench.refusal("books") is None
    foreign = document("RateLimit", "m", {"targets": [{"mesh": True}], "token_bucket": {"rate": "1/s"}}, "shop")
    other = Bench()
    other.snapshot(running("books", "1"), running("cart", "1", "shop"), foreign)
    assert (other.refusal("books"), other.refusal("cart.shop")) == (None, None), "it may not speak for others"


def test_a_running_gateway_goes_on_without_a_new_policy_that_does_not_compile() -> None:
    bench = Bench()
    bench.snapshot(running("books", "1"))
    assert len(bench.delta(policy(retry="never"))) == 1
    assert bench.refusal("books") is None
    bench.snapshot(running("books", "1"), policy(retry="never"))
    assert bench.refusal("books") is None


def test_a_rule_is_refused_by_a_policy_for_its_route(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bad = document("RateLimit", "l", {"targets": [{"route": "r"}], "token_bucket": {"rate": "1/s"}, "new": 1})
    bench.snapshot(running("books", "1"), route("r", "/r"), route("s", "/s"), bad)
    plans = [bench.plan("/r"), bench.plan("/s")]
    assert [len(plan.request_filters) for plan in plans if plan is not None] == [1, 0]


def test_a_worker_that_starts_later_runs_the_versions_that_the_others_run() -> None:
    bad_route = document("Route", "r", {"rules": []})
    good_policy, bad_policy = policy(timeouts={"deadline": "3s"}), policy(retry="never")
    new_policy = document("RateLimit", "new", {"targets": [{"service": "cart"}], "token_bucket": "none"})
    later = Bench()
    later.compiler.prove([route("r", "/r"), gone("RateLimit", "new")])
    later.compiler.prove([good_policy])
    said = later.snapshot(running("books", "1"), running("cart", "1"), bad_route, bad_policy, new_policy)
    assert [line.partition(":")[0] for line in said] == ["Route r", "TrafficPolicy p", "RateLimit new"]
    assert deadline_s(later, "/r") == 3.0
    assert (later.refusal("books"), later.refusal("cart")) == (None, None)
    later.delta(document("Route", "r", edge_route(to("books", {"prefix": "/x"}))), gone("TrafficPolicy", "p"))
    assert deadline_s(later, "/x") == float("inf")


def test_a_route_that_does_not_compile_goes_on_in_a_later_worker_as_well() -> None:
    later = Bench()
    later.compiler.prove([route("r", "/r")])
    assert len(later.snapshot(running("books", "1"), route("r", "/%2f"))) == 1
    assert later.plan("/r") is not None
