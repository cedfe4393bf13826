"""What a call is told that no filter refused: nobody answers here, its body is too large, or may come now."""

from typing import Final

from gateway.exchange import MESH, Exchange, Reply
from gateway.plan import RoutePlan
from gateway.routing.path import PathError, canonical
from meshway.http1.message import NO_BODY, ResponseHead

HTTPS_PORT: Final = 443
# RFC 8555 §8.3: an authority asks for it without TLS.
_CHALLENGES: Final = b"/.well-known/acme-challenge/"


def unserved_host(policy: str) -> Reply:
    """policy: of the listener that has hosts of its own."""
    return Reply(404, "no_route", "NR", "this listener does not serve the host", policy=policy)


def to_https(exchange: Exchange, status: int, port: int, policy: str) -> Reply | None:
    """Where a listener without TLS sends its callers. None: this one is served."""
    head = exchange.head
    try:
        path, query = head.path = canonical(head.target)
    except PathError:
        return None  # whoever reads it next says why
    if path.startswith(_CHALLENGES):
        return None
    at = b"" if port == HTTPS_PORT else b":%d" % port
    location = b"Location: https://%b%b%b%b\r\n" % (exchange.host, at, path, query)
    return Reply(status, "redirect_https", "", "come by TLS", fields=location, policy=policy)


def nowhere(exchange: Exchange) -> Reply:
    """With what somebody who mistyped a name, or forgot the Route, wants to read."""
    host, path = exchange.host.decode("latin-1"), exchange.path.decode("latin-1")
    if exchange.listener == MESH and exchange.head.is_absolute and "." in host and not host.endswith(".mesh"):
        detail = (
            f"{host} is no service, and hosts outside are called by a Service with type: external and external.host: "
            f"{host} alone; meshway get services -A lists who there is"
        )
        return Reply(403, "egress_denied", "UAEX", detail)
    if exchange.listener == MESH:
        detail = f"no service or route answers to host {host} and path {path}; meshway get services -A lists who does"
    else:
        detail = (
            f"no Route exposes host {host} and path {path} at the edge; meshway get routes -A lists what is exposed"
        )
    return Reply(404, "no_route", "NR", detail)


def too_large(plan: RoutePlan) -> Reply:
    """The request's body is above the plan's max_body."""
    detail = f"rule {plan.rule} of Route {plan.route} takes request bodies of at most {plan.max_body:.0f} bytes"
    return Reply(413, "too_large", "DPE", detail)


def not_http(service: str, protocol: str) -> Reply:
    """Of what speaks tcp, tls or udp, by the word of its Service."""
    way = {"tcp": "by CONNECT on the mesh, or a TcpRoute", "tls": "by CONNECT on the mesh, or a TlsRoute"}
    detail = (
        f"{service} speaks {protocol}, and this is a call of HTTP: it is reached {way.get(protocol, 'by a UdpRoute')}"
    )
    document = service.partition("#")[0].partition(":")[0]
    return Reply(502, "not_http", "NR", detail, policy=f"Service {document}")


def go_ahead() -> ResponseHead:
    """100 (RFC 9110 §15.2.1), where the body is wanted before there is a service that could ask for it."""
    head = ResponseHead()
    head.status, head.reason, head.minor, head.block, head.body = 100, b"Continue", 1, b"", NO_BODY
    return head


def above(most: int) -> Reply:
    """The body would be held until it is whole."""
    return Reply(413, "too_large", "DPE", f"this body is held until it is whole, at most {most} bytes", close=True)
