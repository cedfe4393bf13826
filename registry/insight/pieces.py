"""A span of time, cut into the steps that points are kept by. Pure."""

from __future__ import annotations

from typing import NamedTuple

from registry.insight.rolling import HOUR_S, STEPS_S


class Piece(NamedTuple):
    """A part of a span that points of one step cover. end: not included."""

    step_s: int
    first: int
    end: int


def pieces_of(first: float, end: float, now: float, coarsest_s: int, kept_s: dict[int, float]) -> list[Piece]:
    """A span cut into steps: what is still kept of fine steps decides how near its ends are met; they are moved
    outwards."""
    steps = [step_s for step_s in STEPS_S if step_s <= coarsest_s]
    low, high = span_of(first, end, now, kept_s)
    if low >= high:
        return []
    left: list[Piece] = []
    right: list[Piece] = []
    for step_s, coarser_s in zip(steps, [*steps[1:], 0], strict=True):
        inner_low = _up(low, coarser_s) if coarser_s else high
        inner_high = _down(high, coarser_s) if coarser_s else low
        if not coarser_s or inner_low >= inner_high:
            middle = Piece(step_s, low, high)
            break
        if low < inner_low:
            left.append(Piece(step_s, low, inner_low))
        if inner_high < high:
            right.append(Piece(step_s, inner_high, high))
        low, high = inner_low, inner_high
    return [*left, middle, *reversed(right)]


def span_of(first: float, end: float, now: float, kept_s: dict[int, float]) -> tuple[int, int]:
    """Where what is read of a span begins and ends."""
    return _down(first, finest_step_s(first, now, kept_s)), _up(end, finest_step_s(end, now, kept_s))


def finest_step_s(at: float, now: float, kept_s: dict[int, float]) -> int:
    """The shortest time that can be told apart at `at`."""
    return next((step_s for step_s in STEPS_S if at >= now - kept_s[step_s] + step_s), HOUR_S)


def _down(at: float, step_s: int) -> int:
    return int(at // step_s) * step_s


def _up(at: float, step_s: int) -> int:
    return -int(-at // step_s) * step_s
