"""Whether a second worker on a second core carries twice as much, on a machine that has two cores for all.

Where load and service share the cores with the gateway, its rate with two workers is what they leave it. So the whole
machine is doubled instead (doubled.py): first one core with one worker, one load and one service on it; then two cores
with just that on each, the two workers below one supervisor. Whatever workers have in common (locks, counts, one queue
of new connections, the supervisor) then shows as less than twice the rate.

That is so for short calls while the cores have nothing else in common, and for dear ones, of which the proxy's own work
is the most. Where short calls go from core to core, what the kernel takes for it is the greater part of the loss:
nginx and Envoy, whose workers share next to nothing, go through the same in the same rounds.
"""

import statistics
import sys
from collections.abc import Mapping
from typing import Final

from loadtest.doubled import APART, BETWEEN, DEAR, MACHINE, OURS, Compared, Doubled, lock_calls
from loadtest.targets import Target, at_least, at_most

LEAST: Final = 1.9
MOST_DEARER: Final = 2.0 / LEAST
Rounds = Mapping[tuple[str, str], list[Compared]]  # by proxy, and how


def measure(rounds: int, seconds: int) -> tuple[Rounds, str]:
    doubled = Doubled()
    try:
        doubled.round(1, is_turned=False)  # warms up
        found = []
        for number in range(rounds):
            found.append(doubled.round(seconds, is_turned=number % 2 == 1))
            print(f"  two workers: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        return {of: [each[of] for each in found] for of in found[0]}, lock_calls(doubled.twos[BETWEEN][OURS])
    finally:
        doubled.close()


def section(rounds: int, seconds: int) -> str:
    """Its part of RESULTS.md."""
    found, locks = measure(rounds, seconds)
    return "\n".join([*told(found), locks, "", *map(str, targets(found))])


def told(found: Rounds) -> list[str]:
    between = found[OURS, BETWEEN]
    shares = "; ".join(
        " and ".join(f"{share:.0%} of {held}" for share, held in zip(two.shares, two.connections, strict=True))
        for two in (each.two for each in between)
    )
    return [
        "| | calls a second, one | two | two ÷ one | its CPU µs/call, one | two | load's and service's, one | two "
        "| interrupts/call, one | two | p99 ms, one | two | errors |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_row(f"{name}, {how}", of) for (name, how), of in found.items()),
        "",
        "One: a core with a worker, a load and a service on it; two: two cores with just that on each. Apart: the "
        "kernel gives each connection to the worker of its core; between: it spreads them by their addresses, so that "
        "half of all goes from a core to the other, which it interrupts for that. Dear: 64 KiB of words from a file, "
        "which the gateway compresses. Load's and service's: what is left of the cores' time, so idle time is in it.",
        "Of short calls between the cores load and service get dearer by themselves: "
        f"{_span([each.one.others_us for each in between], 1)} to {_span([each.two.others_us for each in between], 1)} "
        f"µs. Beside them two workers whose calls got no dearer at all would have "
        f"{_span([each.most for each in between], 2)} × one's rate, by nginx's figures "
        f"{_span([each.most for each in found[MACHINE, BETWEEN]], 2)} ×; ours have "
        f"{_span([each.rate for each in between], 2)} ×, nginx's "
        f"{_span([each.rate for each in found[MACHINE, BETWEEN]], 2)} ×.",
        "Of the work between the cores, and of sockets, each of our workers had, by round: " + shares + ".",
    ]


def _row(name: str, of: list[Compared]) -> str:
    ones, twos = [each.one for each in of], [each.two for each in of]
    cells = [
        name,
        _span([each.per_s for each in ones], 0),
        _span([each.per_s for each in twos], 0),
        f"**{_span([each.rate for each in of], 2)}**",
        *(_span([each.cpu_us for each in side], 1) for side in (ones, twos)),
        *(_span([each.others_us for each in side], 1) for side in (ones, twos)),
        *(f"{statistics.median(each.interrupts for each in side):.3f}" for side in (ones, twos)),
        *(f"{statistics.median(each.p99_ms for each in side):.1f}" for side in (ones, twos)),
        str(sum(each.errors for each in (*ones, *twos))),
    ]
    return f"| {' | '.join(cells)} |"


def _span(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def targets(found: Rounds) -> list[Target]:
    apart, between, dear = found[OURS, APART], found[OURS, BETWEEN], found[OURS, DEAR]
    beside = statistics.median(
        ours.rate / machine.rate for ours, machine in zip(between, found[MACHINE, BETWEEN], strict=True)
    )
    return [
        at_least("rate of short calls, cores apart", LEAST, _median_rate(apart), "× one worker's"),
        at_most(
            "cost of short calls, cores apart",
            MOST_DEARER,
            statistics.median(each.cost for each in apart),
            "× one worker's",
        ),
        at_least("rate of dear calls, between the cores", LEAST, _median_rate(dear), "× one worker's"),
        at_least(f"rate of short calls, between the cores, beside {MACHINE}", LEAST / 2, beside, f"× {MACHINE}'s gain"),
    ]


def _median_rate(of: list[Compared]) -> float:
    return statistics.median(each.rate for each in of)
