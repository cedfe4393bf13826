"""Which version of each document holds: the new one if it can be read, else the last good one.

A policy without a last good one is left out, but at a first start: there nobody knows what it kept away, and so its
targets refuse until it compiles or is gone. So do the services of a namespace, or all, of whose settings nobody can
tell that they are not strict.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway.compiler import access_rules
from gateway.compiler.authentication import compile_steps
from gateway.compiler.diff import CompileError, Diff, DocumentKey, Entry, Refusal
from gateway.compiler.matches import compile_any
from gateway.compiler.mesh_tls import KINDS as MESH_TLS_KINDS
from gateway.compiler.policies import MESH, MESH_NAMESPACE, Place, effective, own_places, places_of
from gateway.compiler.settings import cluster_settings, retry_plan
from gateway.compiler.state import State
from gateway.compiler.telling import check_telling
from gateway.filters.counting import local_counts
from gateway.limits.cost import compile_cost
from gateway.limits.key import compile_key
from gateway.plan import Parts
from meshway.model.access_log import AccessLog
from meshway.model.access_policy import AccessPolicy
from meshway.model.authentication import Authentication
from meshway.model.document import Target
from meshway.model.rate_limit import RateLimit
from meshway.model.telemetry import Telemetry
from meshway.model.traffic_policy import TrafficPolicy

_POLICIES: Final = frozenset({"TrafficPolicy", "RateLimit", "Authentication", "AccessPolicy"})
# What belongs to the connection to a service cannot differ by the route that leads there.
_OF_CLUSTERS: Final = (
    "load_balancer", "slow_start", "locality", "failover", "panic", "connection", "bulkhead", "breaker",
    "outlier_detection", "health_check", "tls",
)  # fmt: skip
_log = logging.getLogger("meshway.gateway.compiler")


class Accepted:
    """documents: those that hold, Routes as far as they held before. routes: new versions of Routes, to be tried.

    waiting: refused versions. dirty: keys whose document is another object than before. unavailable: policies by
    which nothing may pass, with the places they speak for. blamed: documents that an earlier try of this revision
    found to break down, alone or together with others.
    """

    def __init__(
        self, base: State, diff: Diff, parts: Parts, *, whole: bool, blamed: Mapping[DocumentKey, CompileError]
    ) -> None:
        self.documents: dict[DocumentKey, Entry[Any]] = {}
        self.waiting: dict[DocumentKey, Entry[Any]] = {}
        self.routes: dict[DocumentKey, Entry[Any]] = {}
        self.refusals: dict[DocumentKey, Refusal] = {}
        self.unavailable: dict[DocumentKey, tuple[Place, ...]] = {}
        self._base = base
        self._parts = parts
        self._blamed = blamed
        self._is_first = whole and not base.tables.revision and not base.documents
        self._good: dict[DocumentKey, Entry[Any]] = {
            key: entry for key, entry in base.proven.items() if entry is not None
        }
        self._good |= base.documents
        unreadable = {refusal.key for refusal in diff.refusals}
        if not whole:
            self.documents |= base.documents
            self.waiting = {key: entry for key, entry in base.waiting.items() if key not in unreadable}
            judged = diff.documents.keys() | self.waiting.keys()
            self.unavailable = {key: places for key, places in base.unavailable.items() if key not in judged}
        for key in unreadable & self._good.keys():
            self.documents[key] = self._good[key]
        for key, spec in diff.unread.items():
            if self._is_unavailable(key) and (key[0] in _POLICIES or _may_be_strict(spec)):
                self.unavailable[key] = _read_places(key, spec)
        for key, entry in diff.documents.items():
            if entry is None:
                self.documents.pop(key, None)
                self.waiting.pop(key, None)
        self._judge({**self.waiting, **{key: entry for key, entry in diff.documents.items() if entry is not None}})

    def _judge(self, entries: dict[DocumentKey, Entry[Any]]) -> None:
        for key, entry in entries.items():
            before = self._good.get(key)
            entry = before if before is not None and before == entry else entry
            if entry.kind == "Route":
                self.routes[key] = entry
                if before is not None:
                    self.documents[key] = before
                continue
            try:
                if (fault := self._blamed.get(key)) is not None:
                    raise fault
                if isinstance(entry.spec, TrafficPolicy | RateLimit | Authentication | AccessPolicy):
                    _check_policy(entry, self._parts)
                elif isinstance(entry.spec, AccessLog | Telemetry):
                    check_telling(entry, self._parts)
            except CompileError as error:
                self.refuse(entry, error)
            except Exception as error:
                self.refuse(entry, CompileError.of_defect(error))
            else:
                self.hold(entry)

    def hold(self, entry: Entry[Any]) -> None:
        self.documents[entry.key] = entry
        self.waiting.pop(entry.key, None)

    def refuse(self, entry: Entry[Any], error: CompileError) -> None:
        """The last good version goes on."""
        before = self._good.get(entry.key)
        if before is not None:
            self.documents[entry.key] = before
        elif entry.kind in _POLICIES and self._is_unavailable(entry.key):
            self.unavailable[entry.key] = _spoken_for(entry.namespace, entry.spec.targets)
        self.waiting[entry.key] = entry
        refusal = Refusal(entry.kind, entry.namespace, entry.name, error.path, error.reason)
        self.refusals[entry.key] = refusal
        if error.defect is not None and self._base.refusals.get(entry.key) != refusal:
            _log.error("compiling %s %s failed", entry.kind, entry.title, exc_info=error.defect)

    def _is_unavailable(self, key: DocumentKey) -> bool:
        """Of a policy that is refused."""
        is_spoken = key[0] in _POLICIES or key[0] in MESH_TLS_KINDS
        is_new = is_spoken and key not in self._good and key not in self._base.proven
        return is_new and (self._is_first or key in self._base.unavailable)

    def dirty(self, kinds: Iterable[str]) -> list[Entry[Any]]:
        """Entries of these kinds that came, went or changed; of the changed ones both versions."""
        wanted, before, after = set(kinds), self._base.documents, self.documents
        found = [entry for key, entry in after.items() if key[0] in wanted and before.get(key) is not entry]
        return found + [entry for key, entry in before.items() if key[0] in wanted and after.get(key) is not entry]

    def of_kind(self, kind: str) -> list[Entry[Any]]:
        return [entry for key, entry in self.documents.items() if key[0] == kind]


def _spoken_for(namespace: str, targets: tuple[Target, ...] = ()) -> tuple[Place, ...]:
    if targets:
        return own_places(namespace, targets)
    return (MESH if namespace == MESH_NAMESPACE else ("namespace", namespace),)


def _may_be_strict(spec: object) -> bool:
    """Of settings that cannot be read as a whole."""
    return not isinstance(spec, dict) or spec.get("mtls", "permissive") != "permissive"


def _read_places(key: DocumentKey, spec: object) -> tuple[Place, ...]:
    """Of a document that cannot be read. Whom it is for may still be legible; else it is for all it may speak for."""
    kind, namespace, name = key
    if kind in MESH_TLS_KINDS:
        return (("namespace", name) if kind == "Namespace" else MESH,)
    written = spec.get("targets", ()) if isinstance(spec, dict) else None
    try:
        targets = msgspec.convert(written, tuple[Target, ...])
    except msgspec.ValidationError:
        return _spoken_for(namespace)
    return _spoken_for(namespace, targets)


def _check_policy(entry: Entry[Any], parts: Parts) -> None:
    """Compiles it alone, for show. Raises CompileError, and whatever a defect raises."""
    for _ in places_of(entry):
        pass
    spec = entry.spec
    if isinstance(spec, AccessPolicy):
        access_rules.check(entry, parts)
        return
    if isinstance(spec, Authentication):
        compile_steps(entry, parts)
        return
    if isinstance(spec, RateLimit):
        local_counts(spec, parts)
        compile_any(spec.match, "spec.match", parts)
        compile_cost(spec.cost)
        compile_key(spec.key, service="", route="", rule="", shares_missing=True)
        return
    policy = effective([spec])
    cluster_settings(policy)
    assert policy.retry is not None
    retry_plan(policy.retry)
    if any(target.route for target in spec.targets):
        for block in _OF_CLUSTERS:
            if getattr(spec, block) is not None:
                raise CompileError(f"spec.{block}", "a route has timeouts and retry only; target the service instead")
