"""What came of a soak, on one screen: each protocol's calls and failures by cause, the load, memory, descriptors."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from loadtest.soak.callers import Tally
from loadtest.soak.trouble import STEADY, TROUBLED, Trouble, cause_of
from loadtest.soak.watching import Watched

SETTLED_S: Final = 300
WINDOW_S: Final = 60
MOST_DRIFT: Final = 0.02
MOST_LEFT: Final = 8  # descriptors
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


def of_processes(watched: Mapping[str, Watched], seconds: float, wrong: list[str]) -> Iterable[str]:
    settled, window = min(SETTLED_S, int(seconds / 3)), min(WINDOW_S, int(seconds / 6))
    yield f"| processes | MiB after {settled} s | MiB at the end | drift | descriptors left |"
    yield "|---|---|---|---|---|"
    for name, each in watched.items():
        first, last, drift = each.drift(settled, window)
        left = each.leak(settled, window)
        yield f"| {name} | {first / 2**20:.1f} | {last / 2**20:.1f} | {drift:+.1%} | {left:+} |"
        if name == STEADY and drift > MOST_DRIFT:
            wrong.append(f"{name}: memory drifts by {drift:+.1%}")
        if name == STEADY and left > MOST_LEFT:
            wrong.append(f"{name}: {left} descriptors are left open")


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
