"""The figures a registry is to reach, each beside what this run has reached, and beside etcd's and ZooKeeper's."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from loadtest.registry.scale import Scale
    from loadtest.registry.spread import Spread

EMBEDDED: Final = "meshway, SQLite"
SHARED: Final = "meshway, PostgreSQL + Valkey"
ETCD: Final = "etcd"
ZOOKEEPER: Final = "ZooKeeper"

REGISTRATIONS: Final = "durable registrations, one a call"
FOLLOWED: Final = "– with 100 followers"
BATCHES: Final = "registrations in batches of 100, 8 clients"
HEARTBEATS: Final = "heartbeats, one a call"
HEARTBEAT_BATCHES: Final = "heartbeats in batches of 100, 8 clients"


class Run(NamedTuple):
    """One round. CPU an operation: cpu_us of the server and the stores behind it, own_us of the server alone."""

    per_s: float
    cpu_us: float
    own_us: float


Field = Literal["per_s", "cpu_us", "own_us"]
Runs = dict[str, list[Run]]
"""The rounds of each server, by its name."""


class Aim(NamedTuple):
    """A bound of one number; unit: behind it, ` × etcd` for a ratio."""

    what: str
    bound: float
    unit: str
    is_least: bool = False

    def is_met_by(self, reached: float) -> bool:
        return reached >= self.bound if self.is_least else reached <= self.bound

    def shown(self, number: float) -> str:
        digits = 0 if number >= 1000 else 2 if self.unit.startswith(" ×") or self.unit == " s" else 1
        return f"{number:,.{digits}f}{self.unit}"


class Wanted(NamedTuple):
    """An aim of a row that is asked side by side. field: which number of a run."""

    aim: Aim
    row: str
    server: str
    field: Field


def _rate(what: str, bound: float, row: str, server: str) -> Wanted:
    return Wanted(Aim(what, bound, "/s", is_least=True), row, server, "per_s")


def _cpu(what: str, bound: float, row: str, server: str) -> Wanted:
    return Wanted(Aim(what, bound, " µs"), row, server, "own_us")


WANTED: Final = (
    _rate("registrations with 100 followers, PostgreSQL", 8_000, FOLLOWED, SHARED),
    _cpu("– registry's CPU", 90, FOLLOWED, SHARED),
    _rate("registrations with 100 followers, SQLite", 7_000, FOLLOWED, EMBEDDED),
    _cpu("– CPU", 100, FOLLOWED, EMBEDDED),
    _rate("registrations in batches of 100, PostgreSQL", 20_000, BATCHES, SHARED),
    _cpu("– registry's CPU", 25, BATCHES, SHARED),
    _rate("registrations in batches of 100, SQLite", 20_000, BATCHES, EMBEDDED),
    _cpu("– CPU", 25, BATCHES, EMBEDDED),
    _rate("heartbeats, one a call, embedded", 35_000, HEARTBEATS, EMBEDDED),
    _cpu("– CPU", 28, HEARTBEATS, EMBEDDED),
    _rate("heartbeats, one a call, Valkey", 35_000, HEARTBEATS, SHARED),
    _cpu("– registry's CPU", 28, HEARTBEATS, SHARED),
    _rate("heartbeats in batches of 100, embedded", 500_000, HEARTBEAT_BATCHES, EMBEDDED),
    _rate("heartbeats in batches of 100, Valkey", 150_000, HEARTBEAT_BATCHES, SHARED),
)
# Registry, PostgreSQL and Valkey together, against the whole of etcd.
AGAINST_ETCD: Final = (
    (Aim("registrations, all of its CPU, PostgreSQL", 1.0, " × etcd"), REGISTRATIONS),
    (Aim("– with 100 followers", 1.0, " × etcd"), FOLLOWED),
)
SPREADS: Final[tuple[tuple[Aim, Callable[[Spread, Spread], float]], ...]] = (
    (Aim("registered to first call routed, p99", 50, " ms"), lambda routed, _: routed.p99),
    (Aim("one change to the last follower, p99", 50, " ms"), lambda _, told: told.p99),
)
SCALES: Final[tuple[tuple[Aim, Callable[[Scale], float]], ...]] = (
    (Aim("registry's memory", 300, " MB"), lambda found: found.registry_mb),
    (Aim("a gateway host's memory", 400, " MB"), lambda found: found.gateway_mb),
    (Aim("cold start", 1.0, " s"), lambda found: found.cold_start_s),
    (Aim("longest stall by a snapshot", 5.0, " ms"), lambda found: found.longest_stall_ms),
)


def ratio(runs: Runs, ours: str, theirs: str, field: Field) -> float | None:
    """Median over the rounds of one against the other in the same round; None: they were not both asked."""
    if ours not in runs or theirs not in runs:
        return None
    pairs = zip(runs[ours], runs[theirs], strict=True)
    return statistics.median(_number(one, field) / _number(other, field) for one, other in pairs)


def _number(run: Run, field: Field) -> float:
    number: float = getattr(run, field)
    return number


def of_rows(measured: Mapping[str, Runs]) -> list[str]:
    """Lines of the table. What was not asked in this run has none."""
    lines = []
    for aim, row, server, field in WANTED:
        runs = measured.get(row, {})
        if server in runs:
            reached = statistics.median(_number(run, field) for run in runs[server])
            # Against others counts all that a call costs, not the registry's share of it.
            compared: Field = "cpu_us" if field == "own_us" else field
            beside = [ratio(runs, server, other, compared) for other in (ETCD, ZOOKEEPER)]
            lines.append(_line(aim, reached, *beside))
    for aim, row in AGAINST_ETCD:
        runs = measured.get(row, {})
        reached_ratio = ratio(runs, SHARED, ETCD, "cpu_us")
        if reached_ratio is not None:
            lines.append(_line(aim, reached_ratio, reached_ratio, ratio(runs, SHARED, ZOOKEEPER, "cpu_us")))
    return lines


def of_spreads(to_first_call: Spread, to_last_follower: Spread) -> list[str]:
    return [_line(aim, number(to_first_call, to_last_follower)) for aim, number in SPREADS]


def of_scale(found: Scale) -> list[str]:
    return [_line(aim, number(found)) for aim, number in SCALES]


def table(lines: list[str]) -> str:
    head = [
        "### Figures to reach",
        "",
        "| figure | reached | to reach | ÷ etcd | ÷ ZooKeeper | |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines])


def _line(aim: Aim, reached: float, *beside: float | None) -> str:
    ratios = [f"{one:.2f}" if one is not None else "–" for one in (*beside, None, None)[:2]]
    verdict = "met" if aim.is_met_by(reached) else "**missed**"
    bound = f"{'≥' if aim.is_least else '≤'} {aim.shown(aim.bound)}"
    return f"| {aim.what} | {aim.shown(reached)} | {bound} | {' | '.join(ratios)} | {verdict} |"
