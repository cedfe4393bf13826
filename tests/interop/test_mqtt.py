"""A real MQTT broker (mosquitto) behind a TcpRoute: what is published arrives whole and in order; `make interop`.

The client is by hand, MQTT 3.1.1: what is proved is that no byte of a protocol that is not ours is touched.
"""

import asyncio
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.changes import running
from tests.parts.conditions import wait_until
from tests.parts.ports import free_port
from tests.parts.processes import Process
from tests.parts.tcp import Place, carrying, listener, tcp_route

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"),
]

CONNECT, CONNECTED = 0x10, b"\x20\x02\x00\x00"
PUBLISH, SUBSCRIBE, DISCONNECT = 0x30, 0x82, b"\xe0\x00"
MESSAGES = 5_000


def packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((kind, len(body))) + body


def text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def message(number: int) -> bytes:
    return packet(PUBLISH, text(b"news/a") + b"%06d" % number)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """Its port."""
    port, config = free_port(), tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
    process = Process(["mosquitto", "-c", str(config)], tmp_path / "mosquitto.out")

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, 10, what=f"mosquitto ready: {process.text()}")
    try:
        yield port
    finally:
        process.stop()


async def connected(place: Place, name: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await place.connect()
    writer.write(packet(CONNECT, text(b"MQTT") + b"\x04\x02\x00\x3c" + text(name)))
    assert await reader.readexactly(4) == CONNECTED
    return reader, writer


async def test_what_is_published_arrives_whole_and_in_order(broker: int) -> None:
    async with carrying(running("mq", "1", port=broker), listener(), tcp_route("mq")) as place:
        place.open()
        reader, subscriber = await connected(place, b"subscriber")
        subscriber.write(packet(SUBSCRIBE, b"\x00\x01" + text(b"news/#") + b"\x00"))
        assert (await reader.readexactly(5))[:2] == b"\x90\x03"
        _, publisher = await connected(place, b"publisher")
        for number in range(MESSAGES):
            publisher.write(message(number))
        wanted = b"".join(message(number) for number in range(MESSAGES))
        assert await asyncio.wait_for(reader.readexactly(len(wanted)), 30.0) == wanted
        for writer in (publisher, subscriber):
            writer.write(DISCONNECT)
            writer.close()
        for _ in range(2):
            line = await place.line()
            assert (line["service"], line["status"], line["reason"]) == ("default/mq", 200, "")
