import pytest

from registry.alerts.episodes import LOST_S, Look, next_of
from registry.alerts.records import AlertState
from registry.alerts.rules import Rule

NOW = 1_000.0


def look(
    holds: bool | None,
    *,
    for_s: float = 30.0,
    keep_s: float = 40.0,
    gone: bool = False,
    no_data: str = "keep",
    wavers: bool = False,
) -> Look:
    rule = Rule(
        kind="Alert",
        namespace="shop",
        name="slow",
        for_s=for_s,
        keep_s=keep_s,
        no_data=no_data,
        summary="${service}: ${value}",
        labels={"team": "a"},
    )
    return Look(
        rule=rule,
        labels={"service": "cart"},
        value=0.5 if holds is not None else None,
        holds=holds,
        measure="ratio",
        is_gone=gone,
        wavers=wavers,
    )


def firing(at: float = NOW) -> AlertState:
    state = next_of(None, look(True, for_s=0.0), at)
    assert state is not None
    assert state.state == "firing"
    return state


def test_it_is_pending_until_it_held_for_as_long_as_the_rule_says() -> None:
    pending = next_of(None, look(True), NOW)
    assert pending is not None
    assert (pending.state, pending.fired_at, pending.summary) == ("pending", None, "cart: 50 %")
    assert pending.labels == {"service": "cart", "team": "a"}
    still = next_of(pending, look(True), NOW + 29.9)
    assert still is not None
    assert still.state == "pending"
    fires = next_of(still, look(True), NOW + 30.0)
    assert fires is not None
    assert (fires.state, fires.id, fires.active_at, fires.fired_at) == ("firing", pending.id, NOW, NOW + 30.0)


def test_what_never_fired_leaves_nothing() -> None:
    pending = next_of(None, look(True), NOW)
    assert next_of(pending, look(False), NOW + 10.0) is None
    assert next_of(None, look(False), NOW) is None


def test_what_comes_back_for_moments_begins_and_stays_but_fires_only_while_it_is_so() -> None:
    begun = next_of(None, look(False, wavers=True), NOW)
    assert begun is not None
    assert begun.state == "pending"
    again = next_of(begun, look(False, wavers=True), NOW + 40.0)
    assert again is begun
    fires = next_of(begun, look(True), NOW + 50.0)
    assert fires is not None
    assert (fires.state, fires.active_at) == ("firing", NOW)
    assert next_of(fires, look(False, wavers=True), NOW + 100.0) is fires
    over = next_of(fires, look(False), NOW + 110.0)
    assert over is not None
    assert over.state == "resolved"


def test_what_was_so_once_between_two_looks_never_fires_even_without_a_time_to_wait() -> None:
    begun = next_of(None, look(False, for_s=0.0, wavers=True), NOW)
    assert begun is not None
    assert begun.state == "pending"
    assert next_of(begun, look(False, for_s=0.0), NOW + 10.0) is None


def test_it_fires_on_for_as_long_as_the_rule_says_and_is_then_over() -> None:
    known = firing()
    assert next_of(known, look(False), NOW + 39.9) is known
    over = next_of(known, look(False), NOW + 40.0)
    assert over is not None
    assert (over.state, over.resolved_at, over.id) == ("resolved", NOW + 40.0, known.id)


@pytest.mark.parametrize(("no_data", "after"), [("keep", "firing"), ("fire", "firing"), ("resolve", "resolved")])
def test_without_data_it_is_what_the_rule_says(no_data: str, after: str) -> None:
    state = next_of(firing(), look(None, no_data=no_data), NOW + 100.0)
    assert state is not None
    assert state.state == after


def test_nobody_waits_a_second_day_for_data_nor_for_what_is_gone() -> None:
    late = next_of(firing(), look(None), NOW + LOST_S)
    gone = next_of(firing(), look(None, gone=True, no_data="fire"), NOW + 1.0)
    assert late is not None
    assert gone is not None
    assert (late.state, gone.state) == ("resolved", "resolved")


def test_a_fingerprint_holds_when_people_change_the_labels_of_a_rule() -> None:
    one, other = look(True), look(True)
    changed = Look(
        rule=Rule(kind="Alert", namespace="shop", name="slow", labels={"team": "b"}),
        labels=other.labels,
        value=1.0,
        holds=True,
    )
    assert one.fingerprint == changed.fingerprint
