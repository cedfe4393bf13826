"""What AccessLogs and Telemetries say of a call: of each kind the document with the narrowest target, whole."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from gateway.compiler.diff import Entry
from gateway.compiler.matches import read_match, whole_test
from gateway.compiler.policies import MESH, Attached, Place, places_of, route_places, service_places
from gateway.exchange import Exchange
from gateway.plan import Parts
from gateway.routing.predicates import Test
from gateway.telemetry.call_plan import (
    NO_LOG,
    NOTHING_KEPT,
    UNTRACED,
    USUAL,
    CallPlan,
    KeepPlan,
    LogPlan,
    Read,
    TracePlan,
    share_of,
)
from gateway.telemetry.log_sink import FILE, OTLP, SOCKET, STDOUT, SinkPlace
from meshway.http1.fields import find
from meshway.http1.query import first_value
from meshway.identity import claim, claim_texts
from meshway.model.access_log import AccessLog, LogMatch, LogRule, LogSink, status_codes
from meshway.model.authentication import Authentication, CredentialPlace
from meshway.model.match import Match
from meshway.model.mesh_settings import MeshTelemetry
from meshway.model.regex import compile_regex
from meshway.model.telemetry import Telemetry, Traces
from meshway.model.telemetry_rules import added_from

KINDS: Final = ("AccessLog", "Telemetry", "Authentication", "MeshSettings")
MASKED: Final = b"***"
_MATCH_FIELDS: Final = Match.__struct_fields__


class TellingPlans:
    """mesh: what MeshSettings turn off. credentials: what Authentications read: it is shown as `***`, whatever a
    document adds. has_traces: a document samples otherwise than is usual, so it is looked at when a call begins."""

    def __init__(
        self,
        logs: Iterable[Entry[AccessLog]],
        telemetries: Iterable[Entry[Telemetry]],
        credentials: frozenset[str],
        parts: Parts,
        mesh: MeshTelemetry | None = None,
    ) -> None:
        self.mesh = mesh = mesh or MeshTelemetry()
        logs, telemetries = list(logs), list(telemetries)
        self._logs, self._telemetries = Attached(logs), Attached(telemetries)
        self._plans = {entry.key: _log_plan(entry.spec, parts, credentials) for entry in logs}
        self._traces = {entry.key: _trace_plan(entry.spec.traces) for entry in telemetries}
        self._by_call: dict[tuple[str, str, str], CallPlan] = {}
        usual = (USUAL.trace.head, USUAL.trace.trusts)
        self.has_traces = not mesh.traces or any((each.head, each.trusts) != usual for each in self._traces.values())

    @property
    def sinks(self) -> list[SinkPlace]:
        return [place for plan, _ in self._plans.values() for place in plan.sinks if self.mesh.access_log]

    def of(self, exchange: Exchange) -> CallPlan:
        """At the end of a call of a sort, and at the beginning of one for its trace."""
        plan, cluster = exchange.plan, exchange.cluster
        by = (
            "" if plan is None else plan.route,
            "" if plan is None else plan.rule,
            "" if cluster is None else cluster.name,
        )
        found = self._by_call.get(by)
        if found is None:
            found = self._by_call[by] = self._find(*by)
        return found

    def _find(self, route: str, rule: str, service: str) -> CallPlan:
        if not service and "/implicit:" in route:  # of a call that has not come to its service yet
            service = route.replace("/implicit:", "/", 1)
        places = places_of_call(route, rule, service)[::-1]
        logs, telemetries = self._logs.at(places), self._telemetries.at(places)
        log, keep = self._plans[logs[0].key] if logs else (None, USUAL.keep)
        trace = self._traces[telemetries[0].key] if telemetries else USUAL.trace
        if not self.mesh.access_log:
            log, keep = NO_LOG, NOTHING_KEPT
        return CallPlan(log, keep, trace if self.mesh.traces else UNTRACED, is_counted=self.mesh.metrics)


def places_of_call(route: str, rule: str, service: str) -> tuple[Place, ...]:
    """From the widest to the narrowest. route: `namespace/name`, service: as its cluster is called; "" = none."""
    places: tuple[Place, ...] = (MESH,)
    if route:
        places += (("namespace", route.partition("/")[0]),)
    if service:
        namespace, _, rest = service.partition("/")
        name, _, subset = rest.partition("#")
        places += service_places(namespace, name.partition(":")[0], subset)[1:]
    if route:
        namespace, _, name = route.partition("/")
        places += route_places(namespace, name, rule)
    return places


def credentials_of(entries: Iterable[Entry[Authentication]]) -> frozenset[str]:
    """`header.NAME`, `query.NAME` of what callers prove themselves by."""
    found: set[str] = set()
    for entry in entries:
        for method in entry.spec.methods:
            for block in (method.jwt, method.api_key):
                for place in () if block is None else block.from_:
                    if isinstance(place, CredentialPlace):
                        found |= {f"header.{place.header.lower()}"} if place.header else set()
                        found |= {f"query.{place.query}"} if place.query else set()
    return frozenset(found)


def check_telling(entry: Entry[Any], parts: Parts) -> None:
    """An AccessLog or a Telemetry. Raises CompileError."""
    for _ in places_of(entry):
        pass
    if isinstance(entry.spec, AccessLog):
        _log_plan(entry.spec, parts, frozenset())


def _log_plan(spec: AccessLog, parts: Parts, credentials: frozenset[str]) -> tuple[LogPlan, KeepPlan]:
    keep = KeepPlan(share_of(spec.keep.errors), float(spec.keep.slower_than), share_of(spec.keep.rest_percent))
    plan = LogPlan(
        is_wanted=_wanted(spec.rules, parts),
        added=[(name, _read(source, credentials)) for name, source in spec.add.items()],
        dropped=frozenset(spec.drop),
        is_combined=spec.format == "combined",
        query=spec.query,
        address=spec.address,
        masks=[compile_regex(pattern) for pattern in spec.mask],
        sinks=[_place(sink) for sink in spec.sinks],
        buffer=int(spec.buffer),
    )
    return plan, keep


def _trace_plan(traces: Traces) -> TracePlan:
    return TracePlan(
        head=share_of(traces.head_percent),
        per_second=traces.max_per_second,
        errors=traces.tail.errors,
        slow_s=float(traces.tail.slower_than),
        trusts=traces.trust_incoming,
        attributes=dict(traces.attributes),
    )


def _wanted(rules: tuple[LogRule, ...], parts: Parts) -> Callable[[Exchange, float], bool] | None:
    """The first rule that matches decides; who has none is written."""
    if not rules:
        return None
    tests = [
        (_log_test(rule.match, f"spec.rules[{at}].match", parts), rule.percent / 100.0) for at, rule in enumerate(rules)
    ]
    random = parts.random

    def is_wanted(exchange: Exchange, ended: float) -> bool:
        for test, share in tests:
            if test(exchange, ended):
                return share >= 1.0 or random() < share
        return True

    return is_wanted


def _log_test(match: LogMatch, at: str, parts: Parts) -> Callable[[Exchange, float], bool]:
    """at: its place in the document. Raises CompileError."""
    codes = frozenset(code for written in match.status for code in status_codes(written))
    any_flag = match.flags == "any"
    flags = frozenset(() if isinstance(match.flags, str) else match.flags)
    slow_s = match.slower_than
    plain = Match(**{name: getattr(match, name) for name in _MATCH_FIELDS})
    asked: Test | None = whole_test(read_match(plain, at, parts))

    def holds(exchange: Exchange, ended: float) -> bool:
        if codes and exchange.status not in codes:
            return False
        if any_flag and not exchange.flag:
            return False
        if flags and flags.isdisjoint(exchange.flag.split(",")):
            return False
        if slow_s is not None and ended - exchange.started < slow_s:
            return False
        return asked is None or asked(exchange)

    return holds


def _place(sink: str | LogSink) -> SinkPlace:
    if isinstance(sink, str):
        return SinkPlace(STDOUT)
    if sink.otlp is not None:
        return SinkPlace(OTLP, sink.otlp.endpoint, sink.otlp)
    return SinkPlace(FILE, sink.file) if sink.file is not None else SinkPlace(SOCKET, sink.socket or "")


def _read(source: str, credentials: frozenset[str]) -> Read:
    kind, what = added_from(source)
    wanted = what.lower().encode() if kind in ("header", "response_header") else what.encode()
    if f"{kind}.{wanted.decode()}" in credentials:
        return lambda _: MASKED
    if kind == "header":
        return lambda exchange: find(exchange.block, wanted)
    if kind == "response_header":
        return lambda exchange: None if exchange.answer is None else find(exchange.answer.block, wanted)
    if kind == "query":
        return lambda exchange: first_value(exchange.query, wanted)
    if kind == "claim":
        return lambda exchange: _claimed(exchange, what)
    return lambda _: wanted


def _claimed(exchange: Exchange, path: str) -> bytes | None:
    principal = exchange.principal
    texts = () if principal is None or not principal.method else claim_texts(claim(principal.claims, path))
    return ",".join(texts).encode() if texts else None
