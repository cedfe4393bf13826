"""Recorded calls run through two sets of tables: what each would get today, and by what is proposed.

The tables decide and the filters run, in the time of the recording and without chance; nothing is sent. Limits count
the recorded calls only, so where these are a share of the traffic fewer are refused here than would be.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.compiler.cluster_key import destination_key
from gateway.compiler.state import State
from gateway.exchange import EDGE, MESH, Exchange, Reply
from gateway.plan import Guard, RoutePlan
from gateway.relay.refusals import nowhere
from gateway.routing.path import PathError, canonical
from gateway.telemetry.recorder import Recorded
from gateway.upstream.cluster import Cluster
from meshway.http1.field_lines import FieldLines, request_lines
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.rehearsal import MOST_CALLERS, MOST_GROUPS, Difference, Example, Fate, Kind, Rehearsal, some_of

Shares = tuple[tuple[Cluster, str], ...]


class Clock:
    """The time of the recording, for tables that are compiled with it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Rehearsed:
    """One set of tables. clock: what its parts were given as `now` and `wall`."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._tables = state.tables
        self._clock = clock
        self._shares = _shares_of(state)
        self._lines: Mapping[int, FieldLines] = {
            EDGE: request_lines(method_override="drop"),
            MESH: request_lines(method_override="pass"),
        }

    def fate(self, call: Recorded) -> tuple[Fate, str]:
        """And host and path as the service would see them, where a rule changes them."""
        self._clock.now_s = call.at
        try:
            exchange = self._exchange(call)
        except HeadError as error:
            return Fate(status=error.status, reason=error.code), ""
        try:
            exchange.path, exchange.query = canonical(exchange.head.target)
        except PathError as error:
            read = self._tables.as_written(exchange)
            if read is None:
                return Fate(status=error.status, reason=error.code), ""
            exchange.path, exchange.query = read
        plan = exchange.plan = self._tables.match(exchange)
        if plan is None:
            return _answered(exchange, nowhere(exchange)), ""
        path, authority = exchange.path, exchange.authority
        for each in plan.request_filters:
            verdict = each(exchange)
            if isinstance(verdict, Reply):
                return _answered(exchange, verdict), ""
        shares = self._shares.get(id(plan), ())
        if shares and all(cluster.first_pick is None for cluster, _ in shares):
            (cluster, _), *_ = shares
            return _answered(exchange, Reply(503, "no_endpoint", "UH", policy=f"service {cluster.name}")), ""
        if plan.guard is not None and (refusal := _refused_by(plan.guard, exchange, shares)) is not None:
            return _answered(exchange, refusal), ""
        sent = "" if (path, authority) == (exchange.path, exchange.authority) else _sent(exchange)
        return Fate(route=plan.route, rule=plan.rule, to=tuple(text for _, text in shares)), sent

    def _exchange(self, call: Recorded) -> Exchange:
        listener = EDGE if call.listener == "edge" else MESH
        fields = "".join(f"{name}: {value}\r\n" for name, value in call.headers)
        text = f"{call.method} {call.target} HTTP/1.1\r\nHost: {call.authority}\r\n{fields}\r\n"
        reader = RequestReader(HeadLimits(head=1 << 20, fields=1000), lines=self._lines[listener])
        head = reader.read(text.encode("latin-1"))
        if head is None:
            raise HeadError(400, "bad_request", "the recorded head is not whole")
        scheme = call.scheme.encode("ascii", "replace")
        return Exchange(head, listener, call.peer, call.at, scheme, listener_name=call.by)


class _Heard(NamedTuple):
    """A call that would fare otherwise."""

    call: Recorded
    sent_before: str
    sent_after: str


def rehearse(today: Rehearsed, proposed: Rehearsed, calls: Sequence[Recorded], node: str) -> Rehearsal:
    """calls: in order of time."""
    groups: dict[tuple[Kind, Fate, Fate], list[_Heard]] = {}
    same = 0
    for call in calls:
        (before, sent_before), (after, sent_after) = today.fate(call), proposed.fate(call)
        kind = _kind(before, after, is_sent_alike=sent_before == sent_after)
        if kind is None:
            same += call.seen
        else:
            groups.setdefault((kind, before, after), []).append(_Heard(call, sent_before, sent_after))
    differences = sorted((_difference(*key, found) for key, found in groups.items()), key=lambda each: -each.calls)
    return Rehearsal(
        gateways=[node],
        recorded=len(calls),
        calls=sum(call.seen for call in calls),
        same=same,
        from_s=calls[0].at if calls else 0.0,
        to_s=calls[-1].at if calls else 0.0,
        secrets_left_out=sum(bool(call.left_out) for call in calls),
        differences=differences[:MOST_GROUPS],
        differences_left_out=max(len(differences) - MOST_GROUPS, 0),
        callers=list(dict.fromkeys(one.call.peer for found in groups.values() for one in found))[:MOST_CALLERS],
    )


def _kind(before: Fate, after: Fate, *, is_sent_alike: bool) -> Kind | None:
    if before == after:
        return None if is_sent_alike else "changed"
    was_refused, is_refused = before.status >= 400, after.status >= 400
    if was_refused != is_refused:
        return "let_in" if was_refused else "refused"
    return "elsewhere" if before.to != after.to else "changed"


def _difference(kind: Kind, before: Fate, after: Fate, heard: Sequence[_Heard]) -> Difference:
    return Difference(
        kind=kind,
        before=before,
        after=after,
        recorded=len(heard),
        calls=sum(one.call.seen for one in heard),
        examples=some_of(_example(one) for one in heard),
    )


def _example(heard: _Heard) -> Example:
    call, sent_before, sent_after = heard
    return Example(
        at=call.at,
        caller=call.peer,
        method=call.method,
        host=call.authority,
        path=call.target,
        sent_before=sent_before,
        sent_after=sent_after,
    )


def _refused_by(guard: Guard, exchange: Exchange, shares: Shares) -> Reply | None:
    """None: at least one of the destinations may be called."""
    refusal = None
    for cluster, _ in shares:
        endpoint = cluster.forecast_pick(exchange)
        refusal = None if endpoint is None else guard.refusal(exchange, cluster.name, endpoint.key)
        if refusal is None:
            return None
    return refusal


def _answered(exchange: Exchange, reply: Reply) -> Fate:
    plan: RoutePlan | None = exchange.plan
    exchange.take_reply(reply)
    return Fate(
        route=plan.route if plan is not None else "",
        rule=plan.rule if plan is not None else "",
        status=reply.status,
        reason=reply.reason,
        document=exchange.policy,
    )


def _sent(exchange: Exchange) -> str:
    return f"{exchange.authority.decode('latin-1')}{exchange.path.decode('latin-1')}"


def _shares_of(state: State) -> dict[int, Shares]:
    """Where the calls of each plan go, by the plan's identity: the tables hold it as long as we do."""
    found: dict[int, Shares] = {}
    for route in state.routes.values():
        namespace = route.entry.namespace
        for placed in route.placed:
            destinations = route.entry.spec.rules[placed.rule].destinations
            found[id(placed.candidate.plan)] = _texts(
                state, ((destination_key(namespace, each).name, each.weight) for each in destinations)
            )
    for (namespace, service), table in state.implicit.items():
        plan = table.root.candidates[0].plan
        found.setdefault(id(plan), _texts(state, [(f"{namespace}/{service}", 1)]))
    return found


def _texts(state: State, weighted: Iterable[tuple[str, int]]) -> Shares:
    shares: dict[str, int] = {}
    for name, weight in weighted:
        if weight:
            shares[name] = shares.get(name, 0) + weight
    named, total = list(shares.items()), sum(shares.values())
    clusters = state.tables.clusters
    if len(named) == 1:
        return tuple((clusters[name], name) for name, _ in named)
    return tuple((clusters[name], f"{name} {100.0 * weight / total:.3g} %") for name, weight in named)
