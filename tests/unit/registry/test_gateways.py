"""What gateways say they run."""

import asyncio

import pytest

from registry import gateways as gateways_module
from registry.gateways import Answering, Applied, Gateways, Refused, Report
from registry.live.memory import MemoryBus
from tests.parts.conditions import until


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_gateway_is_live_for_six_seconds_after_its_report() -> None:
    clock = Clock()
    gateways = Gateways(clock)
    gateways.report(Report(node="a", revision=7, workers=2))
    clock.now_s += 6.0
    assert gateways.live_count() == 1
    clock.now_s += 0.1
    assert gateways.live_count() == 0
    (state,) = gateways.states()
    assert (state.live, state.revision, state.last_report_s) == (False, 7, 6.1)
    clock.now_s += 86_400
    assert gateways.states() == []


def test_a_gateway_that_says_goodbye_is_known_no_more() -> None:
    gateways = Gateways(Clock())
    gateways.report(Report(node="a", revision=7))
    gateways.report(Report(node="b", revision=7))
    gateways.report(Report(node="a", revision=7, is_leaving=True))
    assert [state.node for state in gateways.states()] == ["b"]
    gateways.report(Report(node="stranger", revision=7, is_leaving=True))
    assert gateways.live_count() == 1


def test_the_newest_report_counts_with_its_refusals() -> None:
    gateways = Gateways(Clock())
    gateways.report(Report(node="a", revision=1))
    refused = (Refused(kind="Route", namespace="shop", name="cart", path="spec", reason="no such cluster"),)
    gateways.report(Report(node="a", revision=2, refused=refused))
    state = gateways.state("a")
    assert state is not None
    assert (state.revision, state.refused) == (2, refused)
    assert gateways.state("b") is None


def test_how_far_counts_live_gateways_only() -> None:
    clock = Clock()
    gateways = Gateways(clock)
    gateways.report(Report(node="dead", revision=1))
    clock.now_s += 10
    gateways.report(Report(node="a", revision=5))
    gateways.report(Report(node="b", revision=4))
    assert gateways.how_far(5) == Applied(1, 2, ("b",), is_settled=False)


async def test_a_gateway_that_refuses_a_document_of_the_revision_has_not_applied_it_and_is_not_waited_for() -> None:
    gateways = Gateways(Clock())
    gateways.document_revision = {("Route", "shop", "cart"): 5, ("Route", "shop", "old"): 3}.__getitem__
    old = Refused(kind="Route", namespace="shop", name="old", reason="no such cluster")
    gateways.report(
        Report(node="a", revision=5, refused=(old, Refused(kind="Route", namespace="shop", name="cart", reason="bad")))
    )
    gateways.report(Report(node="b", revision=5, refused=(old,)))
    gateways.report(Report(node="c", revision=4))
    assert gateways.how_far(5) == Applied(1, 3, ("a (refuses Route shop/cart)", "c"), is_settled=False)
    future = gateways.applied(5, within_s=30)
    await asyncio.sleep(0)
    assert not future.done()
    gateways.report(Report(node="c", revision=6))
    assert future.result() == Applied(2, 3, ("a (refuses Route shop/cart)",))


async def test_one_that_waits_for_what_the_registry_makes_is_waited_for() -> None:
    gateways = Gateways(Clock())
    gateways.document_revision = {("Certificate", "shop", "edge"): 5}.__getitem__
    lacking = Refused(kind="Certificate", namespace="shop", name="edge", reason="none yet", is_pending=True)
    gateways.report(Report(node="a", revision=5, refused=(lacking,)))
    assert not gateways.how_far(5).is_settled
    future = gateways.applied(5, within_s=30)
    await asyncio.sleep(0)
    assert not future.done()
    gateways.report(Report(node="a", revision=6))
    assert future.result() == Applied(1, 1, ())


async def test_without_gateways_nobody_is_waited_for() -> None:
    assert await Gateways(Clock()).applied(3, within_s=30) == Applied(0, 0, ())


async def test_a_gateway_that_dies_meanwhile_is_waited_for_no_longer() -> None:
    clock = Clock()
    gateways = Gateways(clock)
    gateways.report(Report(node="a", revision=1))
    future = gateways.applied(2, within_s=30)
    await asyncio.sleep(0)
    assert not future.done()
    clock.now_s += 7
    await until(future.done, within_s=5)
    assert future.result() == Applied(0, 0, ())


def test_the_oldest_makes_room_when_too_many_names_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways_module, "MAX_GATEWAYS", 3)
    clock = Clock()
    gateways = Gateways(clock)
    for at in range(5):
        clock.now_s += 1.0
        gateways.report(Report(node=f"g{at}"))
        gateways.report(Report(node="g0"))
    assert [state.node for state in gateways.states()] == ["g0", "g3", "g4"]


def test_what_is_told_to_one_registry_is_known_to_the_other_but_for_evidence() -> None:
    ends: list[MemoryBus] = []
    clock = Clock()
    one, other = Gateways(clock), Gateways(clock)
    one.share(MemoryBus(ends))
    other.share(MemoryBus(ends))
    evidence = (Answering(namespace="default", service="books", id="b1"),)
    one.report(Report(node="a", revision=5, evidence=evidence, counters={"calls": 1}))
    assert one.states() == other.states()
    assert other.how_far(5) == Applied(1, 1, ())
    assert other._reports["a"].report.evidence == ()


def test_one_that_another_registry_hears_is_waited_for_while_the_bus_is_silent() -> None:
    ends: list[MemoryBus] = []
    clock = Clock()
    one, other = Gateways(clock), Gateways(clock)
    bus = MemoryBus(ends)
    one.share(MemoryBus(ends))
    other.share(bus)
    other.report(Report(node="own", revision=5))
    one.report(Report(node="a", revision=4))
    one.report(Report(node="b", revision=5))
    ends.clear()
    bus.silent_since_s = clock()
    clock.now_s += 60.0
    other.report(Report(node="own", revision=6))
    assert other.how_far(5) == Applied(2, 3, ("a",), is_settled=False)
    assert [(state.node, state.live, state.unheard) for state in other.states()] == [
        ("a", True, True), ("b", True, True), ("own", True, False),
    ]  # fmt: skip
    bus.silent_since_s = None
    clock.now_s += 6.0
    assert other.live_count() == 3, "its registry has the time of three reports to pass one on"
    clock.now_s += 0.1
    assert [state.node for state in other.states() if state.live] == []


def test_a_message_of_another_version_is_passed_over() -> None:
    ends: list[MemoryBus] = []
    one, bus = Gateways(Clock()), MemoryBus(ends)
    one.share(MemoryBus(ends))
    bus.publish("gateways", b"\xc1")
    assert one.states() == []
