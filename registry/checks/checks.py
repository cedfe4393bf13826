"""The registry's own health checks: asks its share of the instances in turn, and writes what changed.

Each instance is asked every `interval` ± 10 %, on a new connection: ten thousand kept ones would cost more than they
save. What is found is compared with the view after every answer, so that what could not be written is found again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import resource
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from meshway.outbound.connection import NOT_ASKED
from meshway.outbound.health import JITTER, ask
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.checks.assignment import owner
from registry.checks.findings import Finding, Findings
from registry.checks.watched import Watched
from registry.leases.hold_log import log_holds
from registry.live.interface import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshway.outbound.connection import Dial
    from registry.checks.replicas import Replicas
    from registry.leases.self_preservation import Group, SelfPreservation
    from registry.revisions.draft import Write
    from registry.view.rows import InstanceKey
    from registry.view.view import InstanceMove, View

_LOOK_EVERY_S: Final = 0.02
# Findings that come close together are one revision, and silent instances are counted before any of them is judged.
_GATHER_S: Final = 0.1
_RETRY_S: Final = 1.0
_MAX_FINDINGS: Final = 1000
# Checks under way at once: enough for 500 a second that all run into a timeout of two.
MAX_RUNNING: Final = 1000
_log = logging.getLogger("registry.checks")


class Checks:
    """submit: `Revisions.submit`. self_preservation: its own, apart from the leases'. random: 0 to 1.

    Tasks: `run` and `write`. asked: checks made so far. own: instances that are this replica's to ask.
    """

    def __init__(
        self,
        view: View,
        submit: Callable[[Write[Any]], asyncio.Future[Any]],
        replicas: Replicas,
        dial: Dial,
        *,
        self_preservation: SelfPreservation,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._submit = submit
        self._replicas = replicas
        self._dial = dial
        self._guard = self_preservation
        self._clock = clock
        self._random = random
        self._alive = replicas.alive()
        self._all: dict[InstanceKey, Watched] = {}
        self._turns: list[tuple[float, int, int, Watched]] = []
        self._serial = 0
        self._silent: dict[InstanceKey, Lease] = {}
        self._held_at: dict[Group, float] = {}
        self._passing: Counter[Group] = Counter()
        self._findings: dict[InstanceKey, Finding] = {}
        self._has_work = asyncio.Event()
        self._has_findings = asyncio.Event()
        self._max_running = max_running()
        self._running: set[asyncio.Task[None]] = set()
        self.own: set[InstanceKey] = set()
        self.asked = 0
        view.on_instances.append(self._follow)
        for service in view.services.values():
            self._follow([(None, row) for row in service.values()])

    @property
    def late_s(self) -> float:
        """How far the most overdue check is behind."""
        return max(0.0, self._clock() - self._turns[0][0]) if self._turns else 0.0

    @property
    def running(self) -> int:
        """Checks under way."""
        return len(self._running)

    @property
    def held(self) -> int:
        """Instances that do not answer, and stay passing because too many do not."""
        return sum(hold.overdue for hold in self._guard.holds.values())

    async def run(self) -> None:
        """Asks, until cancelled."""
        try:
            while True:
                await self._has_work.wait()
                self._share()
                self._start_due()
                if not self._all:
                    self._has_work.clear()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            for task in self._running:
                task.cancel()

    async def write(self) -> None:
        """Writes what was found, until cancelled."""
        while True:
            await self._has_findings.wait()
            await asyncio.sleep(_GATHER_S)
            self._judge_silent()
            findings = list(self._findings.values())[:_MAX_FINDINGS]
            if findings:
                try:
                    await self._submit(Findings(findings))
                except Problem as problem:
                    _log.warning("what checks found is put off: %s", problem)
                    await asyncio.sleep(_RETRY_S)
                    continue
                for finding in findings:
                    if self._findings.get(finding.key) is finding:
                        del self._findings[finding.key]
            if self._silent:
                await asyncio.sleep(_RETRY_S)
            elif not self._findings:
                self._has_findings.clear()

    # --- what is to be asked ---

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        for before, after in moves:
            key = after.key if after is not None else before.key if before is not None else None
            if key is None:
                continue
            known = self._all.get(key)
            if after is None or after.instance.check is None:
                if known is not None:
                    self._forget(known)
            elif known is not None and known.is_same(after):
                self._count(known, -1)
                known.row = after
                self._count(known, 1)
            else:
                if known is not None:
                    self._forget(known)
                self._watch(Watched(after))

    def _watch(self, watched: Watched) -> None:
        self._all[watched.key] = watched
        self._count(watched, 1)
        self._has_work.set()
        if owner(watched.key, self._alive) == self._replicas.own:
            self._take_up(watched)

    def _take_up(self, watched: Watched) -> None:
        """A new one soon; others anywhere in their interval, so that a restart is no burst."""
        self.own.add(watched.key)
        interval_s = watched.check.settings.interval_s
        self._put_off(watched, self._random() * (min(interval_s, 0.1) if watched.is_new else interval_s))

    def _let_go(self, watched: Watched) -> None:
        self.own.discard(watched.key)
        watched.turn += 1
        self._silent.pop(watched.key, None)
        self._findings.pop(watched.key, None)

    def _forget(self, watched: Watched) -> None:
        self._count(watched, -1)
        self._let_go(watched)
        del self._all[watched.key]

    def _count(self, watched: Watched, step: int) -> None:
        if not watched.is_critical:
            instance = watched.row.instance
            self._passing[(instance.namespace, instance.zone)] += step

    def _share(self) -> None:
        """Anew, when a replica came or went."""
        alive = self._replicas.alive()
        if alive == self._alive:
            return
        self._alive = alive
        for watched in list(self._all.values()):
            is_ours = owner(watched.key, alive) == self._replicas.own
            if is_ours and watched.key not in self.own:
                # What another replica found stands in the row; what this one knew of old does not count.
                fresh = self._all[watched.key] = Watched(watched.row)
                self._take_up(fresh)
            elif not is_ours and watched.key in self.own:
                self._let_go(watched)

    # --- asking ---

    def _put_off(self, watched: Watched, wait_s: float) -> None:
        watched.turn += 1
        self._serial += 1
        heapq.heappush(self._turns, (self._clock() + wait_s, self._serial, watched.turn, watched))

    def _start_due(self) -> None:
        now = self._clock()
        while self._turns and self._turns[0][0] <= now and len(self._running) < self._max_running:
            _, _, turn, watched = heapq.heappop(self._turns)
            if turn == watched.turn and watched.key in self.own:
                task = spawn(self._ask(watched), name="health check")
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _ask(self, watched: Watched) -> None:
        turn, settings = watched.turn, watched.check.settings
        try:
            connection, failure = await ask(watched.check, None, self._dial)
            if connection is not None:
                connection.abort()
        finally:
            self.asked += 1
            is_wanted = turn == watched.turn
            if is_wanted:
                # After the first one anywhere in the interval: many that came at once must not stay together.
                share = self._random() if watched.is_new else 1.0 + JITTER * (2.0 * self._random() - 1.0)
                self._put_off(watched, settings.interval_s * share)
        if is_wanted and failure != NOT_ASKED:
            self._take(watched, failure)

    def _take(self, watched: Watched, failure: str) -> None:
        watched.is_new = False
        if watched.verdict.take(not failure):
            name = "/".join(watched.key)
            _log.info("check of %s %s", name, f"fails: {failure}" if failure else "passes")
        is_passing = watched.verdict.is_passing
        assert is_passing is not None, "an answer was taken"
        answers_again = not failure and not is_passing  # held until now, and not yet often enough to pass
        if is_passing is not watched.is_critical or answers_again:  # as the view has it already, or nothing to say
            self._silent.pop(watched.key, None)
            self._findings.pop(watched.key, None)
            return
        if not is_passing and failure == "timeout":
            # Nothing came: this may be the instance, or this replica's way to all of them.
            self._silent[watched.key] = _silence(watched, self._clock())
        else:
            self._silent.pop(watched.key, None)
            self._findings[watched.key] = _finding(watched, is_passing)
        self._has_findings.set()

    # --- what was found ---

    def _judge_silent(self) -> None:
        """Those that do not answer become critical, unless so many do not that it may be this replica's fault.

        When that is over, those not asked since are left until they have failed once more.
        """
        if not (self._silent or self._guard.holds):
            return
        now = self._clock()
        is_forced = any(now - hold.since_s >= self._guard.max_s for hold in self._guard.holds.values())
        before = self._guard.holds
        gone, held = self._guard.judge(list(self._silent.values()), self._passing, now)
        log_holds(_log, "checks without answer", before, self._guard.holds, self._passing, now, max_s=self._guard.max_s)
        self._silent = {_key(lease): lease for lease in held}
        self._held_at.update(((lease.namespace, lease.zone), now) for lease in held)
        for lease in gone:
            watched = self._all.get(_key(lease))
            if watched is None:
                continue
            held_at = self._held_at.get((lease.namespace, lease.zone))
            if held_at is not None and lease.expires_s <= held_at and not is_forced:
                self._silent[watched.key] = lease
            else:
                self._findings[watched.key] = _finding(watched, is_passing=False)


def max_running() -> int:
    """Each takes a descriptor; most of them are for callers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_RUNNING if soft == resource.RLIM_INFINITY else max(1, min(MAX_RUNNING, soft // 4))


def _key(lease: Lease) -> InstanceKey:
    return (lease.namespace, lease.service, lease.id)


def _finding(watched: Watched, is_passing: bool) -> Finding:
    row = watched.row
    return Finding(watched.key, row.number, row.instance.generation, is_passing)


def _silence(watched: Watched, now: float) -> Lease:
    """As self-preservation judges it: what ran out, now, is the time in which answers were due."""
    settings, row = watched.check.settings, watched.row
    namespace, service, instance_id = watched.key
    return Lease(
        lease_id=row.lease_id,
        number=row.number,
        generation=row.instance.generation,
        namespace=namespace,
        service=service,
        id=instance_id,
        zone=row.instance.zone,
        ttl_s=max(1, round(settings.interval_s * settings.unhealthy_after)),
        expires_s=now,
    )
