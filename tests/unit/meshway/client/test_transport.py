"""`http://reviews/` goes to the gateway under its full name, all else where it was sent."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from meshway.client.propagation import MeshMiddleware, MeshWsgi, inbound
from meshway.client.settings import MeshSettings
from meshway.client.transport import AsyncMeshTransport, MeshTransport, ServiceTokenFile, mesh_host

SETTINGS = MeshSettings(gateway="http://gateway:8581", namespace="shop")


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("reviews", "reviews.shop.mesh"), ("Reviews", "reviews.shop.mesh"), ("reviews.b.mesh", "reviews.b.mesh"),
        ("reviews-2", "reviews-2.shop.mesh"), ("a.b.c.mesh", None), ("mesh", "mesh.shop.mesh"), (".mesh", None),
        ("x.mesh", None), ("localhost", None), ("reviews.shop", None), ("example.org", None), ("127.0.0.1", None),
        ("2130706433", None), ("::1", None), ("", None), ("-a", None), ("a" * 64, None),
    ],
)  # fmt: skip
def test_which_hosts_are_services(host: str, full: str | None) -> None:
    assert mesh_host(host, "shop") == full


class Recorder:
    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200, text=request.read().decode())

    @property
    def last(self) -> httpx.Request:
        return self.seen[-1]


def client(recorder: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=MeshTransport(SETTINGS, httpx.MockTransport(recorder)))


def test_a_call_to_a_service_keeps_path_query_and_body() -> None:
    recorder = Recorder()
    answer = client(recorder).post("http://reviews:9080/a%2Fb?x=1&y=%20", content=b"text", headers={"x-own": "1"})
    assert str(recorder.last.url) == "http://gateway:8581/a%2Fb?x=1&y=%20"
    assert recorder.last.headers["host"] == "reviews.shop.mesh"
    assert recorder.last.headers["x-own"] == "1"
    assert answer.text == "text"
    assert answer.request.url == "http://reviews:9080/a%2Fb?x=1&y=%20"


def test_other_hosts_go_out_unchanged_and_get_no_trace() -> None:
    recorder = Recorder()
    with_inbound(
        [(b"traceparent", b"00-1-2-01"), (b"meshway-deadline", b"1000")],
        lambda: client(recorder).get("https://example.org/x"),
    )
    assert str(recorder.last.url) == "https://example.org/x"
    assert recorder.last.headers["host"] == "example.org"
    assert "traceparent" not in recorder.last.headers
    assert "meshway-deadline" not in recorder.last.headers


def test_https_to_a_service_is_refused_with_the_mend() -> None:
    with pytest.raises(httpx.UnsupportedProtocol, match="call http://reviews/"):
        client(Recorder()).get("https://reviews/")


def with_inbound(headers: list[tuple[bytes, bytes]], work: Callable[[], object]) -> None:
    """Runs work as if inside a request with these headers, through the ASGI middleware."""

    async def app(scope: object, receive: object, send: object) -> None:
        work()

    scope = {"type": "http", "headers": headers}
    coroutine = MeshMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_trace_request_id_and_the_time_left_go_along() -> None:
    recorder = Recorder()
    headers = [
        (b"traceparent", b"00-1-2-01"), (b"tracestate", b"a=b"), (b"x-request-id", b"r-1"),
        (b"meshway-deadline", b"1500"), (b"meshway-criticality", b"sheddable"), (b"cookie", b"secret"),
    ]  # fmt: skip
    with_inbound(headers, lambda: client(recorder).get("http://reviews/"))
    sent = recorder.last.headers
    assert (sent["traceparent"], sent["tracestate"], sent["x-request-id"]) == ("00-1-2-01", "a=b", "r-1")
    assert sent["meshway-criticality"] == "sheddable"
    assert "cookie" not in sent
    assert 1000 < int(sent["meshway-deadline"]) <= 1500
    assert recorder.last.extensions["timeout"]["read"] <= 1.75
    assert inbound().headers == ()


def test_a_header_the_program_sets_wins() -> None:
    recorder = Recorder()
    with_inbound(
        [(b"x-request-id", b"r-1")], lambda: client(recorder).get("http://reviews/", headers={"x-request-id": "mine"})
    )
    assert recorder.last.headers["x-request-id"] == "mine"


def test_when_no_time_is_left_nothing_is_sent() -> None:
    recorder = Recorder()

    def late() -> None:
        with pytest.raises(httpx.ReadTimeout, match="deadline"):
            client(recorder).get("http://reviews/")

    with_inbound([(b"meshway-deadline", b"0")], late)
    assert recorder.seen == []


@pytest.mark.parametrize("value", [b"soon", b"-5", b"1.5", b"", b"9" * 30, "٣".encode()])
def test_a_deadline_that_is_no_number_is_none(value: bytes) -> None:
    with_inbound([(b"meshway-deadline", value)], lambda: inbound().ends_at is None or pytest.fail("read"))


async def test_the_awaiting_transport_does_the_same() -> None:
    recorder = Recorder()
    async with httpx.AsyncClient(transport=AsyncMeshTransport(SETTINGS, httpx.MockTransport(recorder))) as http:
        await http.get("http://reviews.other.mesh/7")
    assert str(recorder.last.url) == "http://gateway:8581/7"
    assert recorder.last.headers["host"] == "reviews.other.mesh"


def test_wsgi_requests_are_noted_too() -> None:
    found = []

    def app(environ: object, start_response: object) -> list[bytes]:
        found.append(inbound())
        return [b""]

    environ = {"HTTP_X_REQUEST_ID": "r-9", "HTTP_MESHWAY_DEADLINE": "2000", "HTTP_COOKIE": "x"}
    MeshWsgi(app)(environ, lambda *_: None)
    assert found[0].headers == (("x-request-id", "r-9"),)
    assert found[0].ends_at is not None
    assert 1.5 < found[0].ends_at - time.monotonic() <= 2.0
    MeshWsgi(app)({}, lambda *_: None)
    assert found[1].headers == ()


def test_a_service_token_goes_to_gateways_and_another_token_nowhere(tmp_path: Path) -> None:
    recorder, file = Recorder(), tmp_path / "service.token"
    settings = msgspec.structs.replace(SETTINGS, token_file=file)

    def sent(text: str, url: str = "http://reviews/") -> str | None:
        file.write_text(text)
        with httpx.Client(transport=MeshTransport(settings, httpx.MockTransport(recorder))) as calling:
            calling.get(url)
        token: str | None = recorder.last.headers.get("meshway-token")
        return token

    assert sent("head.body.signature\n") == "head.body.signature"
    assert sent("head.body.signature", "https://example.org/") is None
    assert sent("mwt_abcdefgh_" + "A" * 43) is None


def test_a_token_is_read_anew_within_a_second_and_a_lost_file_ends_no_call(tmp_path: Path) -> None:
    file, clock = tmp_path / "service.token", [100.0]
    token = ServiceTokenFile(file, lambda: clock[0])
    assert token.read() == ""
    file.write_text("a.b.c")
    assert token.read() == ""
    clock[0] += 1.0
    assert token.read() == "a.b.c"
    file.unlink()
    clock[0] += 1.0
    assert token.read() == ""
    assert ServiceTokenFile(None).read() == ""
