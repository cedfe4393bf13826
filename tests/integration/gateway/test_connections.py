"""How long a connection to a service may take, lie idle and live, and what is told on it."""

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import pytest

from gateway.exchange import MESH
from gateway.upstream.cluster_settings import OpeningSettings
from meshway.formats.conversion import convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents
from meshway.tasks import spawn
from tests.integration.gateway.test_decisions import saying, services
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.wire import Caller, ScriptedUpstream

ROUTE = document("Route", "r", edge_route(to("books")))


def connected(**fields: Any) -> Any:
    return document("TrafficPolicy", "p", {"connection": fields})


@contextmanager
def deaf_port() -> Iterator[int]:
    """Whoever connects there hears nothing: what may wait to be accepted does already (Linux drops the others' SYN)."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize(("timeout", "status"), [("30ms", 502), ("60s", 504)])
@pytest.mark.proves("TrafficPolicy.connection", "Connection.connect_timeout")
async def test_a_connection_that_does_not_come_about_is_waited_for_no_longer(timeout: str, status: int) -> None:
    route = document("Route", "r", edge_route(to("books", timeouts={"deadline": "500ms"}, retry={"max_retries": 0})))
    with deaf_port() as port:
        books = running("books", "1", port=port)
        async with compiled_gateway(books, route, connected(connect_timeout=timeout)) as gateway:
            assert (await gateway.ask())[0] == status


def idle(gateway: CompiledGateway) -> list[Any]:
    (endpoint,) = gateway.compiler.tables.clusters["default/books"].endpoints
    return endpoint.idle


async def connections_of_two_calls(policy: Any, between_s: float = 0.0) -> list[int]:
    """Which connections two calls had, one after the other."""
    one = saying("1")
    async with services(one) as books, compiled_gateway(*books, ROUTE, policy) as gateway:
        assert (await gateway.ask())[0] == 200
        if between_s:
            before = list(idle(gateway))
            gateway.leap(between_s)
            await asyncio.sleep(0.05)  # five beats of the gateway
            assert len(before) == 1
        assert (await gateway.ask())[0] == 200
    return [received.connection for received in one.requests]


@pytest.mark.parametrize(("timeout", "connections"), [("10s", [0, 1]), ("60s", [0, 0]), (None, [0, 1])])
@pytest.mark.proves("Connection.idle_timeout")
async def test_a_connection_is_kept_no_longer_than_it_may_lie_idle(timeout: str | None, connections: list[int]) -> None:
    policy = connected(**({"idle_timeout": timeout} if timeout else {}))
    assert await connections_of_two_calls(policy, between_s=20.0) == connections


@pytest.mark.parametrize(("most", "connections"), [(1, [0, 1]), (2, [0, 0]), (0, [0, 0]), (None, [0, 0])])
@pytest.mark.proves("Connection.max_requests")
async def test_a_connection_serves_no_more_calls_than_it_may(most: int | None, connections: list[int]) -> None:
    assert await connections_of_two_calls(connected(**({} if most is None else {"max_requests": most}))) == connections


UPGRADE = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    while data := await reader.read(100):
        writer.write(data)


@pytest.mark.parametrize(("idle_timeout", "is_cut"), [("10s", True), ("60s", False), ("0s", False), (None, False)])
@pytest.mark.proves("Timeouts.upgraded_idle")
async def test_an_upgraded_connection_may_be_silent_for_its_own_time(idle_timeout: str | None, is_cut: bool) -> None:
    times = {"upgraded_idle": idle_timeout} if idle_timeout else {}
    route = document("Route", "r", edge_route(to("books", timeouts=times)))
    upstream = ScriptedUpstream(echo)
    async with upstream.running(), compiled_gateway(running("books", "1", port=upstream.port), route) as gateway:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(UPGRADE)
        assert b"101 Switching" in await caller.head()
        caller.send(b"hello")
        assert await caller.exactly(5) == b"hello"
        gateway.leap(20.0)
        if is_cut:
            with pytest.raises(ConnectionResetError):  # a plain close would look like its end
                await caller.rest()
        else:
            await asyncio.sleep(0.05)  # five beats of the gateway
            caller.send(b"again")
            assert await caller.exactly(5) == b"again"
        caller.writer.close()


@pytest.mark.parametrize(("age", "connections"), [("10s", [0, 1]), ("60s", [0, 0]), ("0s", [0, 0]), (None, [0, 0])])
@pytest.mark.proves("Connection.max_age")
async def test_no_call_begins_on_a_connection_that_is_too_old(age: str | None, connections: list[int]) -> None:
    policy = connected(idle_timeout="1h", **({"max_age": age} if age else {}))
    assert await connections_of_two_calls(policy, between_s=20.0) == connections


async def test_a_call_is_not_cut_by_the_age_of_its_connection() -> None:
    go_on = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlo")
        await go_on.wait()
        writer.write(b"ng")
        await reader.read()

    upstream = ScriptedUpstream(answer)
    async with upstream.running():
        changes = [running("books", "1", port=upstream.port), ROUTE, connected(max_age="10s")]
        async with compiled_gateway(*changes) as gateway:
            caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
            caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            await caller.head()
            assert await caller.exactly(2) == b"lo"
            gateway.leap(20.0)
            go_on.set()
            assert await caller.exactly(2) == b"ng"
            await until(lambda: not upstream.open, what="the old connection's end")
            caller.writer.close()


SO_ATTACH_FILTER: Final = 26
DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0 bytes of every packet


def fall_silent(writer: asyncio.StreamWriter) -> None:
    """As a machine that lost its power: whatever comes is dropped, even by the kernel."""
    program = ctypes.create_string_buffer(DROP_ALL)
    told = struct.pack("HL", 1, ctypes.addressof(program))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)


QUICKLY: Final = {"time": "1s", "interval": "1s", "probes": 1}
KEEPALIVES: Final[list[tuple[dict[str, Any] | None, int]]] = [
    (QUICKLY, 502),
    (QUICKLY | {"time": "0s"}, 504),
    (QUICKLY | {"time": "1h"}, 504),
    (QUICKLY | {"interval": "1h"}, 504),
    (QUICKLY | {"probes": 100}, 504),
    (None, 504),
]


@pytest.mark.skipif(sys.platform != "linux", reason="another system drops in another way")
@pytest.mark.proves("Connection.tcp_keepalive", "TcpKeepalive.time", "TcpKeepalive.interval", "TcpKeepalive.probes")
async def test_who_has_fallen_silent_is_probed_and_given_up() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        fall_silent(writer)
        await asyncio.Event().wait()

    upstream = ScriptedUpstream(swallow)
    async with upstream.running():
        changes = []
        for at, (keepalive, _) in enumerate(KEEPALIVES):
            blocks = {} if keepalive is None else {"connection": {"tcp_keepalive": keepalive}}
            policy = {"targets": [{"service": f"s{at}"}], "timeouts": {"deadline": "4s"}, "retry": {"max_retries": 0}}
            changes += [
                running(f"s{at}", "1", port=upstream.port),
                document("TrafficPolicy", f"s{at}", policy | blocks),
            ]
        async with compiled_gateway(*changes, face=MESH) as gateway:
            calls = (gateway.ask(host=f"s{at}") for at in range(len(KEEPALIVES)))
            assert [status for status, _, _ in await asyncio.gather(*calls)] == [status for _, status in KEEPALIVES]


async def tell_caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what was said before the request, which may be nothing."""
    while True:
        said = await reader.readexactly(4)
        if said == b"PROX":
            said += await reader.readuntil(b"\n")
        elif said == b"\r\n\r\n":
            said += await reader.readexactly(12)
            said += await reader.readexactly(int.from_bytes(said[14:16]))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith((b"GET", b"/ HTTP")):
            said = b"not understood"
        told = said if said != b"GET " else b"nothing"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


