"""What the gateways say they run: the newest report of each, who of them is live, and who still lacks a revision.

Kept in memory only: a report comes every 2 s, and registries pass on to each other what they are told, so one that
starts anew knows all gateways within that time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from registry.live.interface import Bus

LIVE_S: Final = 6.0
FORGET_S: Final = 86_400.0
MAX_GATEWAYS: Final = 10_000
_LOOK_S: Final = 1.0
_TOPIC: Final = "gateways"
_log = logging.getLogger("registry.gateways")


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a gateway could not compile; it goes on with the last good version. is_pending: it waits for what
    the registry is about to make, such as a Certificate's pair."""

    kind: str
    namespace: str
    name: str
    path: str = ""
    reason: str
    is_pending: bool = False


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence: an instance that answered calls since the report before."""

    namespace: str
    service: str
    id: str


class ShownCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway shows for a Certificate. not_before, not_after: seconds since 1970; 0 where an older
    gateway does not say it. serial, fingerprint: hex."""

    namespace: str
    name: str
    fingerprint: str
    not_after: float
    issuer: str = ""
    serial: str = ""
    not_before: float = 0.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway sends every 2 s and whenever it changes. Unknown fields are left alone: a newer gateway says more.

    revision: the newest that all its workers run. drained: instances without a call under way, as `service/id`.
    ejected: instances that fail their calls or checks here, as `namespace/service/id`; failing: those that fail and
    are called on, for want of others.
    mass_removal_guard: endpoints it calls on although most vanished from the feed at once.
    edge, mesh: URLs of its listeners, for other machines. limits_alone: why it counts shared limits by its own share
    now, "" while it counts with the others. open_breakers: clusters that it keeps calls away from, as
    `namespace/service`, with `#subset` or `:port` where asked for. in_flight: calls under way, by service, of those
    that have some. certificates: what callers by TLS are shown.
    is_leaving: its last report, it ends.
    """

    node: Annotated[str, Meta(min_length=1, max_length=253)]
    version: str = ""
    zone: str = ""
    workers: Annotated[int, Meta(ge=0, le=65_535)] = 0
    edge: Annotated[str, Meta(max_length=300)] = ""
    mesh: Annotated[str, Meta(max_length=300)] = ""
    revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    refused: Annotated[tuple[Refused, ...], Meta(max_length=1000)] = ()
    evidence: Annotated[tuple[Answering, ...], Meta(max_length=100_000)] = ()
    drained: tuple[str, ...] = ()
    ejected: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    failing: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    mass_removal_guard: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    limits_alone: Annotated[str, Meta(max_length=300)] = ""
    open_breakers: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    in_flight: Annotated[dict[str, Annotated[int, Meta(ge=0, le=2**31)]], Meta(max_length=10_000)] = {}
    certificates: Annotated[tuple[ShownCertificate, ...], Meta(max_length=1000)] = ()
    is_leaving: bool = False
    counters: dict[str, Any] = {}


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway as people see it. live: reported within 6 s. last_report_s: seconds ago.

    unheard: it reports to another registry, which cannot pass that on now; it counts as live with what it said last.
    """

    node: str
    live: bool
    revision: int
    refused: tuple[Refused, ...]
    version: str
    zone: str
    workers: int
    edge: str
    mesh: str
    ejected: tuple[str, ...]
    mass_removal_guard: int
    limits_alone: str
    open_breakers: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    in_flight: dict[str, int] = {}
    last_report_s: float
    unheard: bool = False


class Applied(msgspec.Struct, frozen=True):
    """How far a revision has come: count of the live gateways run it, pending names the others.

    is_settled: nobody is waited for any more; who is pending then has refused a document of this revision.
    """

    count: int
    live: int
    pending: tuple[str, ...]
    is_settled: bool = True


class _Heard(NamedTuple):
    """at: monotonic seconds. is_direct: the gateway said it here, and not to another registry."""

    at: float
    report: Report
    is_direct: bool


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Report).decode


