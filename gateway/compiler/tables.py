"""Keeps a worker's tables up with the feed: what did not change is neither compiled again nor forgotten.

`prepare` only reads what is running, so it may run in a thread beside the loop; `commit` changes running clusters and
belongs on the loop, where it takes microseconds. One preparation at a time, committed in order. Few changes of
instances alone go through both on the loop, where they compile no route: by their word a service may be called
otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.compiler.blame import Blamed
from gateway.compiler.build import Build
from gateway.compiler.diff import CompileError, Diff, DocumentKey, Refusal, read_changes
from gateway.compiler.filters import Limits
from gateway.compiler.state import State, empty_state
from gateway.compiler.steps import Step
from gateway.plan import Parts
from gateway.routing.table import Tables
from meshway.snapshot import INSTANCE, Change

LIGHT: Final = 100  # each may be of another service, all of whose endpoints are looked at


@dataclass(slots=True, frozen=True)
class Prepared:
    """Tables that wait for their commit. steps: what running clusters must learn. workers: shares by these."""

    base: State
    state: State
    steps: tuple[Step, ...]
    workers: int


class Compiler:
    """One a worker; the supervisor has one of its own for showing."""

    __slots__ = ("_parts", "_state")

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._state = empty_state(parts)

    @property
    def tables(self) -> Tables:
        return self._state.tables

    @property
    def state(self) -> State:
        """Read only: what the tables were made of."""
        return self._state

    @property
    def limits(self) -> Limits:
        return self._state.limits

    @property
    def refusals(self) -> list[Refusal]:
        """All that stand now, not only the last delta's."""
        return list(self._state.refusals.values())

    def snapshot(self, revision: int, changes: Iterable[Change]) -> list[Refusal]:
        """The whole: what is not in it is gone. Answers the refusals that stand."""
        return self.commit(self.prepare(revision, changes, whole=True))

    def delta(self, revision: int, changes: Iterable[Change]) -> list[Refusal]:
        """All changes of one revision. Answers the refusals that stand."""
        return self.commit(self.prepare(revision, changes))

    def prove(self, changes: Iterable[Change]) -> None:
        """Before the first snapshot: versions that other workers of the host run in place of refused ones (puts), and
        documents without which they go on (deletes). Told in as many parts as there are frames."""
        self._state = replace(self._state, proven={**self._state.proven, **read_changes(changes).documents})

    def keep(self, changes: Iterable[Change]) -> None:
        """As `prepare_kept`, all of it on the loop."""
        self.commit(self.prepare_kept(changes))

    def prepare_kept(self, changes: Iterable[Change]) -> Prepared:
        """Instances that the registry has dropped: called on (puts), or no longer (deletes). As `prepare`."""
        base, diff = self._state, read_changes(changes)
        kept = {service: dict(instances) for service, instances in base.kept.items()}
        for service, instances in diff.instances.items():
            of_service = kept.setdefault(service, {})
            for identity, instance in instances.items():
                if instance is None:
                    of_service.pop(identity, None)
                else:
                    of_service[identity] = instance
            if not of_service:
                del kept[service]
        touched = Diff(instances={service: {} for service in diff.instances})
        build = Build(base, touched, self._parts, whole=False, blamed={}, kept=kept)
        return Prepared(base, build.state(base.tables.revision), tuple(build.steps), self._parts.workers)

    def prepare(self, revision: int, changes: Iterable[Change], *, whole: bool = False) -> Prepared:
        """As `prepare_diff`, from what came."""
        return self.prepare_diff(revision, read_changes(changes), whole=whole)

    def prepare_diff(self, revision: int, diff: Diff, *, whole: bool = False) -> Prepared:
        """Compiles. Nothing running is touched: safe in any thread, while no other preparation is under way."""
        base, workers = self._state, self._parts.workers
        blamed: dict[DocumentKey, CompileError] = {}
        while True:
            build = Build(base, diff, self._parts, whole=whole, blamed=blamed)
            try:
                state = build.state(revision)
            except Blamed as fault:
                if fault.key in blamed:
                    raise
                blamed[fault.key] = fault.error
                continue
            return Prepared(base, state, tuple(build.steps), workers)

    def prepare_light(self, revision: int, diff: Diff) -> Prepared | None:
        """Of instances alone, on the loop; None: routes are to be compiled for it, which is not for the loop."""
        base, workers = self._state, self._parts.workers
        build = Build(base, diff, self._parts, whole=False, blamed={})
        state = build.light_state(revision)
        return None if state is None else Prepared(base, state, tuple(build.steps), workers)

    def commit(self, prepared: Prepared) -> list[Refusal]:
        """Makes the prepared tables current; on the loop. Raises ValueError when another commit came between."""
        if prepared.base is not self._state:
            raise ValueError("prepared on tables that are not the current ones any more")
        for step in prepared.steps:
            step()
        self._state = prepared.state
        if prepared.workers != self._parts.workers:
            self.share(self._parts.workers)
        return self.refusals

    def share(self, workers: int) -> None:
        """How many workers of the host live now: limits, budgets and probes are divided anew. On the loop."""
        self._parts.workers = workers
        self._state.limits.share(workers)
        for cluster in self._state.tables.clusters.values():
            cluster.configure(cluster.settings)


def is_light(changes: Sequence[Change]) -> bool:
    """Only instances, and few: cheap enough for the loop."""
    return len(changes) <= LIGHT and all(change.kind == INSTANCE for change in changes)
