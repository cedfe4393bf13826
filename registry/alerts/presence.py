"""What is so now: states of instances, gateways, leases and certificates, as samples that rules are held against."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.certificates import urgency
from meshway.model.certificate import Certificate, Expiry
from meshway.model.document import MESH_NAMESPACE
from meshway.model.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from registry.gateways import GatewayState, Report, ShownCertificate
    from registry.leases.self_preservation import Hold
    from registry.view.view import InstanceMove, View

_DAY_S: Final = 86_400.0
# A gateway that went without a word is known to have been there for so long after the registry's start.
SETTLED_S: Final = 30.0
_MOST_EXPIRED: Final = 100_000
# When revisions were made is known of the last so many that were a second apart: an age ends there.
_MOST_MADE: Final = 600
_MADE_EVERY_S: Final = 1.0


class Sample(NamedTuple):
    """parts: what it can be narrowed by. what: whom it is of, where several samples of one are counted once. is_past:
    it is so no more, and was since the look before."""

    parts: Mapping[str, str]
    value: float
    what: str = ""
    is_past: bool = False


class Ending(NamedTuple):
    """A certificate of the mesh itself. Times: seconds since 1970."""

    name: str
    not_before: float
    not_after: float


# How samples that count together are one number.
DISTINCT: Final = frozenset({"ejected", "breaker_open", "documents_refused", "receivers_failing", "certs_expiring"})
LEAST: Final = frozenset({"cert_days_left"})
MOST: Final = frozenset({"snapshot_age", "gateway_silent", "commit_time"})
# What gateways say, of which a registry knows nothing right after its start.
OF_GATEWAYS: Final = frozenset(
    {
        "in_flight", "ejected", "breaker_open", "cert_days_left", "certs_expiring", "snapshot_age", "gateway_silent",
        "documents_refused", "removals_held",
    }
)  # fmt: skip


class Presence:
    """gateways, certificates: what they say now. holds: of leases. commits: how many there were and how long they took
    together. endings: of the mesh's own certificates. failing: Receivers that cannot be told, by namespace and name,
    as they were a turn ago. clock: monotonic seconds, wall: since 1970.
    begun: when it was made, by the clock.
    """

    def __init__(
        self,
        view: View,
        *,
        holds: Callable[[], Sequence[Hold]],
        commits: Callable[[], tuple[int, float]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.gateways: Callable[[], Sequence[GatewayState]] = lambda: ()
        self.certificates: Callable[[], Iterable[tuple[str, ShownCertificate]]] = lambda: ()
        self.failing: Iterable[tuple[str, str]] = ()
        self._view = view
        self._holds = holds
        self._commits = commits
        self.clock = clock
        self._wall = wall
        self.begun = clock()
        self._expired: list[tuple[float, Mapping[str, str]]] = []
        # By node: when it last had all, or was heard of first, or when the first revision was made that it lacks.
        self._current_at: dict[str, float] = {}
        self._made: deque[tuple[int, float]] = deque(maxlen=_MOST_MADE)
        # By node: what it kept calls away from since the look before, and since this one.
        self._away: dict[str, dict[str, set[str]]] = {}
        self._away_since: dict[str, dict[str, set[str]]] = {}
        self._committed = commits()
        self._commit_s = 0.0
        view.on_instances.append(self._follow)
        view.on_commit.append(self._date)

    @property
    def is_settled(self) -> bool:
        return self.clock() - self.begun >= SETTLED_S

    def look(self) -> None:
        """Once a turn, before samples are taken: what is known by looking again and again."""
        now = self.clock()
        last_at = self._made[-1][1] if self._made else self.begun
        current_at: dict[str, float] = {}
        for gateway in self.gateways():
            known = self._current_at.get(gateway.node)
            if known is None or not gateway.live or gateway.revision >= self._view.revision:
                known = now
            else:
                made = (at for revision, at in self._made if revision > gateway.revision)
                known = max(known, next(made, last_at))
            current_at[gateway.node] = known
        self._current_at = current_at
        self._away, self._away_since = self._away_since, {}
        count, seconds = self._commits()
        before, before_s = self._committed
        self._commit_s = (seconds - before_s) / (count - before) if count > before else 0.0
        self._committed = (count, seconds)

    def follow(self, report: Report) -> None:
        """Whatever a gateway says between two looks. Who fails is called again for moments, to see whether it still
        does: a look into one of them finds nothing amiss."""
        away = {"ejected": report.ejected, "breaker_open": report.open_breakers}
        if any(away.values()):
            known = self._away_since.setdefault(report.node, {})
            for value, names in away.items():
                known.setdefault(value, set()).update(names)

    def _date(self) -> None:
        """Of revisions within a second the first counts."""
        now = self.clock()
        if not self._made or now - self._made[-1][1] >= _MADE_EVERY_S:
            self._made.append((self._view.revision, now))

    def samples(self, value: str, over_s: float, endings: Iterable[Ending]) -> list[Sample]:
        """endings: asked for before, where certificates are wanted."""
        match value:
            case "instances_passing":
                return list(self._instances())
            case "lease_expired":
                since = self.clock() - over_s
                known = [Sample({"namespace": namespace, "service": name}, 0.0) for namespace, name in self._services()]
                return known + [Sample(parts, 1.0) for at, parts in self._expired if at >= since]
            case "leases_held":
                quiet = [Sample({"namespace": each}, 0.0) for each in self._view.namespaces]
                held = (
                    ({"namespace": each.namespace, "zone": each.zone or ""}, each.overdue) for each in self._holds()
                )
                return quiet + [Sample(parts, float(overdue)) for parts, overdue in held]
            case "commit_time":
                return [Sample({}, self._commit_s)]
            case "receivers_failing":
                quiet = [Sample({"namespace": each}, 0.0) for each in self._view.namespaces | {MESH_NAMESPACE}]
                return quiet + [Sample({"namespace": each[0]}, 1.0, "/".join(each)) for each in self.failing]
            case "cert_days_left":
                return [
                    Sample(parts, (end - self._wall()) / _DAY_S, name) for parts, name, _, end in self._ends(endings)
                ]
            case "certs_expiring":
                return list(self._expiring(endings))
        return list(self._of_gateways(value))

    def _instances(self) -> Iterator[Sample]:
        for namespace, name in self._services():
            yield Sample({"namespace": namespace, "service": name}, 0.0)
            for row in self._view.services.get((namespace, name), {}).values():
                each = row.instance
                parts = {"namespace": namespace, "service": name, "version": each.version, "zone": each.zone}
                yield Sample(parts, float(each.status == "passing"))

    def _services(self) -> Iterator[tuple[str, str]]:
        """Those whose instances register."""
        documents = self._view.documents.get(Service.__name__, {})
        for key in self._view.services.keys() | documents.keys():
            spec = None if (row := documents.get(key)) is None else row.spec
            if not isinstance(spec, Service) or spec.type == "registered":
                yield key

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        """Leases that ran out; what the registry asks itself, or was taken out by hand, has none."""
        now = self.clock()
        for before, after in moves:
            if before is None or after is None or before.instance.status == after.instance.status:
                continue
            each = after.instance
            if each.status == "critical" and each.check is None:
                parts = {
                    "namespace": each.namespace,
                    "service": each.service,
                    "version": each.version,
                    "zone": each.zone,
                }
                self._expired.append((now, parts))
        if self._expired and (len(self._expired) > _MOST_EXPIRED or self._expired[0][0] < now - _DAY_S):
            kept = [each for each in self._expired if each[0] >= now - _DAY_S]
            self._expired = kept[-_MOST_EXPIRED:]

    def _ends(self, endings: Iterable[Ending]) -> Iterator[tuple[Mapping[str, str], str, float, float]]:
        """Parts, name, begin and end."""
        for ending in endings:
            yield {"namespace": MESH_NAMESPACE}, ending.name, ending.not_before, ending.not_after
        for node, shown in self.certificates():
            parts = {"namespace": shown.namespace, "gateway": node}
            yield parts, f"{shown.namespace}/{shown.name}", shown.not_before, shown.not_after

    def _spec_of(self, namespace: str, name: str) -> Certificate | None:
        row = self._view.document((Certificate.__name__, namespace, name))
        return row.spec if row is not None and isinstance(row.spec, Certificate) else None

    def _expiring(self, endings: Iterable[Ending]) -> Iterator[Sample]:
        now = self._wall()
        for namespace in self._view.namespaces | {MESH_NAMESPACE}:
            yield Sample({"namespace": namespace}, 0.0)
        for parts, name, begin, end in self._ends(endings):
            spec = self._spec_of(*name.split("/", 1)) if "/" in name else None
            asked = (None if spec is None else spec.expiry) or Expiry()
            is_near = bool(urgency(begin, end, now, asked.warn, asked.critical))
            yield Sample(parts, float(is_near), name if is_near else "")

    def _of_gateways(self, value: str) -> Iterator[Sample]:
        gateways = self.gateways()
        services = list(self._services()) if value in ("in_flight", "ejected", "breaker_open") else []
        for namespace, name in services:
            yield Sample({"namespace": namespace, "service": name}, 0.0)
        for gateway in gateways:
            of = {"gateway": gateway.node, "zone": gateway.zone}
            if value == "gateway_silent":
                yield Sample(of, 0.0 if gateway.live else gateway.last_report_s)
            elif value == "snapshot_age":
                # Of one that is silent nobody knows, and that is told by itself.
                age_s = self.clock() - self._current_at.get(gateway.node, self.clock())
                yield Sample(of, age_s if gateway.live else 0.0)
            elif value == "removals_held":
                yield Sample(of, float(gateway.mass_removal_guard if gateway.live else 0))
            elif value == "documents_refused":
                yield Sample(of, 0.0)
            if gateway.live:
                yield from self._said(value, gateway)

    def _said(self, value: str, gateway: GatewayState) -> Iterator[Sample]:
        node = gateway.node
        if value == "ejected":
            for full, is_past in self._kept_away(value, node, gateway.ejected):
                namespace, _, rest = full.partition("/")
                service, _, instance = rest.partition("/")
                row = self._view.instance((namespace, service, instance))
                parts = {"namespace": namespace, "service": service, "gateway": node}
                if row is not None:
                    parts |= {"version": row.instance.version, "zone": row.instance.zone}
                yield Sample(parts, 1.0, full, is_past)
        elif value == "breaker_open":
            for cluster, is_past in self._kept_away(value, node, gateway.open_breakers):
                namespace, _, rest = cluster.partition("/")
                service = rest.partition("#")[0].partition(":")[0]
                yield Sample({"namespace": namespace, "service": service, "gateway": node}, 1.0, node, is_past)
        elif value == "in_flight":
            for full, count in gateway.in_flight.items():
                namespace, _, service = full.partition("/")
                yield Sample({"namespace": namespace, "service": service, "gateway": node}, float(count))
        elif value == "documents_refused":
            for each in gateway.refused:
                name = f"{each.kind} {each.namespace}/{each.name}"
                yield Sample({"namespace": each.namespace, "gateway": node}, 1.0, name)

    def _kept_away(self, value: str, node: str, now: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Each name, and whether that is over."""
        for name in now:
            yield name, False
        for name in sorted(self._away.get(node, {}).get(value, set()).difference(now)):
            yield name, True


def together(value: str, samples: Sequence[Sample]) -> tuple[float, str]:
    """One number of several samples, and whom it is of, as far as that is said. samples: at least one."""
    if value in DISTINCT:
        names = sorted({each.what for each in samples if each.value and each.what})
        return float(len(names)), ", ".join(names[:5])
    if value in LEAST:
        least = min(samples, key=lambda each: each.value)
        return least.value, least.what
    if value in MOST:
        return max(each.value for each in samples), ""
    return sum(each.value for each in samples), ""
