"""What the judge of leases must find: an early end, a late one, and nothing in a good history."""

from __future__ import annotations

import random

import pytest

from tests.parts.history import History, Renewal, Sight, Span, Stall, Write
from tests.parts.lease_history import LATE_S, lease_faults

TTL_S = 3.0
KEYS = tuple(f"k{at}" for at in range(5))


def good(chance: random.Random) -> History:
    """Each is renewed every second until it stops at a time of its own; then it is critical TTL to TTL + 1 s later."""
    renewals: list[Renewal] = []
    ends: list[tuple[float, str]] = []
    for at, key in enumerate(KEYS):
        times = [at / 10 + second for second in range(chance.randint(4, 9))]
        renewals += [Renewal(key, time, time + 0.01, True, 5, TTL_S) for time in times]
        ends.append((times[-1] + TTL_S + chance.random(), key))
    sights = [Sight(0, (), 0.0, is_snapshot=True)]
    sights += [Sight(6 + at, (key,), time, critical=frozenset((key,))) for at, (time, key) in enumerate(sorted(ends))]
    sights.append(Sight(6 + len(KEYS), ("other",), 40.0))
    return History((), {"follower": tuple(sights)}, {}, renewals=tuple(renewals))


def _moved(history: History, at: int, by_s: float) -> History:
    sights = list(history.sights["follower"])
    sights[at] = sights[at]._replace(at_s=sights[at].at_s + by_s)
    return history._replace(sights={"follower": tuple(sights)})


@pytest.mark.parametrize("seed", range(20))
def test_a_good_history_has_no_faults(seed: int) -> None:
    assert lease_faults(good(random.Random(seed))) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_lease_that_ends_before_its_time_is_found(seed: int) -> None:
    chance = random.Random(seed)
    found = lease_faults(_moved(good(chance), chance.randint(1, 5), -1.5))
    assert [fault.partition(":")[0] for fault in found] == ["early"]


@pytest.mark.parametrize("seed", range(20))
def test_a_lease_that_ends_late_or_never_is_found(seed: int) -> None:
    chance = random.Random(seed)
    history, at = good(chance), chance.randint(1, 5)
    assert any(fault.startswith("alive:") for fault in lease_faults(_moved(history, at, LATE_S + 0.1)))
    sights = list(history.sights["follower"])
    del sights[at]
    never = lease_faults(history._replace(sights={"follower": tuple(sights)}))
    assert [fault.partition(":")[0] for fault in never] == ["alive"]


@pytest.mark.parametrize("seed", range(20))
def test_a_renewal_that_is_refused_without_a_reason_is_found(seed: int) -> None:
    history, at = good(random.Random(seed)), 2
    renewals = list(history.renewals)
    renewals[at] = renewals[at]._replace(is_renewed=False)
    refused = history._replace(renewals=tuple(renewals))
    assert [fault.partition(":")[0] for fault in lease_faults(refused)] == ["forgotten"]
    trouble = Span("postgres", renewals[at].asked_s - 0.5, renewals[at].asked_s)
    assert lease_faults(refused._replace(disturbed=(trouble,))) == []


def test_trouble_starts_the_time_of_an_ending_anew_and_no_other() -> None:
    history = _moved(good(random.Random(1)), 5, 4.0)
    late = history.sights["follower"][5].at_s
    assert lease_faults(history) != []
    assert lease_faults(history._replace(disturbed=(Span("postgres", late - 4.5, late - TTL_S),))) == []
    assert lease_faults(history._replace(disturbed=(Span("postgres", 0.0, 1.0),))) != []


def test_what_the_parts_waited_for_the_processor_meanwhile_is_added_and_no_more() -> None:
    history = _moved(good(random.Random(1)), 5, LATE_S)
    key, due_s = history.sights["follower"][5].keys[0], 0.0
    for renewal in history.renewals:
        due_s = max(due_s, renewal.answered_s or 0.0) if renewal.key == key else due_s
    due_s += TTL_S
    late_s = history.sights["follower"][5].at_s - due_s - LATE_S
    assert lease_faults(history) != []
    waits = (Stall("registries", due_s + 0.5, due_s + 1.0, late_s / 2), Stall("live", due_s + 0.5, due_s + 1.0, late_s))
    assert lease_faults(history._replace(stalls=waits)) == []
    assert lease_faults(history._replace(stalls=waits[:1])) != []
    assert lease_faults(history._replace(stalls=(Stall("live", due_s - 1.0, due_s - 0.5, late_s),))) != []


def test_one_that_was_taken_away_need_not_run_out() -> None:
    history = good(random.Random(2))
    sights = [sight for sight in history.sights["follower"] if "k3" not in sight.keys]
    unseen = history._replace(sights={"follower": tuple(sights)})
    assert lease_faults(unseen) != []
    assert lease_faults(unseen._replace(writes=(Write("k3", 9.0, 9.1, 20, takes=True),))) == []


def test_a_snapshot_that_shows_an_end_in_time_is_a_sight_of_it() -> None:
    history, at = good(random.Random(4)), 3
    sights = list(history.sights["follower"])
    sights[at] = sights[at]._replace(is_snapshot=True)
    assert lease_faults(history._replace(sights={"follower": tuple(sights)})) == []


def test_a_registration_that_may_yet_be_done_is_no_measure() -> None:
    history = _moved(good(random.Random(3)), 5, 4.0)
    key = history.sights["follower"][5].keys[0]
    assert lease_faults(history) != []
    assert lease_faults(history._replace(writes=(Write(key, 1.0, None, None, doubtful=True),))) == []
