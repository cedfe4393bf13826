"""What the gateways say they run: the newest report of each, who of them is live, and who still lacks a revision.

Kept in memory only: a report comes every 2 s, so a registry that starts anew knows all of them within that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

LIVE_S: Final = 6.0
FORGET_S: Final = 86_400.0
MAX_GATEWAYS: Final = 10_000
_LOOK_S: Final = 1.0


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a gateway could not compile; it goes on with the last good version."""

    kind: str
    namespace: str
    name: str
    path: str = ""
    reason: str


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence: an instance that answered calls since the report before."""

    namespace: str
    service: str
    id: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway sends every 2 s and whenever it changes. Unknown fields are left alone: a newer gateway says more.

    revision: the newest that all its workers run. drained: instances without a call under way, as `service/id`.
    mass_removal_guard: endpoints it calls on although most vanished from the feed at once.
    """

    node: Annotated[str, Meta(min_length=1, max_length=253)]
    version: str = ""
    zone: str = ""
    workers: Annotated[int, Meta(ge=0, le=65_535)] = 0
    revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    refused: Annotated[tuple[Refused, ...], Meta(max_length=1000)] = ()
    evidence: Annotated[tuple[Answering, ...], Meta(max_length=100_000)] = ()
    drained: tuple[str, ...] = ()
    mass_removal_guard: Annotated[int, Meta(ge=0)] = 0
    counters: dict[str, Any] = {}


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway as people see it. live: reported within 6 s. last_report_s: seconds ago."""

    node: str
    live: bool
    revision: int
    refused: tuple[Refused, ...]
    version: str
    zone: str
    workers: int
    mass_removal_guard: int
    last_report_s: float


class Applied(msgspec.Struct, frozen=True):
    """How far a revision has come: count of the live gateways run it, pending names the others.

    is_settled: nobody is waited for any more; who is pending then has refused a document of this revision.
    """

    count: int
    live: int
    pending: tuple[str, ...]
    is_settled: bool = True


class Gateways:
    """now: monotonic seconds. document_revision: of a document as it is now, by kind, namespace, name; 0: unknown."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.document_revision: Callable[[tuple[str, str, str]], int] = lambda _: 0
        self._now = now
        self._reports: dict[str, tuple[float, Report]] = {}
        self._waiting: set[Callable[[], None]] = set()

    def report(self, report: Report) -> None:
        """Evidence and counters are for others; they are not kept here."""
        now = self._now()
        if report.node not in self._reports and len(self._reports) >= MAX_GATEWAYS:
            self._forget(now)
            if len(self._reports) >= MAX_GATEWAYS:
                del self._reports[min(self._reports, key=lambda node: self._reports[node][0])]
        self._reports[report.node] = (now, msgspec.structs.replace(report, evidence=(), counters={}))
        for look in tuple(self._waiting):
            look()

    def states(self) -> list[GatewayState]:
        """All that reported within a day, by name."""
        now = self._now()
        self._forget(now)
        return [_state(report, now - at) for _, (at, report) in sorted(self._reports.items())]

    def state(self, node: str) -> GatewayState | None:
        found = self._reports.get(node)
        return None if found is None else _state(found[1], self._now() - found[0])

    def live_count(self) -> int:
        since = self._now() - LIVE_S
        return sum(1 for at, _ in self._reports.values() if at >= since)

    def how_far(self, revision: int) -> Applied:
        since = self._now() - LIVE_S
        live = [report for at, report in self._reports.values() if at >= since]
        behind = [report.node for report in live if report.revision < revision]
        refusing = [report.node + _refusal(*named) for report in live if (named := self._refused_at(report, revision))]
        pending = tuple(sorted(behind + refusing))
        return Applied(len(live) - len(pending), len(live), pending, is_settled=not behind)

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
        for node in [node for node, (at, _) in self._reports.items() if now - at > FORGET_S]:
            del self._reports[node]


def _refusal(first: Refused, *others: Refused) -> str:
    """Behind a node's name; without commas, which part the names. `/v1/gateways/{node}` has the reasons."""
    more = f" and {len(others)} more" if others else ""
    return f" (refuses {first.kind} {first.namespace}/{first.name}{more})"


def _state(report: Report, age_s: float) -> GatewayState:
    return GatewayState(
        node=report.node,
        live=age_s <= LIVE_S,
        revision=report.revision,
        refused=report.refused,
        version=report.version,
        zone=report.zone,
        workers=report.workers,
        mass_removal_guard=report.mass_removal_guard,
        last_report_s=round(age_s, 1),
    )