class Gateways:
    """now: monotonic seconds. document_revision: of a document as it is now, by kind, namespace, name; 0: unknown.
    on_report: told each report, to whichever registry it was made."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.document_revision: Callable[[tuple[str, str, str]], int] = lambda _: 0
        self.on_report: list[Callable[[Report], None]] = []
        self._now = now
        self._reports: dict[str, _Heard] = {}
        self._bus: Bus | None = None
        # When nothing came from other registries: from, to.
        self._silence = (0.0, -LIVE_S)
        self._waiting: set[Callable[[], None]] = set()

    def share(self, bus: Bus) -> None:
        """From here on registries tell each other what gateways say."""
        self._bus = bus
        bus.subscribe(_TOPIC, self._hear)

    def report(self, report: Report) -> None:
        """Evidence and counters are for others; they are not kept here."""
        report = msgspec.structs.replace(report, evidence=(), counters={})
        self._keep(report, is_direct=True)
        if self._bus is not None:
            self._bus.publish(_TOPIC, _encode(report))

    def _hear(self, message: bytes) -> None:
        try:
            report = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a registry of another version
            _log.warning("a report that another registry passed on cannot be read: %s", error)
            return
        self._keep(report, is_direct=False)

    def _keep(self, report: Report, *, is_direct: bool) -> None:
        now = self._now()
        if report.node not in self._reports and len(self._reports) >= MAX_GATEWAYS:
            self._forget(now)
            if len(self._reports) >= MAX_GATEWAYS:
                del self._reports[min(self._reports, key=lambda node: self._reports[node].at)]
        self._reports[report.node] = _Heard(now, report, is_direct)
        if report.is_leaving:
            del self._reports[report.node]
        for told in self.on_report:
            told(report)
        for look in tuple(self._waiting):
            look()

    def states(self) -> list[GatewayState]:
        """All that reported within a day, by name."""
        now = self._now()
        self._forget(now)
        return [self._state(heard, now) for _, heard in sorted(self._reports.items())]

    def state(self, node: str) -> GatewayState | None:
        found = self._reports.get(node)
        return None if found is None else self._state(found, self._now())

    def shown_certificates(self, name: tuple[str, str]) -> tuple[list[ShownCertificate], int]:
        """What live gateways show for the Certificate of this namespace and name, and how many are live."""
        live = self._live()
        found = [each for report in live for each in report.certificates if (each.namespace, each.name) == name]
        return found, len(live)

    def all_certificates(self) -> list[tuple[str, ShownCertificate]]:
        """What live gateways show, each with the gateway's node."""
        return [(report.node, each) for report in self._live() for each in report.certificates]

    def live_count(self) -> int:
        return len(self._live())

    def live_workers(self, but: str = "") -> int:
        """Of all live gateways but this one."""
        return sum(report.workers for report in self._live() if report.node != but)

    def how_far(self, revision: int) -> Applied:
        live = self._live()
        behind = [report.node for report in live if report.revision < revision]
        refused = [(report.node, named) for report in live if (named := self._refused_at(report, revision))]
        refusing = [node + _refusal(*named) for node, named in refused]
        is_waiting = any(each.is_pending for _, named in refused for each in named)
        pending = tuple(sorted(behind + refusing))
        return Applied(len(live) - len(pending), len(live), pending, is_settled=not behind and not is_waiting)

    def pending(self, revision: int) -> tuple[str, ...]:
        """The live gateways that do not run it yet."""
        return self.how_far(revision).pending

    def _refused_at(self, report: Report, revision: int) -> list[Refused]:
        """What a gateway that runs the revision does not run of it."""
        if report.revision < revision:
            return []
        return [
            each
            for each in report.refused
            if self.document_revision((each.kind, each.namespace, each.name)) == revision
        ]

    def applied(self, revision: int, *, within_s: float) -> asyncio.Future[Applied]:
        """Done when all live gateways run the revision, or after within_s with those that do not."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Applied] = loop.create_future()
        end = loop.time() + within_s

        def look() -> None:
            applied = self.how_far(revision)
            if future.done() or not (applied.is_settled or loop.time() >= end):
                return
            self._waiting.discard(look)
            future.set_result(applied)

        def look_again() -> None:
            look()
            if not future.done():  # a gateway that dies meanwhile is waited for no longer
                loop.call_later(min(_LOOK_S, max(0.0, end - loop.time())), look_again)
            else:
                self._waiting.discard(look)

        self._waiting.add(look)
        look_again()
        return future

    def _forget(self, now: float) -> None:
        for node in [node for node, heard in self._reports.items() if now - heard.at > FORGET_S]:
            del self._reports[node]

    def _live(self) -> list[Report]:
        now = self._now()
        return [
            heard.report for heard in self._reports.values() if now - heard.at <= LIVE_S or self._is_unheard(heard, now)
        ]

    def _is_unheard(self, heard: _Heard, now: float) -> bool:
        """It was live when the bus fell silent. After that its registry has three reports' time to pass one on."""
        if heard.is_direct or self._bus is None or now - heard.at <= LIVE_S:
            return False
        if (since := self._bus.silent_since_s) is not None:
            self._silence = (since, now)
        begun, ended = self._silence
        return heard.at >= begun - LIVE_S and now - ended <= LIVE_S

    def _state(self, heard: _Heard, now: float) -> GatewayState:
        is_unheard = self._is_unheard(heard, now)
        report = heard.report
        return GatewayState(
            node=report.node,
            live=now - heard.at <= LIVE_S or is_unheard,
            revision=report.revision,
            refused=report.refused,
            version=report.version,
            zone=report.zone,
            workers=report.workers,
            edge=report.edge,
            mesh=report.mesh,
            mass_removal_guard=report.mass_removal_guard,
            limits_alone=report.limits_alone,
            ejected=report.ejected,
            failing=report.failing,
            open_breakers=report.open_breakers,
            in_flight=report.in_flight,
            last_report_s=round(now - heard.at, 1),
            unheard=is_unheard,
        )


def _refusal(first: Refused, *others: Refused) -> str:
    """Behind a node's name; without commas, which part the names. `/v1/gateways/{node}` has the reasons."""
    more = f" and {len(others)} more" if others else ""
    return f" (refuses {first.kind} {first.namespace}/{first.name}{more})"
