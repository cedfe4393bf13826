"""What would become of a connection, a session of datagrams or a CONNECT: its route, who may, and where it would go."""

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from msgspec.structs import fields

from gateway.compiler.cluster_key import destination_key
from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.diff import Entry
from gateway.compiler.listeners import ListenerPlan
from gateway.compiler.state import State
from gateway.exchange import EDGE, MESH, Exchange, Reply
from gateway.explain.asking import caller_of
from gateway.explain.destinations import destinations_told, whose_settings
from gateway.explain.filters import walk
from gateway.explain.telling import Telling
from gateway.plan import BUILT_IN, RoutePlan
from gateway.relay.passage import TCP, UDP, no_request, no_route_for, no_session_route, not_connected
from gateway.routing.connection_table import ConnectionPlan
from gateway.routing.session_plan import SessionPlan
from meshway.explanation import CallQuestion, DestinationState, Explanation, Said, Setting
from meshway.http1.authority import parse_authority
from meshway.model.document import Destination, Spec
from meshway.model.listener import BYTES, CARRIED, DATAGRAMS
from meshway.model.listener import EDGE as EDGE_FACE
from meshway.model.listener import MESH as MESH_FACE

CONNECT: Final = "CONNECT"
OF_LISTENERS: Final = frozenset({"TCP", "TLS", "UDP"})


class _Led(NamedTuple):
    """document: whose word it is. written: where it leads to. spec: of its route; None: a CONNECT has none."""

    plan: ConnectionPlan | SessionPlan
    document: str
    namespace: str
    written: Sequence[Destination]
    spec: Spec | None = None


def explain_connection(
    state: State, question: CallQuestion, now: float, node: str, *, draft: bool
) -> Explanation | None:
    """None: it is about a call. Raises ValueError for what is no question."""
    method = question.method.upper()
    if question.listener is None and method in OF_LISTENERS:
        raise ValueError("listener: connections and datagrams come by one of their own: name it")
    name = question.listener or (MESH_FACE if method == CONNECT else "")
    listener = state.served.listeners.get(name)
    if listener is None:
        return None
    is_connect = method == CONNECT and listener.face == MESH_FACE
    has_calls = listener.spoken not in CARRIED and listener.spoken != DATAGRAMS
    if not is_connect and (method in OF_LISTENERS) == has_calls:
        raise ValueError(
            f"listener: {name} has {'calls alone' if has_calls else 'no calls'}: it speaks {listener.spoken}"
        )
    if has_calls and not is_connect:
        return None
    address, caller = caller_of(question, state)
    exchange = _exchange(question, name, listener, address, now, is_connect=is_connect)
    return _Telling(state, exchange, now, listener, is_connect=is_connect).told(node, caller=caller, draft=draft)


def _exchange(
    question: CallQuestion, name: str, listener: ListenerPlan, address: str, now: float, *, is_connect: bool
) -> Exchange:
    is_udp = listener.spoken == DATAGRAMS
    face = EDGE if listener.face == EDGE_FACE else MESH
    exchange = Exchange(no_request(UDP if is_udp else TCP), face, address, now, listener_name=name)
    host = question.url.partition("//")[2] or question.url
    exchange.method = CONNECT.encode() if is_connect else b"UDP" if is_udp else b"TCP"
    if is_connect:
        try:
            exchange.host, exchange.authority = parse_authority(host.encode())[0], host.encode()
        except ValueError as error:
            raise ValueError(f"url: {host} is no host and port") from error
    elif listener.spoken == "passthrough":
        exchange.method = b"TLS"
        exchange.server_name = host.rstrip(".").lower()
        exchange.host = exchange.server_name.encode("latin-1", "replace")
    return exchange


