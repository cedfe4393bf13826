"""Whether one share of calls is larger than another, asked again and again while the calls come. Pure.

A mixture sequential probability ratio test (Robbins 1970; Johari, Pekelis and Walsh 2017 for A/B tests): the likelihood
of what was seen, averaged over a prior of both shares, against the largest one that the hypothesis allows (as in
universal inference, Wasserman, Ramdas and Balakrishnan 2020). Under the hypothesis that ratio is below a martingale of
mean 1, so the chance that it ever reaches 1/a is at most a (Ville's inequality), however often and whenever one looks.
Nothing is approximated: it holds for ten calls as for a million. All values are natural logarithms.
"""

from __future__ import annotations

from math import lgamma, log
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# The prior of a share, Beta(1/2, 30): most calls succeed. It decides how soon a difference is found, not whether a
# finding is true.
_A: Final = 0.5
_B: Final = 30.0
_PRIOR: Final = lgamma(_A) + lgamma(_B) - lgamma(_A + _B)
_EDGE: Final = 1e-12
_HALVINGS: Final = 48
_INTERVAL_HALVINGS: Final = 24


class Count(NamedTuple):
    """Of `calls`, so many `hits`."""

    hits: int
    calls: int

    @property
    def share(self) -> float:
        return self.hits / self.calls if self.calls else 0.0


def mixture(count: Count) -> float:
    """The likelihood of a count, averaged over the prior."""
    hits, misses = _A + count.hits, _B + count.calls - count.hits
    return lgamma(hits) + lgamma(misses) - lgamma(hits + misses) - _PRIOR


def likelihood(share: float, count: Count) -> float:
    """Of a count where each call is a hit by this chance."""
    misses = count.calls - count.hits
    found = 0.0
    if count.hits:
        found += count.hits * log(max(share, _EDGE))
    if misses:
        found += misses * log(max(1.0 - share, _EDGE))
    return found


def evidence_above(share: float, count: Count) -> float:
    """Against: hits come by this chance, or less often."""
    return mixture(count) - likelihood(min(count.share, share), count)


def evidence_below(share: float, count: Count) -> float:
    """Against: hits come by this chance, or more often."""
    return mixture(count) - likelihood(max(count.share, share), count)


def evidence_of_difference(of: Count, to: Count, margin: float) -> float:
    """Against: the share of the first is that of the second, plus margin, or less."""
    if of.share - to.share <= margin:
        return mixture(of) + mixture(to) - likelihood(of.share, of) - likelihood(to.share, to)
    return evidence_against(of, to, margin)


def evidence_against(of: Count, to: Count, difference: float) -> float:
    """Against: the shares differ by just so much."""
    return mixture(of) + mixture(to) - _likeliest(of, to, difference)


def _likeliest(of: Count, to: Count, difference: float) -> float:
    """The largest likelihood of both counts among shares that differ by just so much. It is concave in the share."""
    low, high = max(0.0, -difference) + _EDGE, min(1.0, 1.0 - difference) - _EDGE
    if low >= high:
        return likelihood(low + difference, of) + likelihood(low, to)
    of_misses, to_misses = of.calls - of.hits, to.calls - to.hits
    for _ in range(_HALVINGS):
        share = (low + high) / 2.0
        other = share + difference
        slope = to.hits / share - to_misses / (1.0 - share) + of.hits / other - of_misses / (1.0 - other)
        if slope > 0.0:
            low = share
        else:
            high = share
    return likelihood(low + difference, of) + likelihood(low, to)


def share_interval(count: Count, needed: float) -> tuple[float, float]:
    """The shares against which the evidence stays below `needed`."""
    whole = mixture(count)

    def is_possible(share: float) -> bool:
        return whole - likelihood(share, count) < needed

    return _ends(is_possible, 0.0, count.share, 1.0)


def difference_interval(of: Count, to: Count, needed: float) -> tuple[float, float]:
    """The differences of two shares against which the evidence stays below `needed`."""

    def is_possible(difference: float) -> bool:
        return evidence_against(of, to, difference) < needed

    return _ends(is_possible, -1.0, of.share - to.share, 1.0)


def _ends(is_possible: Callable[[float], bool], low: float, middle: float, high: float) -> tuple[float, float]:
    """middle: is possible; what is possible has no gaps."""
    return _end(is_possible, low, middle), _end(is_possible, high, middle)


def _end(is_possible: Callable[[float], bool], outside: float, inside: float) -> float:
    if is_possible(outside):
        return outside
    for _ in range(_INTERVAL_HALVINGS):
        between = (outside + inside) / 2.0
        if is_possible(between):
            inside = between
        else:
            outside = between
    return outside
