"""The name in a ClientHello, of OpenSSL's own and of spoiled ones, in records and pieces of any size."""

import random
import ssl
import struct
import time

import pytest

from gateway.wire.tcp.client_hello import MOST, HelloFault, HelloReader


def hello(name: str | None) -> bytes:
    """OpenSSL's."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(message: bytes, size: int) -> bytes:
    """A ClientHello in records of this size."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)


def server_name(data: bytes) -> str | None:
    """All of it at once."""
    return HelloReader().read(data)


def test_the_name_is_found() -> None:
    assert server_name(hello("Shop.Example")) == "shop.example"
    assert server_name(hello(None)) == ""
    assert server_name(hello("a.example") + b"more") == "a.example"


@pytest.mark.parametrize("size", [1, 3, 4, 5, 64, 1000])
def test_records_and_pieces_of_any_size_say_the_same(size: int) -> None:
    data = in_records(hello("shop.example")[5:], size)
    for at in range(0, len(data), 7):
        assert server_name(data[:at]) is None
    assert server_name(data) == "shop.example"


def test_what_comes_byte_by_byte_costs_no_more_than_its_bytes() -> None:
    """Read anew with each piece, this one would keep a core for half a minute."""
    message = b"\x01" + (12_000).to_bytes(3, "big") + bytes(12_000)
    data, reader = in_records(message, 1)[: MOST - 1], HelloReader()
    began = time.process_time()
    for at in range(len(data)):
        assert reader.read(data[at : at + 1]) is None
    assert time.process_time() - began < 3.0
    assert reader.came == data


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x03\x01",  # SSL 2
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",  # a ServerHello
        b"\x16\x03\x01\x00\x04\x01\x00\x50\x00",  # longer than may be
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",  # ends early
    ],
)
def test_what_is_no_hello_is_told_at_once(data: bytes) -> None:
    with pytest.raises(HelloFault):
        server_name(data)


def test_a_hello_that_does_not_end_is_given_up() -> None:
    data = b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xff" + bytes(MOST - 9)
    assert server_name(data[:-1]) is None
    with pytest.raises(HelloFault):
        server_name(data)


def test_names_that_are_no_hosts_are_refused() -> None:
    good = hello("shop.example")
    for spoiled in (b"shop\0example", b"shop/example", b"shop example"):
        with pytest.raises(HelloFault):
            server_name(good.replace(b"shop.example", spoiled))


def test_no_hello_makes_it_stumble() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw, good = random.Random(seed), hello("shop.example")
    for _ in range(3_000):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            server_name(bytes(data[: draw.randrange(1, len(data) + 1)]))
        except HelloFault:
            continue
