"""Calls of the spans that rules ask for, read once for all rules and counted together by what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.model.alert_query import DEFAULT_OVER_S
from meshway.telemetry import Key, Row
from registry.insight.pieces import span_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from registry.insight.reading import Reading

# A span is read anew when a sixtieth of it has passed: 24 h are the work of seconds.
_FRESH: Final = 1 / 60
# What is long past changes by reports that come late alone.
_PAST_S: Final = 60.0
# Of shorter spans what each point comes to is kept.
_SHORT_S: Final = 600.0
_REFUSED: Final = "UAEX"
_LIMITED: Final = "RL"
_LEAST_S: Final = 1.0
# Routes of calls that name a service: of what was turned away before one was chosen it is known all the same.
_BY_NAME: Final = "implicit:"


class Asked(NamedTuple):
    """section: of meshway/telemetry.py. back_s: the span ends so long ago. parts: what is counted apart, by name."""

    section: str
    over_s: float
    back_s: float
    parts: tuple[str, ...]


class Tally:
    """Calls that are counted together. refused, limited: of them, those that policies and RateLimits turned away."""

    __slots__ = ("limited", "refused", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.refused = self.limited = 0

    def copied(self) -> Tally:
        """To be added to."""
        other = Tally(self.row.copied(self.row.key))
        other.refused, other.limited = self.refused, self.limited
        return other

    def add(self, other: Tally) -> None:
        self.row.add(other.row)
        self.refused += other.refused
        self.limited += other.limited

    def figure(self, value: str, span_s: float, minimum: int) -> float | None:
        """None: there is no data. minimum: calls below which ratios and percentiles say nothing."""
        row = self.row
        if value == "rate":
            return row.calls / span_s
        if row.calls < max(minimum, 1):
            return None
        match value:
            case "error_ratio":
                return row.failed / row.calls
            case "retry_ratio":
                return row.retries / row.calls
            case "refused_ratio":
                return self.refused / row.calls
            case "limited_ratio":
                return self.limited / row.calls
        return row.quantile_s(_SHARES[value]) if row.buckets else None


_SHARES: Final[Mapping[str, float]] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Counted(NamedTuple):
    """tallies: by the values of the parts. span_s: how long what was read has lasted."""

    tallies: dict[tuple[str, ...], Tally]
    span_s: float


class Windows:
    """zone_of: an instance's, by namespace, service and id; "": not known. services: all there are, also those that
    nobody calls."""

    def __init__(
        self,
        reading: Reading,
        zone_of: Callable[[tuple[str, str, str]], str],
        services: Callable[[], Iterable[tuple[str, str]]],
    ) -> None:
        self._reading = reading
        self._zone_of = zone_of
        self._services = services
        self._kept: dict[Asked, tuple[float, Counted]] = {}
        self._used: set[Asked] = set()

    def begin(self) -> None:
        """A turn: what the one before did not use is forgotten."""
        self._kept = {asked: kept for asked, kept in self._kept.items() if asked in self._used}
        self._used = set()

    async def count(self, asked: Asked) -> Counted:
        """Raises StoreUnavailable."""
        now = self._reading.wall()
        self._used.add(asked)
        fresh_s = max(asked.over_s * _FRESH if asked.over_s > DEFAULT_OVER_S else 0.0, _PAST_S if asked.back_s else 0.0)
        made_at, known = self._kept.get(asked, (0.0, None))
        if known is None or not 0.0 <= now - made_at < fresh_s:
            end = now - asked.back_s
            known = await self._read(asked, end - asked.over_s, end)
            self._kept[asked] = (now, known)
        return known

    async def _read(self, asked: Asked, first: float, end: float) -> Counted:
        sort = sorting(asked, self._zone_of)
        if asked.over_s <= _SHORT_S and "zone" not in asked.parts:
            rows = await self._reading.counted(asked.section, first, end, (asked.section, asked.parts), sort)
        else:
            rows = await self._reading.rows(asked.section, first, end, sort)
        now = self._reading.wall()
        low, high = span_of(first, end, now, self._reading.kept_s())
        tallies = tallied(rows.values(), has_flags=asked.section == "routes")
        if asked.parts == ("namespace", "service"):
            for key in self._services():
                tallies.setdefault(key, Tally(Row(key)))
        return Counted(tallies, max(min(high, now) - low, _LEAST_S))


def tallied(rows: Iterable[Row], *, has_flags: bool) -> dict[tuple[str, ...], Tally]:
    """rows: by parts, and with has_flags by the flag that counts behind them."""
    tallies: dict[tuple[str, ...], Tally] = {}
    for row in rows:
        key, flag = (row.key[:-1], row.key[-1]) if has_flags else (row.key, "")
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally(row.copied(key))
        else:
            tally.row.add(row)
        if flag == _REFUSED:
            tally.refused += row.calls
        elif flag == _LIMITED:
            tally.limited += row.calls
    return tallies


def sorting(asked: Asked, zone_of: Callable[[tuple[str, str, str]], str]) -> Callable[[Key], Key | None]:
    """By which parts a row of the section counts. What no service was called for is of the namespace of its Route."""
    parts = asked.parts

    def of_edges(key: Key) -> Key:
        source, service = key
        namespace, _, name = service.partition("/")
        known = {"namespace": namespace, "service": name, "source": source}
        return tuple(known[part] for part in parts)

    def of_routes(key: Key) -> Key:
        route, _, service, _, flag = key
        namespace, _, name = service.partition("/")
        of_route, _, route_name = route.partition("/")
        if not service and route_name.startswith(_BY_NAME):
            name = route_name.removeprefix(_BY_NAME)
        known = {"namespace": namespace or of_route, "service": name, "route": route_name}
        if "route" in parts and route:
            known["namespace"] = of_route
        return (*(known[part] for part in parts), flag if flag in (_REFUSED, _LIMITED) else "")

    def of_instances(key: Key) -> Key:
        service, instance, version = key
        namespace, _, name = service.partition("/")
        known = {"namespace": namespace, "service": name, "version": version}
        if "zone" in parts:
            known["zone"] = zone_of((namespace, name, instance))
        return tuple(known[part] for part in parts)

    return {"edges": of_edges, "routes": of_routes, "instances": of_instances}[asked.section]
