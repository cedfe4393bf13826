"""ConnectionPoolSettings and OutlierDetection of a DestinationRule to bulkhead, connection and outlier_detection."""

from typing import Final

from meshway.formats.foreign import At, Block
from meshway.formats.native import Tree, put
from meshway.units import parse_duration

_MAX_EJECTION_S: Final = 300.0


def connection_pool(block: Block, spec: Tree) -> None:
    """Writes the blocks of a TrafficPolicy."""
    bulkhead: Tree = {}
    connection: Tree = {}
    if tcp := block.block("tcp"):
        put(bulkhead, "max_connections", tcp.number("maxConnections"))
        put(connection, "connect_timeout", tcp.duration("connectTimeout"))
        put(connection, "max_age", tcp.duration("maxConnectionDuration"))
        put(connection, "idle_timeout", tcp.duration("idleTimeout"))
        if keepalive := tcp.block("tcpKeepalive"):
            put(connection, "tcp_keepalive.probes", keepalive.number("probes"))
            put(connection, "tcp_keepalive.time", keepalive.duration("time"))
            put(connection, "tcp_keepalive.interval", keepalive.duration("interval"))
            keepalive.close()
        tcp.close()
    if http := block.block("http"):
        _http(http, bulkhead, connection)
    block.close()
    if bulkhead:
        bulkhead["scope"] = At("gateway", block.origin)
        reason = "are counted by each gateway host, as Istio counts by each proxy; scope: mesh shares one number"
        block.findings.warn(block.origin, f"limits {reason}", "counted_per_gateway")
    put(spec, "bulkhead", bulkhead)
    put(spec, "connection", connection)


def _http(block: Block, bulkhead: Tree, connection: Tree) -> None:
    put(bulkhead, "max_pending", block.number("http1MaxPendingRequests"))
    put(bulkhead, "max_requests", block.number("http2MaxRequests"))
    put(connection, "max_requests", block.number("maxRequestsPerConnection"))
    put(connection, "idle_timeout", block.duration("idleTimeout"))
    put(connection, "max_streams", block.number("maxConcurrentStreams"))
    protocol = block.choice("h2UpgradePolicy", {"DEFAULT": "auto", "DO_NOT_UPGRADE": "http1", "UPGRADE": "http2"})
    put(connection, "http", protocol)
    block.ignore("maxRetries", "the retry budget holds: retry.budget")
    if (follows := block.flag("useClientProtocol")) is not None:
        if follows.value:
            block.findings.refuse(follows.origin, "the protocol is the service's, not the caller's: h2UpgradePolicy")
        else:
            block.findings.warn(follows.origin, "is ignored: false is how it is")
    block.refuse("http2KeepAlive", "idle connections are closed by idleTimeout and watched by tcpKeepalive")
    block.close()


def outlier_detection(block: Block, spec: Tree) -> None:
    told: Tree = {}
    put(told, "consecutive_gateway_failures", block.number("consecutiveErrors"))
    local = block.number("consecutiveLocalOriginFailures")
    put(told, "consecutive_gateway_failures", local)
    gateway = block.number("consecutiveGatewayErrors")
    put(told, "consecutive_gateway_failures", gateway)
    if local is not None and gateway is not None:
        reason = "is ignored: connect failures are counted with the gateway errors, in consecutiveGatewayErrors"
        block.findings.warn(local.origin, reason)
    put(told, "consecutive_5xx", block.number("consecutive5xxErrors"))
    block.ignore("splitExternalLocalOriginErrors", "connect failures are counted with the gateway errors")
    block.ignore("interval", "each answer is judged when it comes, not on a sweep")
    base = block.duration("baseEjectionTime")
    put(told, "base_ejection", base)
    if base is not None and parse_duration(base.value) > _MAX_EJECTION_S:
        put(told, "max_ejection", base)
    put(told, "max_ejection_percent", block.number("maxEjectionPercent"))
    if (healthy := block.number("minHealthPercent")) is not None:
        put(spec, "panic.when_healthy_below_percent", healthy)
        if healthy.value:
            put(spec, "panic.action", At("use_suspects", healthy.origin))
    counted = "502, 503 and 504 are counted as gateway failures, all of 5xx by consecutive5xxErrors"
    block.refuse("outlierDetectionHttpErrorCodes", counted)
    block.close()
    put(spec, "outlier_detection", told)
