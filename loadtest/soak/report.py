"""What came of a soak, on two screens: each protocol's calls and failures by cause, the load, memory, descriptors."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from loadtest.soak.callers import Tally
from loadtest.soak.descriptors import Count, Descriptors, changed_kinds, left
from loadtest.soak.trouble import STEADY, TROUBLED, Trouble, cause_of
from loadtest.soak.watching import Watched

SETTLED_S: Final = 300
WINDOW_S: Final = 60
MOST_DRIFT: Final = 0.02
JUDGED_S: Final = 900  # of a run: in a shorter one what is only filling up still weighs as much as what leaks
MOST_LEFT: Final = 8  # descriptors
COUNTED_S: Final = 30  # of descriptors, at the least: three counts
MIB: Final = 1 << 20
MOST_LOST: Final = 0.005  # datagrams at a gateway that nothing happens to
MOST_SHOWN: Final = 12


def of_callers(tallies: Sequence[Tally], troubles: Sequence[Trouble], wrong: list[str]) -> Iterable[str]:
    """wrong: gets what is not as it should be."""
    excusing = list(dict.fromkeys(trouble.what for trouble in troubles if trouble.excuses))
    yield f"| gateway | protocol | good | told to go | lost |{''.join(f' {what} |' for what in excusing)} unexplained |"
    yield "|---" * (6 + len(excusing)) + "|"
    for tally in tallies:
        causes: Counter[str] = Counter()
        for failure in tally.failures:
            trouble = cause_of(troubles, failure.at, failure.lasted_s) if tally.gateway == TROUBLED else None
            causes[trouble.what if trouble is not None else ""] += 1
            if trouble is None:
                wrong.append(f"{failure.gateway} {failure.protocol} at {failure.at:.1f}: {failure.text}")
        lost = tally.lost / max(1, tally.lost + tally.good)
        if tally.gateway == STEADY and lost > MOST_LOST:
            wrong.append(f"{tally.gateway} {tally.protocol}: {lost:.1%} of the datagrams are lost")
        if not tally.good:
            wrong.append(f"{tally.gateway} {tally.protocol}: nothing was answered")
        explained = "".join(f" {causes[what]} |" for what in excusing)
        yield (
            f"| {tally.gateway} | {tally.protocol} | {tally.good:,} | {tally.ended} | {tally.lost} |{explained} "
            f"**{causes['']}** |"
        )


def of_memory(watched: Mapping[str, Watched], seconds: float, wrong: list[str]) -> Iterable[str]:
    """Of all processes of a tree, and of each of them as time goes: a plateau is no slope. A short run is shown and not
    judged."""
    settled, window = _spans(seconds)
    yield f"| processes | MiB after {settled} s | MiB at the end | drift |"
    yield "|---|---|---|---|"
    for name, each in watched.items():
        first, last, drift = each.drift(settled, window)
        yield f"| {name} | {first / MIB:.1f} | {last / MIB:.1f} | {drift:+.1%} |"
        if name == STEADY and drift > MOST_DRIFT and seconds >= JUDGED_S:
            wrong.append(f"{name}: memory drifts by {drift:+.1%}")
    if seconds < JUDGED_S:
        yield ""
        yield f"Memory is not judged: {seconds:.0f} s are fewer than {JUDGED_S}."
    samples = min(len(each.memory) for each in watched.values())
    moments = [*range(settled, samples - window - settled // 2, settled), samples - window]
    yield ""
    yield f"| MiB of each process after |{''.join(f' {moment} s |' for moment in moments)}"
    yield "|---" * (1 + len(moments)) + "|"
    for name, each in watched.items():
        columns = [each.of_each(moment, window) for moment in moments]
        for at in range(max(map(len, columns))):
            values = "".join(f" {column[at] / MIB:.1f} |" if at < len(column) else " |" for column in columns)
            yield f"| {name}{f', worker {at}' if at else ''} |{values}"


def of_descriptors(counted: Mapping[str, Descriptors], seconds: float, wrong: list[str]) -> Iterable[str]:
    """Of those that are left what they are: all kinds of which there are more, or fewer."""
    settled, window = _spans(seconds)
    window = max(window, COUNTED_S)
    yield "| descriptors of | after | open | known to it as connections | neither | left |"
    yield "|---|---|---|---|---|---|"
    changed: list[str] = []
    for name, each in counted.items():
        end = each.counts[-1].at if each.counts else 0.0
        before, after = each.within(settled, settled + window), each.within(end - window, end)
        if not before or not after:
            wrong.append(f"{name}: its descriptors were not counted")
            continue
        for at, counts in ((settled, before), (end, after)):
            told = [statistics.median(numbers) for numbers in zip(*_numbers(counts), strict=True)]
            yield (
                f"| {name} | {at:.0f} s |{''.join(f' {number:.0f} |' for number in told)}"
                f" {'' if counts is before else f'{left(before, after):+}'} |"
            )
        changed += (f"- {name}: {was} → {now} {kind}" for kind, was, now in changed_kinds(before, after))
        if name == STEADY and left(before, after) > MOST_LEFT:
            wrong.append(f"{name}: {left(before, after)} descriptors are left open that it does not know")
    yield ""
    yield from changed


def _numbers(counts: Sequence[Count]) -> list[tuple[int, int, int]]:
    return [(each.kinds.total(), each.known, each.rest) for each in counts]


def _spans(seconds: float) -> tuple[int, int]:
    """When it has settled, and how long it is looked at then, and at the end."""
    return min(SETTLED_S, int(seconds / 3)), min(WINDOW_S, int(seconds / 6))


def of_run(
    seconds: float, busy: Sequence[float], applied: int, unapplied: int, troubles: Sequence[Trouble]
) -> Iterable[str]:
    """busy: of the machine, each second. What each kind of trouble excuses stands beside it."""
    shares = sorted(busy)
    tenth, nine_tenths = shares[len(shares) // 10], shares[len(shares) * 9 // 10]
    yield (
        f"{seconds:.0f} s at {statistics.mean(busy):.0%} of the machine (eight seconds of ten: {tenth:.0%} to "
        f"{nine_tenths:.0%}); {applied:,} revisions applied, {unapplied} met no registry."
    )
    excuses = {trouble.what: trouble.excuses for trouble in troubles}
    for what, count in Counter(trouble.what for trouble in troubles).items():
        yield f"- {what} ×{count}: may cost {excuses[what] or 'nothing'}"


def verdict(wrong: Sequence[str], show: Callable[[str], None]) -> None:
    if not wrong:
        show("Nothing unexplained: **met**.")
        return
    show(f"**MISSED**: {len(wrong)} unexplained.")
    for line in wrong[:MOST_SHOWN]:
        show(f"- {line}")
    if len(wrong) > MOST_SHOWN:
        show(f"- and {len(wrong) - MOST_SHOWN} more")
