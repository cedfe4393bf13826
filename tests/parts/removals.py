"""What the registry takes away by itself, judged on a recorded history: who was critical for long enough, nobody else.

A follower sees a change some time after it was made. So a critical time is counted from the last moment at which it had
surely not begun: when a write was asked for that got an earlier revision; and a removal from when it was first seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.parts.history import History, Sight

NEVER: Final = float("-inf")


class Removals:
    """gone_s: when each key that stayed away, and was critical before, was first seen to have gone. faults: of all."""

    def __init__(self, history: History) -> None:
        self.gone_s: dict[str, float] = {}
        self.faults: list[str] = []
        self._remove_after_s = history.remove_after_s
        self._signs = _signs_of_life(history)
        self._taken: defaultdict[str, list[float]] = defaultdict(list)
        for write in history.writes:
            if write.takes:
                self._taken[write.key].append(write.asked_s)
        own = sorted((write.revision, write.asked_s) for write in history.writes if write.revision is not None)
        self._revisions = [revision for revision, _ in own]
        self._asked_s = list(accumulate((asked_s for _, asked_s in own), max))
        self._present: dict[str, int] = {}  # to the last revision in which it was seen not critical
        self._critical_s: dict[str, float] = {}
        for sight in _in_order(history):
            self._follow(sight)

    def _follow(self, sight: Sight) -> None:
        gone = self._present.keys() - set(sight.keys) if sight.is_snapshot else sight.gone
        for key in gone:
            self._present.pop(key, None)
            self._judge(key, self._critical_s.pop(key, None), sight)
        for key in sight.keys:
            if key in gone:
                continue
            self.gone_s.pop(key, None)
            if key not in sight.critical:
                self._present[key] = sight.revision
                self._critical_s.pop(key, None)
            elif key not in self._critical_s:  # what is changed on a critical one does not begin its time anew
                known = self._present.setdefault(key, 0)
                self._critical_s[key] = self._not_before_s(known + 1 if sight.is_snapshot else sight.revision)

    def _judge(self, key: str, critical_s: float | None, sight: Sight) -> None:
        if critical_s is None or any(asked_s < sight.at_s for asked_s in self._taken[key]):
            return
        signs = self._signs[key]
        at = bisect_left(signs, sight.at_s)
        since_s = max(critical_s, signs[at - 1] if at else NEVER)
        self.gone_s[key] = sight.at_s
        if sight.at_s < since_s + self._remove_after_s:
            self.faults.append(
                f"removed early: {key} was not critical before {since_s:.2f} s, and gone at {sight.at_s:.2f} s"
            )

    def _not_before_s(self, revision: int) -> float:
        """A moment at which the revision had not been given out yet."""
        at = bisect_left(self._revisions, revision)
        return self._asked_s[at - 1] if at else NEVER


def _signs_of_life(history: History) -> defaultdict[str, list[float]]:
    """When each was renewed, which a registration does, too, by the time the call was asked; answered ones only."""
    signs: defaultdict[str, list[float]] = defaultdict(list)
    for renewal in history.renewals:
        if renewal.is_renewed and renewal.answered_s is not None:
            signs[renewal.key].append(renewal.asked_s)
    for times in signs.values():
        times.sort()
    return signs


def _in_order(history: History) -> Iterator[Sight]:
    """Each delta and each snapshot once, as it was first seen; a snapshot after the delta of its revision."""
    first: dict[tuple[int, bool], Sight] = {}
    for sights in history.sights.values():
        for sight in sights:
            known = first.get((sight.revision, sight.is_snapshot))
            if known is None or sight.at_s < known.at_s:
                first[sight.revision, sight.is_snapshot] = sight
    return (first[place] for place in sorted(first))
