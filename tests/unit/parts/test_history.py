"""The checker must find every fault that is put into a good history."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.parts.history import History, Read, Renewal, Sight, Write, faults

TAKEN = "k39"
ABANDONED = "left"
REMOVE_AFTER_S = 30.0


def good(chance: random.Random) -> History:
    """Writes in order, some unanswered. One follower from the beginning, one was away. k1 was patched, k39 went."""
    writes: list[Write] = []
    sights: list[Sight] = [Sight(0, (), 0.0, True)]
    for number in range(1, 40):
        asked_s = number + chance.random() * 0.5
        is_answered = chance.random() < 0.9
        writes.append(
            Write(f"k{number}", asked_s, number + 0.9 if is_answered else None, number if is_answered else None)
        )
        sights.append(Sight(number, (f"k{number}",), number + 0.8))
    writes += [Write("k1", 40.1, 40.9, 40), Write(TAKEN, 41.1, 41.9, 41, takes=True)]
    sights += [Sight(40, ("k1",), 40.5), Sight(41, (TAKEN,), 41.5, gone=frozenset((TAKEN,)))]
    keys = tuple(f"k{number}" for number in range(1, 21))
    away = (*sights[:10], Sight(20, keys, 21.0, True), *sights[21:])
    final = {f"k{at}": at for at in range(2, 39)} | {"k1": 40}
    reads = tuple(Read("reader", at, at + chance.randint(0, 2)) for at in range(40))
    return History(tuple(writes), {"whole": tuple(sights), "away": away}, final, reads)


def _answered(history: History, chance: random.Random) -> int:
    """A registration that stayed."""
    stayed = [
        at for at, write in enumerate(history.writes) if write.revision is not None and write.key in history.final
    ]
    return chance.choice([at for at in stayed if at > 2])


def _with_write(history: History, at: int, **fields: object) -> History:
    writes = list(history.writes)
    writes[at] = writes[at]._replace(**fields)  # type: ignore[arg-type]
    return history._replace(writes=tuple(writes))


def _with_sights(history: History, name: str, change: Callable[[list[Sight]], object]) -> History:
    sights = list(history.sights[name])
    change(sights)
    return history._replace(sights={**history.sights, name: tuple(sights)})


def _lose(history: History, chance: random.Random) -> History:
    key = history.writes[_answered(history, chance)].key
    return history._replace(final={name: at for name, at in history.final.items() if name != key})


def _go_back(history: History, chance: random.Random) -> History:
    at = _answered(history, chance)
    return history._replace(final={**history.final, history.writes[at].key: at})


def _reorder(history: History, chance: random.Random) -> History:
    at = _answered(history, chance)
    return _with_write(history, at, revision=history.writes[0].revision or history.writes[1].revision or 1)


def _drop(history: History, chance: random.Random) -> History:
    at = chance.randint(1, 37)
    return _with_sights(history, "whole", lambda sights: sights.pop(at))


def _double(history: History, chance: random.Random) -> History:
    at = chance.randint(1, 39)
    return _with_sights(history, "whole", lambda sights: sights.insert(at, sights[at]))


def _swap(history: History, chance: random.Random) -> History:
    at = chance.randint(1, 38)

    def swap(sights: list[Sight]) -> None:
        sights[at], sights[at + 1] = sights[at + 1], sights[at]

    return _with_sights(history, "whole", swap)


def _falsify(history: History, chance: random.Random) -> History:
    at = chance.randint(25, 39)

    def falsify(sights: list[Sight]) -> None:
        sights[at] = sights[at]._replace(keys=("k1",))

    return _with_sights(history, "whole", falsify)


def _foresee(history: History, chance: random.Random) -> History:
    at = chance.randint(1, 39)

    def foresee(sights: list[Sight]) -> None:
        sights[at] = sights[at]._replace(at_s=at - 0.5)

    return _with_sights(history, "whole", foresee)


def _begin_without_snapshot(history: History, chance: random.Random) -> History:
    return _with_sights(history, "whole", lambda sights: sights.pop(0))


def _fall_back(history: History, chance: random.Random) -> History:
    at = chance.randint(25, 39)
    return _with_sights(history, "whole", lambda sights: sights.insert(at, Sight(3, ("k1", "k2", "k3"), 50.0, True)))


def _forget_a_patch(history: History, chance: random.Random) -> History:
    return history._replace(final={**history.final, "k1": 1})


def _bring_back(history: History, chance: random.Random) -> History:
    return history._replace(final={**history.final, TAKEN: 39})


def _hide(history: History, chance: random.Random) -> History:
    """The follower was told of it, and there is something newer that it never was told of."""
    key = f"k{chance.randint(2, 38)}"
    return history._replace(final={**history.final, key: 41})


def _show_the_past(history: History, chance: random.Random) -> History:
    at = chance.randint(1, 39)
    reads = list(history.reads)
    reads[at] = reads[at]._replace(revision=at - 1)
    return history._replace(reads=tuple(reads))


def _kill_at_one(history: History, chance: random.Random) -> History:
    """Only one of the followers is told that a lease ran out."""
    at = chance.randint(25, 39)

    def kill(sights: list[Sight]) -> None:
        sights[at] = sights[at]._replace(critical=frozenset(sights[at].keys))

    return _with_sights(history, "whole", kill)


def _invent(history: History, chance: random.Random) -> History:
    return history._replace(final={**history.final, "nobody": 3})


MUTATIONS = [
    (_lose, "lost"), (_go_back, "lost"), (_reorder, "reordered"), (_reorder, "shared"), (_drop, "gap"),
    (_double, "doubled"), (_swap, "late"), (_falsify, "different"), (_foresee, "future"),
    (_begin_without_snapshot, "headless"), (_fall_back, "past"), (_invent, "invented"),
    (_forget_a_patch, "lost"), (_bring_back, "lost"), (_hide, "left"), (_show_the_past, "stale"),
    (_kill_at_one, "different"),
]  # fmt: skip


def test_a_good_history_has_no_faults() -> None:
    for seed in range(20):
        assert faults(good(random.Random(seed))) == []


@pytest.mark.parametrize(("mutate", "kind"), MUTATIONS)
def test_every_mutation_is_found(mutate: Callable[[History, random.Random], History], kind: str) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        found = faults(mutate(good(chance), chance))
        assert any(fault.startswith(f"{kind}:") for fault in found), (seed, found)


def abandoned(chance: random.Random, *, listed_s: float) -> History:
    """A good history with one more, which ran out and went listed_s later; k2 is patched every second."""
    history = good(chance)
    critical_s = 60.0 + chance.random()
    happens = [(50.5 + at, "k2", False) for at in range(60)]
    happens += [(52.0, ABANDONED, False), (critical_s, ABANDONED, False), (critical_s + listed_s, ABANDONED, True)]
    writes, sights = list(history.writes), list(history.sights["whole"])
    for revision, (at_s, key, is_gone) in enumerate(sorted(happens), 42):
        is_critical = key == ABANDONED and at_s == critical_s
        if not (is_gone or is_critical):
            writes.append(Write(key, at_s - 0.02, at_s + 0.02, revision))
        marks = (frozenset((key,)) if is_critical else frozenset(), frozenset((key,)) if is_gone else frozenset())
        sights.append(Sight(revision, (key,), at_s + 0.01, False, *marks))
    last = max(write.revision or 0 for write in writes if write.key == "k2")
    return history._replace(
        writes=tuple(writes),
        sights={"whole": tuple(sights)},
        final={**history.final, "k2": last},
        remove_after_s=REMOVE_AFTER_S,
    )


def _kinds(history: History) -> list[str]:
    return [fault.partition(":")[0] for fault in faults(history)]


def _critical_at(history: History) -> int:
    return next(at for at, sight in enumerate(history.sights["whole"]) if ABANDONED in sight.critical)


def _unseen_from(history: History, at: int, keys: tuple[str, ...], until: Callable[[Sight], bool]) -> History:
    """The follower was away from that sight on, and began anew with a snapshot of those keys."""

    def leave_out(sights: list[Sight]) -> None:
        back = next(later for later in range(at, len(sights)) if until(sights[later]))
        known = frozenset((ABANDONED,)) if ABANDONED in keys else frozenset[str]()
        sights[at : back + 1] = [sights[back]._replace(keys=keys, is_snapshot=True, critical=known, gone=frozenset())]

    return _with_sights(history, "whole", leave_out)


@pytest.mark.parametrize("seed", range(20))
def test_one_that_was_critical_for_its_time_is_removed_by_right(seed: int) -> None:
    assert faults(abandoned(random.Random(seed), listed_s=REMOVE_AFTER_S + 0.1)) == []


@pytest.mark.parametrize("seed", range(20))
def test_one_that_goes_before_its_time_is_found_and_is_not_called_lost(seed: int) -> None:
    assert _kinds(abandoned(random.Random(seed), listed_s=REMOVE_AFTER_S - 2.5)) == ["removed early"]


@pytest.mark.parametrize("seed", range(20))
def test_a_removal_that_only_snapshots_show_is_judged_by_them(seed: int) -> None:
    keys = tuple(f"k{at}" for at in range(1, 39))
    for listed_s, found in ((REMOVE_AFTER_S + 0.1, []), (REMOVE_AFTER_S - 12.0, ["removed early"])):
        history = abandoned(random.Random(seed), listed_s=listed_s)
        gone = next(at for at, sight in enumerate(history.sights["whole"]) if ABANDONED in sight.gone)
        unseen = _unseen_from(history, gone, keys, lambda sight: ABANDONED not in sight.keys)
        assert _kinds(unseen) == found
        unsure = _unseen_from(unseen, _critical_at(unseen), (*keys, ABANDONED), lambda sight: sight.critical == set())
        assert any(sight.is_snapshot and sight.critical for sight in unsure.sights["whole"])
        assert _kinds(unsure) == found


@pytest.mark.parametrize("seed", range(20))
def test_one_that_went_without_having_run_out_is_lost(seed: int) -> None:
    history = abandoned(random.Random(seed), listed_s=REMOVE_AFTER_S + 0.1)

    def revive(sights: list[Sight]) -> None:
        at = _critical_at(history)
        sights[at] = sights[at]._replace(critical=frozenset())

    assert "lost" in _kinds(_with_sights(history, "whole", revive))


@pytest.mark.parametrize("seed", range(20))
def test_a_renewal_that_was_answered_begins_the_time_of_a_removal_anew(seed: int) -> None:
    history = abandoned(random.Random(seed), listed_s=REMOVE_AFTER_S + 0.1)
    revived = Renewal(ABANDONED, 75.0, 75.1, True, 60, 6.0)
    assert _kinds(history._replace(renewals=(revived,))) == ["removed early"]
    refused = revived._replace(is_renewed=False)
    assert _kinds(history._replace(renewals=(refused,))) == []


def test_a_change_of_a_critical_one_does_not_begin_its_time_anew() -> None:
    history = abandoned(random.Random(2), listed_s=REMOVE_AFTER_S + 0.1)

    def change(sights: list[Sight]) -> None:
        at = _critical_at(history) + 12
        sights[at] = sights[at]._replace(keys=("k2", ABANDONED), critical=frozenset((ABANDONED,)))

    assert _kinds(_with_sights(history, "whole", change)) == []


def test_one_that_registers_again_after_its_removal_must_stay() -> None:
    history = abandoned(random.Random(1), listed_s=REMOVE_AFTER_S + 0.1)
    again = Write(ABANDONED, 120.0, 120.1, 105)
    assert _kinds(history._replace(writes=(*history.writes, again))) == ["lost"]