@asynccontextmanager
async def telling(**fields: Any) -> AsyncIterator[tuple[CompiledGateway, ScriptedUpstream, Caller]]:
    upstream = ScriptedUpstream(tell_caller)
    async with upstream.running():
        changes = [running("books", "1", port=upstream.port), ROUTE, connected(**fields)]
        async with compiled_gateway(*changes) as gateway:
            caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
            yield gateway, upstream, caller
            caller.writer.close()


async def told_of(caller: Caller) -> bytes:
    caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    return (await caller.answer())[2]


@pytest.mark.parametrize("version", ["v1", "v2", "off", None])
@pytest.mark.proves("Connection.proxy_protocol")
async def test_a_service_is_told_who_calls_before_the_request(version: str | None) -> None:
    async with telling(**({} if version is None else {"proxy_protocol": version})) as (gateway, upstream, caller):
        here, there = (caller.writer.get_extra_info(name)[1] for name in ("sockname", "peername"))
        assert there == gateway.port
        told = {
            "v1": f"PROXY TCP4 127.0.0.1 127.0.0.1 {here} {there}\r\n".encode(),
            "v2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([127, 0, 0, 1] * 2) + struct.pack("!HH", here, there),
        }.get(str(version), b"nothing")
        assert [await told_of(caller) for _ in range(2)] == [told] * 2
        assert len(upstream.received) == (1 if told == b"nothing" else 2), "a connection tells of one caller"


