"""What clients were answered and followers saw, on one monotonic clock, held against the registry's promises.

Durable, one order, real-time; of every follower: ordered, unique, gap-free, the same for all, never the future, and at
the end what there is (docs/internals/revisions.md); of reads: never the past. What leases promise is judged in
lease_history.py. Each fault is a sentence that begins with its kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tests.parts.removals import Removals


class Write(NamedTuple):
    """One call, with its repetitions; answered_s is None when no answer came.

    A key's writes come from one client, one after the other. revision: None, too, where an answer names none of its
    own: what was repeated may have been done before. takes: the instance away. doubtful: a try of it got no answer,
    and may yet be done.
    """

    key: str
    asked_s: float
    answered_s: float | None
    revision: int | None
    takes: bool = False
    doubtful: bool = False


class Sight(NamedTuple):
    """One whole delta at one follower, or (is_snapshot) the whole at a revision.

    keys: what it touched; critical: those whose lease had run out by then; gone: those it took away.
    """

    revision: int
    keys: tuple[str, ...]
    at_s: float
    is_snapshot: bool = False
    critical: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


class Read(NamedTuple):
    """since: the newest revision the client knew, and said. revision: of the answer."""

    client: str
    since: int
    revision: int


class Renewal(NamedTuple):
    """One heartbeat. answered_s None: no answer. revision: the head as the answer told it. ttl_s: of the lease."""

    key: str
    asked_s: float
    answered_s: float | None
    is_renewed: bool
    revision: int
    ttl_s: float


class Span(NamedTuple):
    """While something was killed, stopped or cut off, until it served again."""

    what: str
    from_s: float
    until_s: float


class Stall(NamedTuple):
    """Between two looks, how long the process of that part that waited longest stood ready without a processor."""

    part: str
    from_s: float
    until_s: float
    waited_s: float


class History(NamedTuple):
    """sights: by follower, in the order they came. final: key to revision, read when all was over. remove_after_s: how
    long a critical instance stays listed."""

    writes: tuple[Write, ...]
    sights: dict[str, tuple[Sight, ...]]
    final: dict[str, int]
    reads: tuple[Read, ...] = ()
    renewals: tuple[Renewal, ...] = ()
    disturbed: tuple[Span, ...] = ()
    remove_after_s: float = 300.0
    stalls: tuple[Stall, ...] = ()


def faults(history: History) -> list[str]:
    """Everything that breaks a promise; empty: all were kept."""
    removals = Removals(history)
    return [
        *_lost_or_invented(history, removals),
        *removals.faults,
        *_out_of_order(history.writes),
        *(fault for name, sights in history.sights.items() for fault in _of_follower(name, sights, history)),
        *_told_differently(history.sights),
        *_of_reads(history.reads),
    ]


def _lost_or_invented(history: History, removals: Removals) -> Iterator[str]:
    by_key: defaultdict[str, list[Write]] = defaultdict(list)
    for write in history.writes:
        by_key[write.key].append(write)
    for key, writes in by_key.items():
        gone_s = removals.gone_s.get(key)
        yield from _lost(key, sorted(writes, key=lambda write: write.asked_s), history.final.get(key), gone_s)
    for key in history.final.keys() - by_key.keys():
        yield f"invented: {key} was never asked for"


def _lost(key: str, writes: list[Write], found: int | None, gone_s: float | None) -> Iterator[str]:
    """What the last answered write left must be there, unless one that was not answered came after it, or the registry
    removed it later."""
    answered = [at for at, write in enumerate(writes) if write.answered_s is not None]
    if not answered:
        return
    last, later = writes[answered[-1]], writes[answered[-1] + 1 :]
    if last.takes:
        if found is not None and all(write.takes or not write.doubtful for write in writes):
            yield f"lost: {key} was taken away with {last.revision}, found {found}"
        return
    known = max((write.revision or -1 for write in writes if write.answered_s is not None), default=-1)
    if found is None:
        is_removed = gone_s is not None and last.asked_s < gone_s
        if not is_removed and not any(write.takes for write in later):
            yield f"lost: {key} was answered with {last.revision}, found none"
    elif found < known:
        yield f"lost: {key} was answered with {known}, found {found}"


def _out_of_order(writes: tuple[Write, ...]) -> Iterator[str]:
    """Answered before asked: the lower revision. No two writes have one revision."""
    done = [write for write in writes if write.revision is not None]
    for one, other in pairwise(sorted(done, key=lambda write: write.revision or 0)):
        if one.revision == other.revision:
            yield f"shared: {one.key} and {other.key} have {one.revision}"
    by_answer = sorted(done, key=lambda write: write.answered_s or 0.0)
    highest, at = 0, 0
    for write in sorted(done, key=lambda write: write.asked_s):
        while at < len(by_answer) and (by_answer[at].answered_s or 0.0) < write.asked_s:
            highest = max(highest, by_answer[at].revision or 0)
            at += 1
        if (write.revision or 0) <= highest:
            yield f"reordered: {write.key} got {write.revision}, when {highest} had been answered before it was asked"


def _of_follower(name: str, sights: tuple[Sight, ...], history: History) -> Iterator[str]:
    held: int | None = None
    for sight in sights:
        if sight.is_snapshot:
            if held is not None and sight.revision < held:
                yield f"past: {name} held {held} and got a snapshot of {sight.revision}"
        elif held is None:
            yield f"headless: {name} got {sight.revision} before any snapshot"
        elif sight.revision == held:
            yield f"doubled: {name} got {sight.revision} again"
        elif sight.revision < held:
            yield f"late: {name} got {sight.revision} when it held {held}"
        elif sight.revision > held + 1:
            yield f"gap: {name} got {sight.revision} when it held {held}"
        held = max(held or 0, sight.revision)
    asked: dict[str, float] = {}
    for write in history.writes:
        asked[write.key] = min(write.asked_s, asked.get(write.key, write.asked_s))
    seen = {sight.revision: sight for sight in sights if not sight.is_snapshot}
    for sight in sights:
        for key in sight.keys:
            if key not in asked:
                yield f"invented: {name} saw {key}, which was never asked for"
            elif sight.at_s < asked[key]:
                yield f"future: {name} saw {key} before it was asked for"
    for write in history.writes:
        if write.revision in seen and write.key not in seen[write.revision].keys:
            yield f"wrong: {name} saw {write.revision} without {write.key}"
    if held is not None and held >= max(history.final.values(), default=0):
        yield from _left_with(name, sights, history.final)


def _left_with(name: str, sights: tuple[Sight, ...], final: dict[str, int]) -> Iterator[str]:
    """Who applied everything in order holds at the end what there is, and each of the same revision."""
    held: dict[str, int | None] = {}
    for sight in sights:
        if sight.is_snapshot:
            held = dict.fromkeys(sight.keys)
            continue
        for key in sight.keys:
            held[key] = sight.revision
        for key in sight.gone:
            held.pop(key, None)
    for key in held.keys() | final.keys():
        if key not in held or key not in final or held[key] not in (None, final[key]):
            yield f"left: {name} was left with {key} of {held.get(key, 'none')}, found {final.get(key)}"


def _told_differently(sights: dict[str, tuple[Sight, ...]]) -> Iterator[str]:
    told: dict[int, Sight] = {}
    for name, of_follower in sights.items():
        for sight in of_follower:
            other = sight if sight.is_snapshot else told.setdefault(sight.revision, sight)
            if (other.keys, other.critical, other.gone) != (sight.keys, sight.critical, sight.gone):
                yield f"different: {name} saw {sight.keys} at {sight.revision}, another {other.keys}"


def _of_reads(reads: tuple[Read, ...]) -> Iterator[str]:
    for read in reads:
        if read.revision < read.since:
            yield f"stale: {read.client} had seen {read.since} and was shown {read.revision}"
