from typing import Any

from meshway.model.receiver import AlertmanagerTarget, Receiver, WebhookTarget
from meshway.units import Duration
from registry.alerts.records import AlertState
from registry.notifications.grouping import (
    FAILING_S,
    LAST_RETRY_S,
    MOST_MEMBERS,
    POST_EVERY_S,
    begun,
    delivered,
    observed,
    refused,
    regrouped,
    settled,
    to_tell,
)
from registry.notifications.records import Group
from tests.parts.alerts import firing, resolved

WAIT_S, INTERVAL_S, REPEAT_S = 30.0, 300.0, 14_400.0
CART, FILMS = firing(), firing(labels={"service": "films"})


def receiver(**fields: Any) -> Receiver:
    return Receiver(webhook=WebhookTarget(url="http://127.0.0.1/"), **fields)


def seen(group: Group | None, *alerts: AlertState, now: float, quiet: tuple[AlertState, ...] = ()) -> Group | None:
    by = {alert.fingerprint: alert for alert in (*alerts, *quiet)}
    return observed(group, by, {alert.fingerprint for alert in quiet}, receiver(), {"alert": "errors"}, now)


def told(group: Group, now: float) -> Group:
    """A message left, and arrived."""
    sent = to_tell(group, receiver(), now)
    assert sent
    return delivered(begun(group, sent), sent, receiver(), now)


def states(group: Group | None, now: float) -> list[str]:
    assert group is not None
    return sorted(alert.state for alert in to_tell(group, receiver(), now).values())


def test_alerts_of_a_group_wait_for_each_other_and_are_told_together() -> None:
    group = seen(None, CART, now=0.0)
    group = seen(group, CART, FILMS, now=10.0)
    assert group is not None
    assert group.due_at == WAIT_S
    assert states(group, WAIT_S) == ["firing", "firing"]


def test_nothing_is_told_again_before_it_is_time_to_repeat() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    assert group.due_at == WAIT_S + INTERVAL_S
    assert states(seen(group, CART, now=group.due_at), group.due_at) == []
    assert states(seen(group, CART, now=WAIT_S + REPEAT_S), WAIT_S + REPEAT_S) == ["firing"]


def test_what_comes_to_a_group_later_is_told_after_its_interval_with_the_rest() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    group = seen(group, CART, FILMS, now=WAIT_S + 1.0) or _none()
    assert group.due_at == WAIT_S + INTERVAL_S
    assert states(group, group.due_at) == ["firing", "firing"]


def test_the_end_is_told_once_and_then_the_group_goes() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    group = seen(group, resolved(CART, 100.0), now=100.0) or _none()
    assert states(group, group.due_at) == ["resolved"]
    group = told(group, group.due_at)
    assert group.members == {}
    assert seen(group, now=group.due_at - 1.0) is not None  # one that comes now waits for the interval, not group_wait
    assert seen(group, now=group.due_at) is None


def test_the_end_is_not_told_to_who_does_not_want_it() -> None:
    quiet = receiver(send_resolved=False)
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    group = seen(group, resolved(CART, 100.0), now=100.0) or _none()
    assert to_tell(group, quiet, group.due_at) == {}
    assert settled(group, quiet, group.due_at).members == {}


def test_an_alert_that_was_over_before_its_message_was_due_is_not_told() -> None:
    group = seen(None, CART, now=0.0)
    group = seen(group, resolved(CART, 20.0), now=20.0)
    assert group is not None
    assert states(group, WAIT_S) == []


def test_what_could_not_be_told_is_told_even_when_it_is_over() -> None:
    group = seen(None, CART, now=0.0) or _none()
    group = begun(group, to_tell(group, receiver(), WAIT_S))
    group, _ = refused(group, WAIT_S, 0.5)
    group = seen(group, resolved(CART, 40.0), now=40.0) or _none()
    assert states(group, 40.0) == ["resolved"]
    assert list(to_tell(group, receiver(send_resolved=False), 40.0)) == [CART.fingerprint]


def test_an_alert_that_is_over_when_first_seen_is_told_where_it_would_have_been() -> None:
    long, short = resolved(CART, CART.active_at + WAIT_S), resolved(FILMS, FILMS.active_at + WAIT_S - 1.0)
    group = seen(None, long, short, now=5000.0)
    assert group is not None
    assert list(group.members) == [CART.fingerprint]
    assert states(group, group.due_at) == ["resolved"]


def test_an_alert_whose_rule_is_gone_is_told_as_over() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    group = seen(group, now=60.0) or _none()
    assert states(group, group.due_at) == ["resolved"]
    assert group.members[CART.fingerprint].alert.resolved_at == 60.0


