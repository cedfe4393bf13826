"""Which version of each document holds: the new one if it can be read, else the last good one."""

from collections.abc import Iterable
from typing import Any

from gateway.compiler.diff import CompileError, Diff, DocumentKey, Entry, Refusal
from gateway.compiler.policies import places_of
from gateway.compiler.state import State
from meshway.model.rate_limit import RateLimit
from meshway.model.traffic_policy import TrafficPolicy

# What belongs to the connection to a service cannot differ by the route that leads there.
_OF_CLUSTERS = ("load_balancer", "connection", "bulkhead", "breaker", "outlier_detection", "health_check")


class Accepted:
    """documents: those that hold, Routes as far as they held before. routes: new versions of Routes, to be tried.

    waiting: refused versions. dirty: keys whose document is another object than before.
    """

    def __init__(self, base: State, diff: Diff, *, whole: bool) -> None:
        self.documents: dict[DocumentKey, Entry[Any]] = {}
        self.waiting: dict[DocumentKey, Entry[Any]] = {}
        self.routes: dict[DocumentKey, Entry[Any]] = {}
        self.refusals: dict[DocumentKey, Refusal] = {}
        self._base = base
        unreadable = {refusal.key for refusal in diff.refusals}
        if not whole:
            self.documents |= base.documents
            self.waiting = {key: entry for key, entry in base.waiting.items() if key not in unreadable}
        for key in unreadable & base.documents.keys():
            self.documents[key] = base.documents[key]
        for key, entry in diff.documents.items():
            if entry is None:
                self.documents.pop(key, None)
                self.waiting.pop(key, None)
        self._judge({**self.waiting, **{key: entry for key, entry in diff.documents.items() if entry is not None}})

    def _judge(self, entries: dict[DocumentKey, Entry[Any]]) -> None:
        for key, entry in entries.items():
            before = self._base.documents.get(key)
            entry = before if before is not None and before == entry else entry
            if entry.kind == "Route":
                self.routes[key] = entry
                if before is not None:
                    self.documents[key] = before
                continue
            try:
                if isinstance(entry.spec, TrafficPolicy | RateLimit):
                    _check_policy(entry)
            except CompileError as error:
                self.refuse(entry, error)
            else:
                self.hold(entry)

    def hold(self, entry: Entry[Any]) -> None:
        self.documents[entry.key] = entry
        self.waiting.pop(entry.key, None)

    def refuse(self, entry: Entry[Any], error: CompileError) -> None:
        """The last good version goes on."""
        before = self._base.documents.get(entry.key)
        if before is not None:
            self.documents[entry.key] = before
        self.waiting[entry.key] = entry
        self.refusals[entry.key] = Refusal(entry.kind, entry.namespace, entry.name, error.path, error.reason)

    def dirty(self, kinds: Iterable[str]) -> list[Entry[Any]]:
        """Entries of these kinds that came, went or changed; of the changed ones both versions."""
        wanted, before, after = set(kinds), self._base.documents, self.documents
        found = [entry for key, entry in after.items() if key[0] in wanted and before.get(key) is not entry]
        return found + [entry for key, entry in before.items() if key[0] in wanted and after.get(key) is not entry]

    def of_kind(self, kind: str) -> list[Entry[Any]]:
        return [entry for key, entry in self.documents.items() if key[0] == kind]


def _check_policy(entry: Entry[Any]) -> None:
    for _ in places_of(entry):
        pass
    spec = entry.spec
    if not isinstance(spec, TrafficPolicy):
        return
    if any(target.route for target in spec.targets):
        for block in _OF_CLUSTERS:
            if getattr(spec, block) is not None:
                raise CompileError(f"spec.{block}", "a route has timeouts and retry only; target the service instead")
