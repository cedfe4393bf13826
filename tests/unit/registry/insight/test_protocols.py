import pytest

from meshway.model.connection_route import TcpRoute
from meshway.model.document import Destination, Document, Metadata, Spec
from meshway.model.listener import Http3, Listener
from meshway.model.route import Route, Rule, RuleDestination
from meshway.model.service import Service, ServicePort
from meshway.model.udp_route import UdpRoute
from meshway.model.websocket import WebSocket
from registry.insight.protocols import Protocol, documented, open_now, protocols_of
from registry.view.rows import DocumentRow


def document_row(namespace: str, name: str, spec: Spec) -> DocumentRow:
    document = Document(kind=type(spec).__name__, metadata=Metadata(name=name, namespace=namespace), spec={})
    return DocumentRow(document, spec, 1, 0.0, 0.0, "lin", b"{}")


def test_what_a_service_speaks_is_told_by_its_ports_and_by_the_routes_of_bytes_that_lead_to_it() -> None:
    to = (Destination(service="db"), Destination(service="dns", namespace="net"))
    rows = [
        document_row("shop", "search", Service(ports=(ServicePort(name="rpc", port=1, protocol="grpc"),))),
        document_row("shop", "web", Service(ports=(ServicePort(name="http", port=1),))),
        document_row("shop", "bytes", TcpRoute(listeners=("db",), destinations=to[:1])),
        document_row("shop", "names", UdpRoute(listeners=("dns",), destinations=to[1:])),
    ]
    assert protocols_of(documented(rows), []) == {"shop/search": ("grpc",), "shop/db": ("tcp",), "net/dns": ("udp",)}


def test_an_instance_says_it_where_no_document_does_and_what_is_not_known_is_not_told() -> None:
    rows = [document_row("shop", "search", Service(ports=(ServicePort(name="rpc", port=1, protocol="grpc"),)))]
    registered = [("shop/search", "http"), ("shop/rank", "http2"), ("shop/web", "http"), ("shop/old", "carrier-pigeon")]
    assert protocols_of(documented(rows), registered) == {"shop/search": ("grpc",), "shop/rank": ("http2",)}


def route(service: str, *listeners: str, websocket: WebSocket | None = None) -> Route:
    rule = Rule(destinations=(RuleDestination(service=service),), websocket=websocket)
    return Route(listeners=listeners or ("edge",), rules=(rule,))


def test_a_rule_with_a_websocket_block_says_that_messages_are_carried_beside_calls() -> None:
    rows = [
        document_row("shop", "chat", route("chat", websocket=WebSocket())),
        document_row("shop", "web", route("web", websocket=WebSocket(allow=False))),
        document_row("shop", "chat", Service()),
    ]
    assert protocols_of(documented(rows), [("shop/chat", "http")]) == {"shop/chat": ("http", "websocket")}


@pytest.mark.parametrize(
    ("listener", "served"),
    [
        (("edge-tls", Listener(http3=Http3(enabled=True))), {"shop/any", "shop/named"}),
        (("edge-tls", Listener(http3=Http3())), set()),
        (("phones", Listener(port=443, protocol="http3")), {"shop/any", "shop/phones"}),
        (("phones", Listener(port=443, protocol="http3", routes="named")), {"shop/phones"}),
        (("phones", Listener(port=443, protocol="http3", enabled=False)), set()),
    ],
)
def test_http3_is_spoken_to_what_routes_of_a_listener_that_has_it_lead_to(
    listener: tuple[str, Listener], served: set[str]
) -> None:
    rows = [
        document_row("shop", "any", route("any")),
        document_row("shop", "named", route("named", "edge-tls")),
        document_row("shop", "phones", route("phones", "phones")),
        document_row("shop", "inside", route("inside", "mesh")),
        document_row("mesh", *listener),
    ]
    assert documented(rows).by_http3 == served


def test_what_is_open_is_told_of_services_that_carry_more_than_calls() -> None:
    spoken: dict[str, tuple[Protocol, ...]] = {"shop/db": ("tcp",), "shop/search": ("http2",)}
    in_flight = [{"shop/db": 2, "shop/search": 5, "shop/web": 1}, {"shop/db": 1}]
    assert open_now(spoken, in_flight) == {"shop/db": 3}
