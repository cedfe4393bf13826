"""The matter of the Autobahn test suite's cases 1 to 7, 9 and 10: raw frames to a service of the `websockets` library,
directly and through a gateway that looks at them, have the same outcome."""

import asyncio
from collections.abc import Iterator

from websockets.asyncio.server import serve

from tests.integration.gateway.test_websocket import echo, websocket
from tests.parts.changes import running
from tests.parts.compiled import compiled_gateway
from tests.parts.websocket import frame, handshake, read_frame
from tests.parts.wire import Caller

MASK = b"\x37\xfa\x21\x3d"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OCTET, FEW = 1, 997  # bytes at once
Case = tuple[str, bytes, int]  # what is sent, in pieces of this size, 0 = at once
Outcome = tuple[list[tuple[int, bytes]], int | None]  # what came, and the close code, None: it was cut


def own(opcode: int, payload: bytes = b"", *, final: bool = True, bits: int = 0) -> bytes:
    return frame(opcode, payload, final=final, bits=bits, key=MASK)


def close(code: int, reason: bytes = b"") -> bytes:
    return own(CLOSE, code.to_bytes(2, "big") + reason)


DONE = close(1000)


def good() -> Iterator[Case]:
    for opcode in (TEXT, BINARY):
        for size in (0, 125, 126, 127, 128, 65_535, 65_536):
            yield f"1 opcode {opcode}, {size} bytes", own(opcode, b"*" * size) + DONE, 0
        yield f"1.8 opcode {opcode} in pieces", own(opcode, b"*" * 65_536) + DONE, FEW
    for size in (0, 1, 125):
        yield f"2 ping of {size}", own(PING, b"\xfe" * size) + DONE, 0
    yield "2.6 ping by octets", own(PING, b"\xfe" * 125) + DONE, OCTET
    yield "2.7 pong unasked", own(PONG, b"unasked") + own(PING, b"then") + DONE, 0
    yield "2.10 ten pings", b"".join(own(PING, b"%d" % each) for each in range(10)) + DONE, 0
    yield "2.11 ten pings by octets", b"".join(own(PING, b"%d" % each) for each in range(10)) + DONE, OCTET
    parts = own(TEXT, b"frag1", final=False), own(CONTINUATION, b"frag2")
    for step in (0, OCTET):
        yield f"5 two fragments {step}", parts[0] + parts[1] + DONE, step
        yield f"5 ping between {step}", parts[0] + own(PING, b"ping") + parts[1] + DONE, step
        several = b"".join(own(CONTINUATION, b"x%d" % each, final=False) + own(PING, b"p") for each in range(5))
        yield f"5.19 pings between {step}", parts[0] + several + own(CONTINUATION, b"last") + DONE, step
    yield "6 text", own(TEXT, "Hello-µ@ßöäüàá-UTF-8!! 日本語 🂡".encode()) + DONE, 0
    text = "κόσμε".encode()
    split = own(TEXT, text[:3], final=False) + own(CONTINUATION, text[3:])
    yield "6 text split within a character", split + DONE, 0
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield f"7.7 close {code}", close(code, b"reason"), 0
    yield "7.1 nothing after a close", DONE + own(TEXT, b"late") + own(PING), 0
    yield "7.3 close without a code", own(CLOSE), 0
    yield "7.3 close of 125", close(1000, b"*" * 123), 0
    for opcode, size in ((TEXT, 1 << 18), (BINARY, 1 << 20)):
        yield f"9 message of {size}", own(opcode, b"*" * size) + DONE, 0
        pieces = [own(CONTINUATION, b"*" * 4096, final=False) for _ in range(size // 4096)]
        fragments = own(opcode, b"", final=False) + b"".join(pieces) + own(CONTINUATION)
        yield f"9 message of {size} in fragments", fragments + DONE, 0
    yield (
        "10 many fragments",
        own(TEXT, b"", final=False) + own(CONTINUATION, b"*", final=False) * 1000 + (own(CONTINUATION) + DONE),
        0,
    )


def bad() -> Iterator[Case]:
    yield "2.5 ping of 126", own(PING, b"\xfe" * 126), 0
    for bits in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70):
        for opcode in (TEXT, BINARY, PING, CLOSE):
            yield f"3 bits {bits:#x} of {opcode}", own(opcode, b"\x03\xe8", bits=bits), 0
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for step in (0, OCTET):
            yield f"4 opcode {opcode} {step}", own(opcode, b"x") + own(PING), step
    for opcode in (PING, PONG, CLOSE):
        yield f"5 fragments of {opcode}", own(opcode, b"\x03\xe8", final=False), 0
    for final in (True, False):
        yield f"5.9 continuation of nothing {final}", own(CONTINUATION, b"x", final=final) + own(TEXT, b"y"), 0
    yield "5.18 text within text", own(TEXT, b"a", final=False) + own(TEXT, b"b"), 0
    for wrong in (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xc0\xaf",
        b"\xff",
        b"\xf4\x90\x80\x80",
    ):
        yield f"6 no text: {wrong!r}", own(TEXT, wrong), 0
    yield "7.3 close of one byte", own(CLOSE, b"\x03"), 0
    yield "7.3 close of 126", own(CLOSE, b"\x03\xe8" + b"*" * 124), 0
    yield "7.5 close with no text", close(1000, b"\xff\xff"), 0
    for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield f"7.9 close {code}", close(code), 0
    yield "unmasked", frame(TEXT, b"plain"), 0


async def outcome(port: int, case: Case) -> Outcome:
    _, data, step = case
    caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
    caller.send(handshake())
    assert (await caller.head()).startswith(b"HTTP/1.1 101")
    for at in range(0, len(data), step or len(data)):
        caller.send(data[at : at + (step or len(data))])
        if step:
            await asyncio.sleep(0)
    came: list[tuple[int, bytes]] = []
    try:
        while True:
            first, payload = await read_frame(caller.reader)
            if first & 0x0F == CLOSE:
                return came, int.from_bytes(payload[:2], "big")
            came.append((first, payload))
    except (ConnectionError, asyncio.IncompleteReadError):
        return came, None
    finally:
        caller.writer.close()


async def test_the_gateway_changes_no_outcome() -> None:
    async with serve(echo, "127.0.0.1", 0, max_size=None, compression=None, ping_interval=None) as service:
        port = service.sockets[0].getsockname()[1]
        async with compiled_gateway(running("chat", "1", port=port), websocket()) as gateway:
            for case in good():
                assert await outcome(gateway.port, case) == await outcome(port, case), case[0]
            for case in bad():
                # What went before the fault may be answered or not: the two race.
                assert (await outcome(gateway.port, case))[1] == (await outcome(port, case))[1], case[0]
            assert sum(1 for _ in good()) + sum(1 for _ in bad()) > 100
