import time

import msgspec

from meshway.model.instance import Instance
from registry.alerts.presence import SETTLED_S, Ending, Presence, Sample, together
from registry.gateways import GatewayState, Report
from registry.leases.self_preservation import Hold
from registry.view.rows import InstanceRow, instance_value
from registry.view.view import View
from tests.parts.clock import ManualClock


class Bench:
    def __init__(self) -> None:
        self.view = View(epoch="e", revision=5, floor=1, instance_number=0)
        self.clock = ManualClock()
        self.holds: list[Hold] = []
        self.commits = (0, 0.0)
        self.presence = Presence(
            self.view,
            holds=lambda: self.holds,
            commits=lambda: self.commits,
            clock=self.clock,
            wall=time.time,
        )

    def put(self, name: str, status: str, **fields: object) -> None:
        values = {"namespace": "shop", "service": "cart", "id": name, "address": "127.0.0.1", "port": 80}
        instance = Instance(**(values | {"status": status} | fields))  # type: ignore[arg-type]  # values of tests
        row = InstanceRow(instance, 1, "t", 30, "passing", 6, instance_value(instance))
        self.view.apply(
            entries=(), at=0.0, instances={row.key: row}, documents={}, namespaces=(), onces=(), instance_number=1
        )

    def commit(self) -> None:
        self.view.revision += 1
        for told in self.view.on_commit:
            told()

    def value(self, name: str, over_s: float = 60.0, **parts: str) -> float:
        samples = [
            each
            for each in self.presence.samples(name, over_s, ())
            if all(each.parts.get(part, "") == value for part, value in parts.items())
        ]
        return together(name, samples)[0]


def gateway(node: str, *, revision: int, live: bool = True, silent_s: float = 0.0) -> GatewayState:
    return GatewayState(
        node=node,
        live=live,
        revision=revision,
        refused=(),
        version="",
        zone="",
        workers=1,
        edge="",
        mesh="",
        ejected=(),
        mass_removal_guard=0,
        limits_alone="",
        last_report_s=silent_s,
    )


def test_leases_that_ran_out_are_counted_over_the_span_and_nothing_else_is() -> None:
    bench = Bench()
    for name in ("a", "b", "asked"):
        bench.put(name, "passing", zone="z1", check={"http": "/"} if name == "asked" else None)
    bench.put("a", "critical", zone="z1")
    bench.put("asked", "critical", zone="z1", check={"http": "/"})
    bench.put("b", "draining", zone="z1")
    assert bench.value("lease_expired", service="cart") == 1.0
    bench.clock.advance(50.0)
    bench.put("b", "critical", zone="z1")
    assert bench.value("lease_expired", zone="z1") == 2.0
    bench.clock.advance(20.0)
    assert bench.value("lease_expired", service="cart") == 1.0
    assert bench.value("lease_expired", over_s=3_600.0, service="cart") == 2.0
    assert bench.value("instances_passing", service="cart") == 0.0


def test_a_gateway_is_outdated_since_the_first_revision_that_it_lacks() -> None:
    bench = Bench()
    bench.presence.gateways = lambda: [gateway("gw-1", revision=5)]
    bench.presence.look()
    for _ in range(3):
        bench.clock.advance(8.0)
        bench.commit()
        bench.commit()
        bench.presence.gateways = lambda: [gateway("gw-1", revision=bench.view.revision - 1)]
        bench.clock.advance(2.0)
        bench.presence.look()
        assert bench.value("snapshot_age") == 2.0, "that which was written just now"
    behind = bench.view.revision
    bench.presence.gateways = lambda: [gateway("gw-1", revision=behind)]
    bench.clock.advance(9.0)
    for _ in range(4):
        bench.commit()
        bench.clock.advance(1.0)
        bench.presence.look()
        bench.clock.advance(9.0)
    assert bench.value("snapshot_age") == 40.0