class _Telling(Telling):
    def __init__(
        self, state: State, exchange: Exchange, now: float, listener: ListenerPlan, *, is_connect: bool
    ) -> None:
        super().__init__(state, exchange, now, listener)
        self._speaks, self._is_connect = listener.spoken, is_connect
        self._led: _Led | None = None

    def _walk(self) -> None:
        exchange = self._exchange
        led = self._led = self._find()
        if led is None:
            self._reply = self._nowhere()
            return
        plan = exchange.plan = led.plan.route
        self._found = self._found._replace(plan=plan)
        by = self._by = Said(document=led.document, path="spec")
        self._settings = list(self._settings_told(led))
        self._filters, self._reply = walk(plan.steps, exchange, by)
        if self._reply is None:
            self._enter(plan, None, 0, by)

    def _find(self) -> _Led | None:
        state, exchange = self._state, self._exchange
        if self._is_connect:
            plan = state.tables.connection_to(exchange)
            return None if plan is None else self._connect(plan)
        if self._speaks == DATAGRAMS:
            session = state.tables.sessions.get(exchange.listener_name)
            return None if session is None else self._of_route(session, state.sessions.values())
        table = state.tables.connections.get(exchange.listener_name)
        plan = None if table is None else table.match(exchange)
        return None if plan is None else self._of_route(plan, state.connections.values())

    def _of_route(self, plan: ConnectionPlan | SessionPlan, compiled: Any) -> _Led:
        entry: Entry[Any] = next(one.entry for one in compiled if f"{one.entry.kind} {one.entry.title}" == plan.title)
        return _Led(plan, plan.title, entry.namespace, entry.spec.destinations, entry.spec)

    def _connect(self, plan: ConnectionPlan) -> _Led:
        entry = next(
            one.entry for one in self._state.connects.values() if any(plan is other for other in one.plans.values())
        )
        port = int(self._exchange.authority.rpartition(b":")[2])
        spoken = [each for each in entry.spec.ports if each.protocol in BYTES and each.port == port]
        at = "" if spoken[0] is entry.spec.ports[0] else spoken[0].name
        to = Destination(service=entry.name, port=at or None)
        return _Led(plan, plan.title, entry.namespace, (to,))

    def _settings_told(self, led: _Led) -> Iterator[Setting]:
        """A CONNECT has no route that could say anything: how long it may be idle is its service's word."""
        if led.spec is not None:
            yield from _settings_of(led.plan, led.document, led.spec)
            return
        assert isinstance(led.plan, ConnectionPlan)
        key, field = destination_key(led.namespace, led.written[0]), "timeouts.upgraded_idle"
        whose = whose_settings(self._state, key).get(field, BUILT_IN)
        yield Setting(document=whose, path=f"spec.{field}", field=field, value=_seconds(led.plan.idle_s))
        yield Setting(document=BUILT_IN, field="half_close", value=_seconds(led.plan.half_close_s))

    def _nowhere(self) -> Reply:
        if self._is_connect:
            return not_connected(self._exchange)
        if self._speaks == DATAGRAMS:
            return no_session_route(self._exchange.listener_name)
        return no_route_for(self._exchange, "TlsRoute" if self._speaks == "passthrough" else "TcpRoute")

    def _destinations_of(
        self, plan: RoutePlan, route: CompiledRoute | None, rule: int, by: Said
    ) -> list[DestinationState]:
        led = self._led
        assert led is not None
        return destinations_told(self._state, led.namespace, led.written, by, self._exchange, self._now)


def _settings_of(plan: ConnectionPlan | SessionPlan, document: str, spec: Spec) -> Iterator[Setting]:
    """A route's own word is what is not as it would be without a word."""
    shown = [("idle", _seconds(plan.idle_s))]
    if isinstance(plan, SessionPlan):
        shown += [("max_sessions", str(plan.max_sessions)), ("per_source", _most(plan.per_source))]
    else:
        shown += [("half_close", _seconds(plan.half_close_s)), ("max_duration", _seconds(plan.max_duration_s))]
        shown += [("limits.connections", _most(plan.most)), ("limits.per_source", _most(plan.most_of_source))]
    required = {field.name: getattr(spec, field.name) for field in fields(spec) if field.required}
    unsaid = type(spec)(**required)
    for field, value in shown:
        read = attrgetter(field)
        if read(spec) == read(unsaid):
            yield Setting(document=BUILT_IN, field=field, value=value)
        else:
            yield Setting(document=document, path=f"spec.{field}", field=field, value=value)


def _seconds(value: float) -> str:
    return "none" if value == math.inf else f"{value:g}s"


def _most(value: int) -> str:
    return str(value) if value else "none"
