"""When a group of alerts is told to its Receiver, and of what; pure. Times: seconds since 1970.

As Alertmanager does it (its dispatch and deduplication stages): the first message comes `group_wait` after the first
alert, further ones `group_interval` apart where something has changed, and `repeat` apart where nothing has. An alert
that was over before anybody was to be told of it is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec.structs import replace

from registry.notifications.records import Group, Member

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from meshway.model.receiver import Receiver
    from registry.alerts.records import AlertState

MOST_MEMBERS: Final = 1_000
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 300.0
FAILING_S: Final = 3_600.0
# How often an Alertmanager is told of what fires: it takes an alert for resolved that it hears no more of.
POST_EVERY_S: Final = 60.0
_JITTER: Final = 0.1


def observed(
    group: Group | None,
    alerts: Mapping[str, AlertState],
    quiet: Set[str],
    receiver: Receiver,
    labels: dict[str, str],
    now: float,
) -> Group | None:
    """The group with what its alerts are now; None: there is nothing to tell, and nothing to keep.

    alerts: those of the group, firing or resolved, by fingerprint. quiet: of which somebody
    has silenced them.
    """
    held = {} if group is None else group.members
    members: dict[str, Member] = {}
    left_out = 0
    for fingerprint, alert in alerts.items():
        member = _member(held.get(fingerprint), alert, receiver, is_quiet=fingerprint in quiet)
        if member is None:
            continue
        if len(members) >= MOST_MEMBERS and fingerprint not in held:
            left_out += 1
            continue
        members[fingerprint] = member
    for fingerprint, member in held.items():
        if fingerprint not in alerts and (gone := _vanished(member, now)) is not None:
            members[fingerprint] = gone
    if group is None:
        if not members:
            return None
        wait_s = 0.0 if receiver.alertmanager is not None else receiver.group_wait
        return Group(labels=labels, members=members, due_at=now + wait_s, left_out=left_out)
    if not members and group.due_at <= now:
        return None
    due_at = group.due_at
    if receiver.alertmanager is not None and not group.failures and any(map(_is_news, members.values())):
        due_at = min(due_at, now)
    if members == held and due_at == group.due_at and left_out == group.left_out:
        return group
    return replace(group, members=members, due_at=due_at, left_out=left_out)


def to_tell(group: Group, receiver: Receiver, now: float) -> dict[str, AlertState]:
    """What the message of a group that is due holds, by fingerprint; empty: none is sent."""
    told = {fingerprint: member for fingerprint, member in group.members.items() if not member.is_quiet}
    wanted = {
        fingerprint: member.alert
        for fingerprint, member in told.items()
        if member.alert.state == "firing" or receiver.send_resolved or member.owed
    }
    has_news = any(_is_news(told[fingerprint]) for fingerprint in wanted)
    return wanted if has_news or _is_to_repeat(group, receiver, wanted.values(), now) else {}


def begun(group: Group, sent: Iterable[str]) -> Group:
    """Before a message leaves: from now on the receiver hears of these, whatever happens."""
    members = dict(group.members)
    for fingerprint in sent:
        if _is_news(members[fingerprint]):
            members[fingerprint] = replace(members[fingerprint], owed=True)
    return group if members == group.members else replace(group, members=members)


def delivered(group: Group, sent: Mapping[str, AlertState], receiver: Receiver, now: float) -> Group:
    """After a message has arrived. What changed meanwhile is news for the next one."""
    members = dict(group.members)
    for fingerprint, alert in sent.items():
        member = members.get(fingerprint)
        if member is None:
            continue
        told: Literal["firing", "resolved"] = "firing" if alert.state == "firing" else "resolved"
        members[fingerprint] = replace(member, told=told, owed=False)
    return replace(settled(replace(group, members=members), receiver, now), sent_at=now, failures=0, failing_since=None)


def settled(group: Group, receiver: Receiver, now: float) -> Group:
    """When everything due is told: what is over goes, and the group is looked at again after its interval."""
    members = {
        fingerprint: member
        for fingerprint, member in group.members.items()
        if member.alert.state == "firing"
        or (_is_news(member) and not member.is_quiet and (receiver.send_resolved or member.owed))
    }
    interval_s = POST_EVERY_S if receiver.alertmanager is not None else receiver.group_interval
    return replace(group, members=members, due_at=now + interval_s)


def refused(group: Group, now: float, random: float) -> tuple[Group, int]:
    """After a message did not arrive, and how many alerts are told no more: those that were over an hour ago, of a
    receiver that has failed for as long. random: uniform in [0, 1)."""
    since = now if group.failing_since is None else group.failing_since
    wait_s = min(FIRST_RETRY_S * 2.0 ** min(group.failures, 10), LAST_RETRY_S) * (1.0 + _JITTER * (2 * random - 1))
    members = group.members
    if now - since >= FAILING_S:
        members = {
            fingerprint: member
            for fingerprint, member in members.items()
            if member.alert.state == "firing" or now - (member.alert.resolved_at or now) < FAILING_S
        }
    gone = len(group.members) - len(members)
    return (
        replace(group, members=members, due_at=now + wait_s, failures=group.failures + 1, failing_since=since),
        gone,
    )


def regrouped(group: Group, receiver: Receiver) -> Group | None:
    """Of a receiver that groups by other labels by now what it is still owed, and no more: what fires comes in groups
    of the new ones. None: nothing is."""
    if not group.labels or set(group.labels) == set(group_by_of(receiver)):
        return group
    owed = {name: each for name, each in group.members.items() if each.owed and each.alert.state != "firing"}
    if not owed:
        return None
    return group if owed == group.members else replace(group, members=owed)


def group_by_of(receiver: Receiver) -> tuple[str, ...]:
    """An Alertmanager groups by itself."""
    return () if receiver.alertmanager is not None else receiver.group_by


def _member(held: Member | None, alert: AlertState, receiver: Receiver, *, is_quiet: bool) -> Member | None:
    is_firing = alert.state == "firing"
    if held is None:
        if is_quiet:
            return None
        if is_firing:
            return Member(alert=alert)
        # It began and ended while nobody looked: told where it would have been, had somebody looked.
        lasted_s = (alert.resolved_at or 0.0) - (alert.fired_at or alert.active_at)
        return Member(alert=alert, owed=True) if lasted_s >= receiver.group_wait else None
    if not is_firing and held.told == "" and not held.owed:
        return None  # over before anybody was to be told
    if is_firing and held.told == "resolved":
        held = replace(held, told="")
    return replace(held, alert=alert, is_quiet=is_quiet)


def _vanished(member: Member, now: float) -> Member | None:
    """Of an alert whose rule is gone, or that is no more for this receiver: it is over for him."""
    if member.told == "" and not member.owed:
        return None
    if member.alert.state != "firing":
        return member
    return replace(member, alert=replace(member.alert, state="resolved", resolved_at=now), is_quiet=False)


def _is_news(member: Member) -> bool:
    return member.told != ("firing" if member.alert.state == "firing" else "resolved")


def _is_to_repeat(group: Group, receiver: Receiver, alerts: Iterable[AlertState], now: float) -> bool:
    repeat_s = POST_EVERY_S if receiver.alertmanager is not None else receiver.repeat
    if group.sent_at is None or now - group.sent_at < repeat_s - 0.5:
        return False
    return any(alert.state == "firing" for alert in alerts)