def test_a_gateway_that_is_new_or_spoke_again_has_the_time_to_follow() -> None:
    bench = Bench()
    bench.commit()
    bench.clock.advance(100.0)
    bench.presence.gateways = lambda: [gateway("gw-1", revision=0)]
    bench.presence.look()
    assert bench.value("snapshot_age") == 0.0
    bench.presence.gateways = lambda: [gateway("gw-1", revision=0, live=False)]
    bench.clock.advance(100.0)
    bench.presence.look()
    bench.presence.gateways = lambda: [gateway("gw-1", revision=0)]
    bench.clock.advance(10.0)
    bench.presence.look()
    assert bench.value("snapshot_age") == 10.0


def test_of_a_silent_gateway_only_its_silence_is_told() -> None:
    bench = Bench()
    bench.presence.gateways = lambda: [gateway("gw-1", revision=0, live=False, silent_s=44.0)]
    bench.presence.look()
    bench.clock.advance(90.0)
    assert (bench.value("gateway_silent"), bench.value("snapshot_age")) == (44.0, 0.0)


def test_what_a_gateway_says_amiss_is_of_nobody() -> None:
    bench = Bench()
    said = msgspec.structs.replace(gateway("gw-1", revision=5), ejected=("odd", "shop/cart/a"), open_breakers=("odd",))
    bench.presence.gateways = lambda: [said]
    assert bench.value("ejected", service="cart") == 1.0
    assert bench.value("breaker_open", service="cart") == 0.0


def test_who_was_away_since_the_look_before_is_told_as_past_and_once_only() -> None:
    bench = Bench()
    bench.presence.gateways = lambda: [gateway("gw-1", revision=5)]
    said = Report(node="gw-1", ejected=("shop/cart/a",), open_breakers=("shop/cart#v1",))
    for report in (said, Report(node="gw-1")):
        bench.presence.follow(report)

    def told() -> list[tuple[str, bool]]:
        samples = [each for value in ("ejected", "breaker_open") for each in bench.presence.samples(value, 60.0, ())]
        return [(each.what, each.is_past) for each in samples if each.value]

    before = told()
    bench.presence.look()
    after = told()
    bench.presence.look()
    assert (before, after, told()) == ([], [("shop/cart/a", True), ("gw-1", True)], [])


def test_who_is_away_still_is_not_told_as_past() -> None:
    bench = Bench()
    now = msgspec.structs.replace(gateway("gw-1", revision=5), ejected=("shop/cart/a",))
    bench.presence.gateways = lambda: [now]
    bench.presence.follow(Report(node="gw-1", ejected=("shop/cart/a", "shop/cart/b")))
    bench.presence.look()
    told = [(each.what, each.is_past) for each in bench.presence.samples("ejected", 60.0, ()) if each.value]
    assert told == [("shop/cart/a", False), ("shop/cart/b", True)]


def test_leases_that_are_spared_and_what_a_commit_took() -> None:
    bench = Bench()
    assert bench.value("leases_held") == 0.0
    bench.holds = [Hold(namespace="shop", zone=None, since_s=0.0, tripped_s=0.0, overdue=7)]
    assert (bench.value("leases_held", namespace="shop"), bench.value("leases_held", namespace="default")) == (7.0, 0.0)
    bench.presence.look()
    bench.commits = (4, 6.0)
    bench.presence.look()
    assert bench.value("commit_time") == 1.5
    bench.presence.look()
    assert bench.value("commit_time") == 0.0


def test_certificates_of_the_mesh_itself_count_too() -> None:
    bench = Bench()
    now = time.time()
    ending = Ending("root abc", now - 300 * 86_400.0, now + 2 * 86_400.0)
    (left,) = bench.presence.samples("cert_days_left", 60.0, [ending])
    assert left.parts == {"namespace": "mesh"}
    assert 1.9 < left.value <= 2.0
    expiring = bench.presence.samples("certs_expiring", 60.0, [ending])
    assert together("certs_expiring", expiring) == (1.0, "root abc")


def test_what_gateways_say_is_all_there_some_time_after_the_start() -> None:
    bench = Bench()
    settled = [bench.presence.is_settled]
    bench.clock.advance(SETTLED_S)
    settled.append(bench.presence.is_settled)
    assert settled == [False, True]
    bench.presence.failing = [("shop", "oncall")]
    found = [each for each in bench.presence.samples("receivers_failing", 60.0, ()) if each.value]
    assert found == [Sample({"namespace": "shop"}, 1.0, "shop/oncall")]