async def test_no_connection_outlives_a_change_of_what_is_said_on_it() -> None:
    async with telling() as (gateway, upstream, caller):
        for version, begins in ((None, b"nothing"), ("v1", b"PROXY TCP4"), ("off", b"nothing"), ("v2", b"\r\n\r\n\0")):
            gateway.apply(connected(**({} if version is None else {"proxy_protocol": version})))
            for _ in range(2):
                assert (await told_of(caller)).startswith(begins)
        assert len(upstream.received) == 1 + 2 + 1 + 2


@pytest.mark.parametrize(("version", "said"), [("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")])
async def test_a_copy_of_a_call_names_no_caller(version: str, said: bytes) -> None:
    shadow = ScriptedUpstream(tell_caller)
    rule = to("books", mirror=[{"destination": {"service": "shadow"}}])
    policy = document(
        "TrafficPolicy", "p", {"targets": [{"service": "shadow"}], "connection": {"proxy_protocol": version}}
    )
    async with shadow.running(), services(saying("1")) as books:
        changes = [running("shadow", "1", port=shadow.port), document("Route", "r", edge_route(rule)), policy]
        async with compiled_gateway(*books, *changes) as gateway:
            assert (await gateway.ask())[2] == "1"
            await until(lambda: shadow.received and shadow.received[0].startswith(said), what="the copy")


async def test_a_call_under_way_takes_no_old_connection_through_a_change() -> None:
    go_on = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"/wait" in head:
                await go_on.wait()
            told = b"named" if head.startswith(b"PROXY ") else b"plain"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + told)

    upstream = ScriptedUpstream(answer)
    async with (
        upstream.running(),
        compiled_gateway(running("books", "1", port=upstream.port), ROUTE) as gateway,
    ):
        waiting = spawn(gateway.ask("/wait"), name="call under way")
        await until(lambda: upstream.received and b"/wait" in upstream.received[0], what="the call")
        gateway.apply(connected(proxy_protocol="v1"))
        go_on.set()
        assert (await waiting)[2] == "plain"
        assert [(await gateway.ask())[2] for _ in range(2)] == ["named"] * 2


@pytest.mark.parametrize(("own", "other", "said"), [("off", "v1", "PROXY TCP4"), ("v1", "off", "nothing")])
async def test_who_stands_in_is_called_as_its_own_policy_says(own: str, other: str, said: str) -> None:
    spare = ScriptedUpstream(tell_caller)
    policies = [
        document(
            "TrafficPolicy", name, {"targets": [{"service": name}], "connection": {"proxy_protocol": version}} | more
        )
        for name, version, more in (("books", own, {"failover": [{"service": "spare"}]}), ("spare", other, {}))
    ]
    async with (
        spare.running(),
        compiled_gateway(running("spare", "1", port=spare.port), ROUTE, *policies) as gateway,
    ):
        for _ in range(2):
            assert (await gateway.ask())[2].startswith(said)


async def test_an_imported_policy_names_the_caller_too() -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: told, namespace: default}
spec:
  host: books
  trafficPolicy:
    proxyProtocol: {version: V2}
    connectionPool: {tcp: {maxConnectionDuration: 30m, tcpKeepalive: {time: 2h, interval: 75s, probes: 9}}}
"""
    conversion = convert(read_documents(text, "told.yaml"), "default", Options())
    assert (conversion.errors, conversion.refused) == ([], [])
    (rule,) = conversion.documents
    upstream = ScriptedUpstream(tell_caller)
    async with upstream.running():
        changes = [running("books", "1", port=upstream.port), ROUTE, document("TrafficPolicy", "p", rule.raw["spec"])]
        async with compiled_gateway(*changes) as gateway:
            cluster = gateway.compiler.tables.clusters["default/books"]
            assert cluster.opening == OpeningSettings(1800.0, (7200, 75, 9), 2)
            caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
            assert (await told_of(caller)).startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11")
            caller.writer.close()