def test_what_is_silenced_is_not_told_and_not_taken_for_over() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    assert seen(None, now=0.0, quiet=(CART,)) is None
    later = seen(group, now=WAIT_S + REPEAT_S, quiet=(CART,)) or _none()
    assert states(later, WAIT_S + REPEAT_S) == []
    awake = seen(later, CART, now=WAIT_S + REPEAT_S + 1.0)
    assert states(awake, WAIT_S + REPEAT_S + 1.0) == ["firing"]


def test_what_fires_again_is_news() -> None:
    group = told(seen(None, CART, now=0.0) or _none(), WAIT_S)
    group = told(seen(group, resolved(CART, 100.0), now=100.0) or _none(), WAIT_S + INTERVAL_S)
    group = seen(group, firing(at=1200.0), now=400.0) or _none()
    assert group.due_at == WAIT_S + 2 * INTERVAL_S
    assert states(group, group.due_at) == ["firing"]


def test_an_end_while_its_message_is_on_its_way_is_told_after_it() -> None:
    group = seen(None, CART, now=0.0) or _none()
    sent = to_tell(group, receiver(), WAIT_S)
    group = seen(begun(group, sent), resolved(CART, 31.0), now=31.0) or _none()
    group = delivered(group, sent, receiver(), 32.0)
    assert states(group, group.due_at) == ["resolved"]


def test_tries_are_further_and_further_apart_and_never_over_five_minutes() -> None:
    group, waits = seen(None, CART, now=0.0) or _none(), []
    now = WAIT_S
    for _ in range(12):
        group, dropped = refused(group, now, 0.5)
        waits.append(group.due_at - now)
        now = group.due_at
        assert dropped == 0
    assert [round(wait, 6) for wait in waits] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert max(waits) == LAST_RETRY_S
    assert group.failing_since == WAIT_S


def test_after_an_hour_of_tries_what_fires_goes_on_and_what_was_over_for_as_long_is_counted() -> None:
    group = seen(None, CART, FILMS, now=0.0) or _none()
    group = begun(group, to_tell(group, receiver(), WAIT_S))
    group, _ = refused(group, WAIT_S, 0.5)
    group = seen(group, CART, resolved(FILMS, 60.0), now=60.0) or _none()
    group, dropped = refused(group, WAIT_S + FAILING_S - 1.0, 0.5)
    assert dropped == 0
    group, dropped = refused(group, 60.0 + FAILING_S, 0.5)
    assert dropped == 1
    assert list(group.members) == [CART.fingerprint]


def test_a_group_that_is_full_counts_what_it_leaves_out() -> None:
    many = {f"f{at}": firing(labels={"service": f"s{at}"}) for at in range(MOST_MEMBERS + 3)}
    group = observed(None, many, set(), receiver(), {}, 0.0)
    assert group is not None
    assert (len(group.members), group.left_out) == (MOST_MEMBERS, 3)


def test_an_alertmanager_is_told_at_once_and_each_minute() -> None:
    am = Receiver(alertmanager=AlertmanagerTarget(url="http://127.0.0.1:9093"))
    by = {CART.fingerprint: CART}
    group = observed(None, by, set(), am, {}, 0.0) or _none()
    assert group.due_at == 0.0
    sent = to_tell(group, am, 0.0)
    group = delivered(begun(group, sent), sent, am, 0.0)
    assert group.due_at == POST_EVERY_S
    assert to_tell(observed(group, by, set(), am, {}, 60.0) or _none(), am, 60.0)
    over = observed(group, {CART.fingerprint: resolved(CART, 20.0)}, set(), am, {}, 20.0) or _none()
    assert over.due_at == 20.0
    assert [alert.state for alert in to_tell(over, am, 20.0).values()] == ["resolved"]


def test_a_receiver_that_groups_otherwise_by_now_is_told_what_is_owed_and_nothing_as_over() -> None:
    group = seen(None, CART, FILMS, now=0.0) or _none()
    group = begun(group, to_tell(group, receiver(), WAIT_S))
    group, _ = refused(group, WAIT_S, 0.5)
    group = seen(group, CART, resolved(FILMS, 40.0), now=40.0) or _none()
    assert regrouped(group, receiver(group_by=("alert",))) is group
    left = regrouped(group, receiver(group_by=("service",))) or _none()
    assert list(left.members) == [FILMS.fingerprint]
    assert regrouped(told(group, 41.0), receiver(group_by=("service",))) is None


def test_groups_of_an_interval_of_their_own_follow_it() -> None:
    often = receiver(group_wait=Duration(0.0), group_interval=Duration(1.0), repeat=Duration(60.0))
    group = observed(None, {CART.fingerprint: CART}, set(), often, {}, 7.0) or _none()
    assert group.due_at == 7.0
    sent = to_tell(group, often, 7.0)
    group = delivered(group, sent, often, 7.0)
    assert group.due_at == 8.0
    assert to_tell(group, often, 66.0) == {}
    assert to_tell(group, often, 67.0)


def _none() -> Group:
    raise AssertionError("there is no group")
