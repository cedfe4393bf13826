"""Which route a request is for."""

from registry.machine.request import Reply, Request
from registry.machine.routes import Routes


def _handler(_: Request) -> Reply:
    return Reply(200)


def _other(_: Request) -> Reply:
    return Reply(201)


def _routes() -> Routes:
    return Routes(
        [
            ("GET", "/v1/namespaces/{namespace}/services/{service}", _handler),
            ("PUT", "/v1/namespaces/{namespace}/services/{service}", _other),
            ("POST", "/v1/answers/{id}", _handler),
            ("POST", "/v1/reports", _handler),
        ]
    )


def _find(method: str, path: str) -> object:
    return _routes().find(method, tuple(path.split("/")[1:]))


def test_literals_and_methods_must_agree_and_braces_take_one_segment() -> None:
    assert _find("GET", "/v1/namespaces/default/services/books") is _handler
    assert _find("PUT", "/v1/namespaces/default/services/books") is _other
    assert _find("POST", "/v1/reports") is _handler
    assert _find("GET", "/v1/reports") is None
    assert _find("GET", "/v1/namespaces/default/routes/books") is None
    assert _find("GET", "/v1/namespaces/default/services/books/x") is None


def test_an_empty_segment_is_no_name() -> None:
    assert _find("GET", "/v1/namespaces//services/books") is None
    assert _find("POST", "/v1/answers/") is None
    assert _find("POST", "/v1/reports/") is None


def test_what_no_row_takes_goes_to_the_family_whatever_its_method() -> None:
    routes = _routes()
    routes.add([("GET", "/v1/agent/{id}", _handler)], {"/v1/agent": _other, "/eureka": _other})
    assert routes.find("GET", ("v1", "agent", "self")) is _handler
    assert routes.find("PUT", ("v1", "agent", "self")) is _other
    assert routes.find("PUT", ("v1", "agent")) is _other
    assert routes.find("GET", ("eureka", "apps", "a", "b")) is _other
    assert routes.find("GET", ("v1", "reports", "x")) is None
