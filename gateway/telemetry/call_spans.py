"""The spans of a call that is over: one of the gateway's own, and one for each attempt.

Only for calls that are traced, so what is made here costs the others nothing. Source: OpenTelemetry's semantic
conventions for HTTP spans.
"""

from collections.abc import Mapping
from random import getrandbits

from gateway.exchange import EDGE, Exchange
from gateway.telemetry.call_plan import has_failed
from meshway.call_lines import MOST_TEXT
from meshway.http1.b3 import b3_trace
from meshway.spans import Attribute, Span, SpanEvent


def spans_of(
    exchange: Exchange, ended: float, wall_offset: float, attributes: Mapping[str, str], source: str
) -> list[Span]:
    """ended: seconds of the worker's clock; wall_offset: from there to 1970's. attributes: of every span."""
    _, trace_id, sent_id, _ = exchange.traceparent.decode("ascii").split("-")
    server_id = f"{getrandbits(64) or 1:016x}"
    method = exchange.method.decode("latin-1")
    plan, cluster = exchange.plan, exchange.cluster
    route = plan.route if plan is not None else ""
    failed = has_failed(exchange.status, exchange.flag)
    own: dict[str, Attribute] = {
        **attributes,
        "http.request.method": method,
        "url.path": exchange.path[:MOST_TEXT].decode("latin-1"),
        "url.scheme": exchange.scheme.decode("ascii"),
        "server.address": exchange.host[:MOST_TEXT].decode("latin-1"),
        "client.address": exchange.peer,
        "http.response.status_code": exchange.status,
        "http.request.body.size": exchange.bytes_in,
        "http.response.body.size": exchange.bytes_out,
        "meshway.listener": "edge" if exchange.listener == EDGE else "mesh",
        "meshway.route": route,
        "meshway.rule": plan.rule if plan is not None else "",
        "meshway.source": source,
        "meshway.request_id": exchange.request_id.decode("latin-1"),
    }
    if cluster is not None:
        own["meshway.service"] = cluster.name
    if exchange.grpc_code >= 0:
        own["rpc.system"] = "grpc"
        own["rpc.grpc.status_code"] = exchange.grpc_code
    if exchange.flag:
        own["meshway.response_flag"] = exchange.flag
    if exchange.reason:
        own["error.type" if failed else "meshway.reason"] = exchange.reason
    events = _decisions(exchange, ended + wall_offset)
    server = Span(
        trace_id=trace_id,
        span_id=server_id,
        parent_id=_parent_of(exchange, trace_id),
        name=f"{method} {route}" if route else method,
        kind="server",
        began_s=exchange.started + wall_offset,
        ended_s=ended + wall_offset,
        error=failed,
        attributes=own,
        events=tuple(events),
    )
    return [server, *_attempts(exchange, ended, wall_offset, attributes, server, sent_id)]


def _decisions(exchange: Exchange, at_s: float) -> list[SpanEvent]:
    """Whose word an answer of our own is: a limit's, a breaker's, a policy's."""
    if not exchange.policy:
        return []
    about: dict[str, Attribute] = {
        "policy": exchange.policy,
        "reason": exchange.reason,
        "detail": exchange.detail[:MOST_TEXT],
    }
    return [SpanEvent(name="answered by policy", at_s=at_s, attributes=about)]


def _parent_of(exchange: Exchange, trace_id: str) -> str:
    """The span of the caller, where he brought one of this trace."""
    head = exchange.head
    parts = head.traceparent.decode("latin-1").split("-") if head.traceparent else []
    if len(parts) >= 4 and parts[1] == trace_id:
        return parts[2]
    brought = b3_trace(head.named)
    return brought[1].decode("ascii") if brought is not None and brought[0].decode("ascii") == trace_id else ""


def _attempts(
    exchange: Exchange, ended: float, wall_offset: float, attributes: Mapping[str, str], server: Span, sent_id: str
) -> list[Span]:
    """An attempt that was followed by another is taken to have ended there. All carry the parent id that was sent to
    services in their name; only one span can have it: the last."""
    if exchange.endpoint is None:
        return []
    tried = exchange.tried
    if len(tried) < exchange.attempts:
        tried += (exchange.endpoint,)
    begins = (exchange.started, *exchange.retried_at)
    spans = []
    for number, (endpoint, began) in enumerate(zip(tried, begins, strict=False), 1):
        is_last = number == len(tried)
        service = f"{endpoint.key[0]}/{endpoint.key[1]}"
        about: dict[str, Attribute] = {
            **attributes,
            "http.request.method": server.attributes["http.request.method"],
            "meshway.service": service,
            "meshway.instance": endpoint.id,
            "meshway.attempt": number,
        }
        events = []
        if is_last:
            about["http.response.status_code"] = exchange.status
            if exchange.first_byte:
                events.append(SpanEvent(name="first byte", at_s=exchange.first_byte + wall_offset))
        else:
            events.append(SpanEvent(name="tried again", at_s=begins[number] + wall_offset))
        spans.append(
            Span(
                trace_id=server.trace_id,
                span_id=sent_id if is_last else f"{getrandbits(64) or 1:016x}",
                parent_id=server.span_id,
                name=f"{server.attributes['http.request.method']} {service}",
                kind="client",
                began_s=began + wall_offset,
                ended_s=(ended if is_last else begins[number]) + wall_offset,
                error=server.error if is_last else True,
                attributes=about,
                events=tuple(events),
            )
        )
    return spans
