"""What leases promise, judged on a recorded history: none ends too early, is forgotten, or lives too long.

Times are of the clients' one clock, so a renewal counts from when it was asked, and an expiry is known by the first
follower that saw it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.parts.history import History, Renewal, Sight, Span, Stall

# How long after its time a lease may still be seen alive.
LATE_S = 2.0
# How long one registry may not know what another has answered, when nothing is in their way.
LAG_S = 0.5


def lease_faults(history: History) -> list[str]:
    """Of a namespace whose leases stay clear of self-preservation, and without calls that give evidence."""
    seen = _first_seen(history)
    endings: defaultdict[str, list[Sight]] = defaultdict(list)
    for sight in seen:
        for key in sight.critical | sight.gone:
            endings[key].append(sight)
    over_s = max((sight.at_s for sight in seen), default=0.0)
    # Nobody knows when a try without an answer is done, and a registration is a renewal.
    doubtful = {write.key for write in history.writes if write.doubtful}
    taken = {write.key for write in history.writes if write.takes}
    renewals: defaultdict[str, list[Renewal]] = defaultdict(list)
    for renewal in history.renewals:
        renewals[renewal.key].append(renewal)
    faults: list[str] = []
    for key, of_key in renewals.items():
        of_key.sort(key=lambda renewal: renewal.asked_s)
        faults += _ended_too_early(key, of_key, endings[key])
        if key not in doubtful:
            faults += _forgotten(key, of_key, endings[key], history.disturbed)
        if key not in doubtful | taken:
            faults += _lived_too_long(key, of_key, endings[key], over_s, history)
    return faults


def _first_seen(history: History) -> list[Sight]:
    """Each revision as the first follower saw it, in order; a snapshot tells more than the delta of its revision, but
    when it came is not when it happened."""
    first: dict[tuple[int, bool], Sight] = {}
    for sights in history.sights.values():
        for sight in sights:
            known = first.get((sight.revision, sight.is_snapshot))
            if known is None or sight.at_s < known.at_s:
                first[sight.revision, sight.is_snapshot] = sight
    return [first[place] for place in sorted(first)]


def _ended_too_early(key: str, renewals: list[Renewal], endings: list[Sight]) -> Iterator[str]:
    """A lease whose renewal was answered at a revision is not over in a later one before its TTL has passed."""
    for sight in endings:
        if key not in sight.critical:
            continue
        for renewal in renewals:
            if (
                renewal.is_renewed
                and renewal.answered_s is not None
                and renewal.revision < sight.revision
                and renewal.answered_s < sight.at_s < renewal.asked_s + renewal.ttl_s
            ):
                left_s = renewal.asked_s + renewal.ttl_s - sight.at_s
                yield f"early: {key} was renewed, and expired in {sight.revision} with {left_s:.2f} s left"
                break


def _forgotten(key: str, renewals: list[Renewal], endings: list[Sight], disturbed: tuple[Span, ...]) -> Iterator[str]:
    """Who was renewed is known at the next heartbeat, at every registry. (A registration is a renewal, too.)"""
    for before, renewal in pairwise(renewals):
        if renewal.is_renewed or renewal.answered_s is None or not before.is_renewed:
            continue
        known_s = before.answered_s or before.asked_s
        is_in_trouble = any(span.from_s < renewal.answered_s and known_s < span.until_s + LATE_S for span in disturbed)
        has_ended = any(known_s < sight.at_s < renewal.answered_s for sight in endings)
        if renewal.asked_s - known_s >= LAG_S and not (is_in_trouble or has_ended):
            yield f"forgotten: {key} was renewed at {known_s:.2f} s and refused at {renewal.asked_s:.2f} s"


def _lived_too_long(
    key: str, renewals: list[Renewal], endings: list[Sight], over_s: float, history: History
) -> Iterator[str]:
    """After the last renewal it is critical, or gone, within its TTL and LATE_S; trouble starts that time anew, and
    what the parts waited for the processor in LATE_S is added.

    over_s: when the last thing was seen; what was due later could not be.
    """
    last = renewals[-1]
    from_s = last.asked_s if last.answered_s is None else last.answered_s
    until_s = _undisturbed(from_s, last.ttl_s + LATE_S, history.disturbed)
    until_s += _stalled_s(history.stalls, until_s - LATE_S, until_s)
    if over_s > until_s and not any(from_s <= sight.at_s <= until_s for sight in endings):
        yield f"alive: {key} was last renewed at {from_s:.2f} s and not seen critical until {until_s:.2f} s"


def _stalled_s(stalls: tuple[Stall, ...], from_s: float, until_s: float) -> float:
    """One part after the other is needed, so their waits add up."""
    return sum(stall.waited_s for stall in stalls if from_s <= stall.from_s and stall.until_s <= until_s)


def _undisturbed(from_s: float, length_s: float, disturbed: tuple[Span, ...]) -> float:
    """The end of the first stretch of that length without trouble, from `from_s` on."""
    for span in sorted(disturbed, key=lambda span: span.from_s):
        if span.until_s > from_s and span.from_s < from_s + length_s:
            from_s = span.until_s
    return from_s + length_s
