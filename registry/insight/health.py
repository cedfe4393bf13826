"""How well a service is, and why: the worst of what its calls, its instances and the gateways say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from meshway.telemetry import Row

Health = Literal["ok", "warn", "bad", "idle", "unknown"]
CauseCode = Literal["failures", "slow", "none_passing", "few_passing", "breaker_open", "ejected"]
WARN_SHARE: Final = 0.01
BAD_SHARE: Final = 0.05
# Below so many calls a share says nothing of a service.
LEAST_CALLS: Final = 20
SLOW: Final = 3.0  # times the usual
_ORDER: Final[tuple[Health, ...]] = ("unknown", "idle", "ok", "warn", "bad")


class Instances(msgspec.Struct, frozen=True):
    """passing: of those that are known."""

    passing: int = 0
    known: int = 0


class Cause(msgspec.Struct, frozen=True):
    """One reason as a program reads it, to say it in another language. values: share (0 to 1), p95_ms, usual_ms,
    passing, known, gateways, instances: what the code tells of."""

    code: CauseCode
    values: dict[str, float]


class Judged(msgspec.Struct, frozen=True):
    """reasons: in words, the worst first; none where all is well. causes: the same, for programs."""

    health: Health
    reasons: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge by. usual_p95_s: of this hour on the days before, 0.0: not known. breakers: gateways that
    keep calls away. ejected: instances that gateways do not call."""

    row: Row
    instances: Instances
    usual_p95_s: float = 0.0
    breakers: int = 0
    ejected: int = 0


def judged(signs: Signs) -> Judged:
    row, instances = signs.row, signs.instances
    found: list[tuple[Health, str, Cause]] = []
    if row.calls >= LEAST_CALLS and (share := row.failed / row.calls) >= WARN_SHARE:
        health: Health = "bad" if share >= BAD_SHARE else "warn"
        found.append((health, f"{share:.1%} of calls fail", Cause("failures", {"share": share})))
    usual_s = signs.usual_p95_s
    if row.calls >= LEAST_CALLS and usual_s and (p95_s := row.quantile_s(0.95)) > SLOW * usual_s:
        words = f"p95 {p95_s * 1e3:.0f} ms, at this hour it is {usual_s * 1e3:.0f} ms"
        found.append(("warn", words, Cause("slow", {"p95_ms": p95_s * 1e3, "usual_ms": usual_s * 1e3})))
    passing: dict[str, float] = {"passing": instances.passing, "known": instances.known}
    if instances.known and not instances.passing:
        found.append(("bad", f"none of {instances.known} instances is passing", Cause("none_passing", passing)))
    elif instances.passing * 2 < instances.known:
        words = f"{instances.passing} of {instances.known} instances are passing"
        found.append(("warn", words, Cause("few_passing", passing)))
    if signs.breakers:
        words = f"the breaker is open at {_count(signs.breakers, 'gateway')}"
        found.append(("bad", words, Cause("breaker_open", {"gateways": signs.breakers})))
    if signs.ejected:
        verb = "is" if signs.ejected == 1 else "are"
        words = f"{_count(signs.ejected, 'instance')} {verb} ejected"
        found.append(("warn", words, Cause("ejected", {"instances": signs.ejected})))
    if found:
        found.sort(key=lambda each: -_ORDER.index(each[0]))
        return Judged(found[0][0], tuple(words for _, words, _ in found), tuple(cause for _, _, cause in found))
    if row.calls:
        return Judged("ok")
    return Judged("idle" if instances.known else "unknown")


def worst(healths: list[Health]) -> Health:
    return max(healths, key=_ORDER.index, default="unknown")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
