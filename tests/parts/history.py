"""What clients were answered and followers saw, on one monotonic clock, held against the registry's promises.

Durable, one order, real-time, and of every follower: ordered, unique, gap-free, the same for all, never the future
(docs/internals/revisions.md). Each fault is a sentence that begins with its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple


class Write(NamedTuple):
    """One call that was asked; answered_s and revision are None when no answer came."""

    key: str
    asked_s: float
    answered_s: float | None
    revision: int | None


class Sight(NamedTuple):
    """One whole delta at one follower, or (is_snapshot) the whole at a revision. keys: what it put."""

    revision: int
    keys: tuple[str, ...]
    at_s: float
    is_snapshot: bool = False


class History(NamedTuple):
    """sights: by follower, in the order they came. final: key to revision, read when all was over."""

    writes: tuple[Write, ...]
    sights: dict[str, tuple[Sight, ...]]
    final: dict[str, int]


def faults(history: History) -> list[str]:
    """Everything that breaks a promise; empty: all were kept."""
    return [
        *_lost_or_invented(history),
        *_out_of_order(history.writes),
        *(fault for name, sights in history.sights.items() for fault in _of_follower(name, sights, history)),
        *_told_differently(history.sights),
    ]


def _lost_or_invented(history: History) -> Iterator[str]:
    asked = {write.key for write in history.writes}
    for write in history.writes:
        if write.revision is not None and history.final.get(write.key, -1) < write.revision:
            yield f"lost: {write.key} was answered with {write.revision}, found {history.final.get(write.key)}"
    for key in history.final.keys() - asked:
        yield f"invented: {key} was never asked for"


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
    asked = {write.key: write.asked_s for write in history.writes}
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


def _told_differently(sights: dict[str, tuple[Sight, ...]]) -> Iterator[str]:
    told: dict[int, tuple[str, ...]] = {}
    for name, of_follower in sights.items():
        for sight in of_follower:
            if not sight.is_snapshot and told.setdefault(sight.revision, sight.keys) != sight.keys:
                yield f"different: {name} saw {sight.keys} at {sight.revision}, another {told[sight.revision]}"
