from meshway.model.connection_route import TcpRoute
from meshway.model.document import Destination, Document, Metadata, Spec
from meshway.model.service import Service, ServicePort
from meshway.model.udp_route import UdpRoute
from registry.insight.protocols import protocols_of
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
    assert protocols_of(rows, []) == {"shop/search": ("grpc",), "shop/db": ("tcp",), "net/dns": ("udp",)}


def test_an_instance_says_it_where_no_document_does_and_what_is_not_known_is_not_told() -> None:
    rows = [document_row("shop", "search", Service(ports=(ServicePort(name="rpc", port=1, protocol="grpc"),)))]
    registered = [("shop/search", "http"), ("shop/rank", "http2"), ("shop/web", "http"), ("shop/old", "carrier-pigeon")]
    assert protocols_of(rows, registered) == {"shop/search": ("grpc",), "shop/rank": ("http2",)}
