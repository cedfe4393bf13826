"""The metrics of gRPC, of datagrams and of upgraded calls: each is told by a real gateway, and says what was done."""

from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
from websockets.asyncio.server import serve

from tests.end_to_end.gateway.test_telemetry import OF_OTHER_PROTOCOLS, metrics
from tests.end_to_end.gateway.test_websocket_reload import begin, talk
from tests.integration.gateway.test_websocket import echo
from tests.parts.changes import document, gone, running, to
from tests.parts.conditions import NeverTrueError, until, until_told
from tests.parts.datagrams import DatagramService, Sources, named
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.grpc_books import books
from tests.parts.ports import free_port

# By name and labels.
DONE: dict[tuple[object, ...], float] = {
    ("meshway_grpc_answers_total", ("code", "OK"), ("service", "default/books")): 2,
    ("meshway_grpc_answers_total", ("code", "UNAVAILABLE"), ("service", "default/books")): 1,
    ("meshway_udp_sessions", ("listener", "game")): 1,
    ("meshway_udp_datagrams_total", ("direction", "in"), ("listener", "game")): 3,
    ("meshway_udp_datagrams_total", ("direction", "out"), ("listener", "game")): 3,
    ("meshway_udp_datagrams_dropped_total", ("listener", "game"), ("reason", "source")): 1,
    ("meshway_upgraded_connections",): 2,
    ("meshway_websocket_messages_total", ("from", "caller")): 1,  # of the one that is over
    ("meshway_websocket_messages_total", ("from", "service")): 1,
}
REVOKED = ("meshway_connections_revoked_total", ("reason", "no_route"))


async def call_grpc(gateway: GatewayProcess) -> None:
    address = f"127.0.0.1:{gateway.settings['mesh_port']}"
    options = [("grpc.default_authority", "books.default.mesh"), ("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        for message, code in ((b"a", "OK"), (b"b", "OK"), (b"code 14", "UNAVAILABLE")):
            call = channel.unary_unary("/shop.Books/Echo")(message, timeout=20)
            assert (await call.code()).name == code


async def test_every_metric_of_another_protocol_is_told_and_says_the_truth(tmp_path: Path) -> None:
    assert {name for name, *_ in (*DONE, REVOKED)} == OF_OTHER_PROTOCOLS
    game, port = DatagramService(named(b"game")), free_port()
    async with Feed() as feed, books() as service, serve(echo, "127.0.0.1", 0, compression=None) as chat:
        udp = {"listeners": ["game"], "destinations": [{"service": "game"}], "per_source": 1}
        http2 = {"targets": [{"service": "books"}], "connection": {"http": "http2"}}
        chatting = {"listeners": ["mesh"], "hosts": ["chat"], "rules": [to("chat", websocket={})]}
        for change in (
            running("books", "b1", port=service.port),
            document("TrafficPolicy", "http2", http2),
            running("game", "g1", port=game.port),
            document("Listener", "game", {"port": port, "protocol": "udp"}, "mesh"),
            document("UdpRoute", "game", udp),
            running("chat", "c1", port=chat.sockets[0].getsockname()[1]),
            document("Route", "chat", chatting),
        ):
            feed.commit(change)
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
            await until(lambda: "Listener mesh/game" in gateway.text(), what="the listener of datagrams")
            await call_grpc(gateway)
            conversations = [await begin(gateway.settings["mesh_port"]) for _ in range(3)]
            await talk(conversations)
            conversations.pop()[1].close()
            try:
                with Sources(("127.0.0.1", port)) as sources:
                    first, second = sources.one(), sources.one()
                    for _ in range(3):
                        await first.ask(b"x")
                    second.send(b"refused")
                    found: dict[tuple[object, ...], float] = {}

                    async def are_told(wanted: dict[tuple[object, ...], float]) -> bool:
                        nonlocal found
                        told = await metrics(gateway)
                        every = ((name, labels, value) for name, of in told.items() for labels, value in of.items())
                        found = {(name, *labels): value for name, labels, value in every if name in OF_OTHER_PROTOCOLS}
                        found = {key: value for key, value in found.items() if value}
                        return wanted.items() <= found.items()

                    with suppress(NeverTrueError):  # the difference says more
                        await until_told(lambda: are_told(DONE))
                    assert found == DONE
                    feed.commit(gone("UdpRoute", "game"))  # with a session of it
                    await until_told(lambda: are_told({REVOKED: 1}))
            finally:
                for _, writer in conversations:
                    writer.close()
    game.close()
