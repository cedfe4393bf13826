"""Where HTTP/2 is spoken, and what a Listener says of it."""

import ssl
from typing import Any

import pytest

from gateway.exchange import MESH
from gateway.wire.http2.codec import REFUSED_STREAM
from meshway.snapshot import Change
from tests.integration.gateway.test_tls import certificate, listener, shop, trusting
from tests.parts.conditions import until
from tests.parts.http2_caller import calling, head


def speaking(*protocols: str) -> ssl.SSLContext:
    context = trusting()
    context.set_alpn_protocols(list(protocols))
    return context


def http2(name: str = "edge-tls", **fields: Any) -> Change:
    return listener(name, http2=fields)


@pytest.mark.parametrize(("offered", "spoken"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)])
async def test_by_tls_the_handshake_says_what_is_spoken(offered: list[str], spoken: str | None) -> None:
    async with shop(certificate()) as gateway:
        caller = await gateway.open_tls(speaking(*offered), "shop.example")
        session = caller.writer.get_extra_info("ssl_object")
        assert session.selected_alpn_protocol() == spoken
        caller.writer.close()


@pytest.mark.parametrize("face", [0, MESH])
async def test_a_call_by_tls_and_http_2_reaches_the_service(face: int) -> None:
    async with shop(certificate(listeners=["edge-tls", "mesh-tls"]), face=face) as gateway:
        tls = speaking("h2")
        async with calling(gateway.tls_port, tls, "shop.example") as caller:
            answer = await caller.answer(caller.begin(head(b"GET", b"/", scheme=b"https")))
            assert answer.status == (200 if face != MESH else 404)  # the mesh knows no such host
            await until(lambda: gateway.lines, what="its line")
            assert gateway.lines[-1]["protocol"] == "HTTP/2"
            other = await caller.answer(caller.begin(head(b"GET", b"/", b"other.example", b"https")))
            assert other.status in {200, 404, 421}
            assert caller.goaway is None


@pytest.mark.proves("Listener.http2", "Http2.enabled")
async def test_a_listener_may_leave_it_out() -> None:
    async with shop(certificate(), http2(enabled=False), http2("edge", enabled=False)) as gateway:
        caller = await gateway.open_tls(speaking("h2", "http/1.1"), "shop.example")
        assert caller.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        caller.writer.close()
        async with calling(gateway.port) as plain:
            plain.get(b"/")
            await plain.closed()
        gateway.apply(http2("edge"))
        async with calling(gateway.port) as plain:
            assert (await plain.answer(plain.get(b"/"))).status == 200


@pytest.mark.proves("Http2.max_streams", "Http2.stream_window", "Http2.connection_window")
async def test_a_connection_takes_as_much_at_once_as_its_listener_says() -> None:
    limits = http2("edge", max_streams=2, stream_window="100KiB", connection_window="200KiB")
    async with shop(limits) as gateway, calling(gateway.port) as caller:
        streams = [caller.begin(head(b"POST", b"/"), ended=False) for _ in range(3)]
        assert (await caller.answer(streams[2])).reset == REFUSED_STREAM
        assert caller.connection.remote_settings.initial_window_size == 100 * 1024
        assert caller.connection.outbound_flow_control_window == 200 * 1024


@pytest.mark.proves("Http2.max_requests", "Http2.max_age")
@pytest.mark.parametrize("fields", [{"max_requests": 1}, {"max_age": "1ms"}], ids=["requests", "age"])
async def test_a_connection_lasts_as_long_as_its_listener_says(fields: dict[str, Any]) -> None:
    async with shop(http2("edge", **fields)) as gateway, calling(gateway.port) as caller:
        for _ in range(2):  # what is on its way when the word comes is still served
            assert (await caller.answer(caller.get(b"/"))).status == 200
        await caller.closed()
        assert caller.goaway == 0
