from contextlib import suppress
from ipaddress import ip_address

import pytest

from gateway.wire.proxy_protocol import NoProxyHead, ProxyFault, proxy_head, read_proxy_head
from tests.parts.fuzzing import fuzz

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
MAPPED = str(ip_address("::ffff:192.0.2.7"))  # Python 3.13 writes the end as IPv4, which RFC 5952 §5 recommends


@pytest.mark.parametrize(
    ("source", "destination", "text"),
    [
        (("192.0.2.7", 4711), ("198.51.100.1", 80), "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"),
        (("192.0.2.7", 0), ("198.51.100.1", 80), "PROXY TCP4 192.0.2.7 198.51.100.1 0 80\r\n"),
        (("2001:db8::7", 1), ("2001:db8::1", 2), "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n"),
        (("192.0.2.7", 1), ("2001:db8::1", 2), f"PROXY TCP6 {MAPPED} 2001:db8::1 1 2\r\n"),
        (("::ffff:192.0.2.7", 1), ("198.51.100.1", 2), "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"),
        (("fe80::1%eth0", 1), ("fe80::2", 2), "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"),
        (None, ("198.51.100.1", 80), "PROXY UNKNOWN\r\n"),
        (("", 0), ("198.51.100.1", 80), "PROXY UNKNOWN\r\n"),
        (("192.0.2.7", 1), None, "PROXY UNKNOWN\r\n"),
    ],
)
def test_the_text_names_both_ends(
    source: tuple[str, int] | None, destination: tuple[str, int] | None, text: str
) -> None:
    assert proxy_head(1, source, destination) == text.encode()


def test_no_text_is_longer_than_receivers_must_take() -> None:
    """107 bytes, §2.1."""
    longest = ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
    assert len(proxy_head(1, longest, longest)) <= 107


@pytest.mark.parametrize(
    ("source", "destination", "rest"),
    [
        (("192.0.2.7", 4711), ("198.51.100.1", 80), "21 11 000c c0000207 c6336401 1267 0050"),
        (
            ("2001:db8::7", 1),
            ("192.0.2.1", 2),
            "21 21 0024 20010db8000000000000000000000007 00000000000000000000ffffc0000201 0001 0002",
        ),
        (None, None, "20 00 0000"),
        (("unix:", 1), ("192.0.2.1", 2), "20 00 0000"),
    ],
)
def test_the_binary_one_says_the_same(
    source: tuple[str, int] | None, destination: tuple[str, int] | None, rest: str
) -> None:
    assert proxy_head(2, source, destination) == SIGNATURE + bytes.fromhex(rest)


ENDS = (
    (("192.0.2.7", 4711), ("198.51.100.1", 80)),
    (("2001:db8::7", 1), ("2001:db8::1", 65535)),
    (None, None),
)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("source", "destination"), ENDS)
def test_what_is_told_is_read_and_of_a_part_nothing(
    version: int, source: tuple[str, int] | None, destination: tuple[str, int] | None
) -> None:
    head = proxy_head(version, source, destination)
    assert read_proxy_head(head + b"GET / HTTP/1.1\r\n") == (source, destination, len(head))
    assert [read_proxy_head(head[:size]) for size in range(len(head))] == [None] * len(head)


def test_details_behind_the_addresses_are_passed_over() -> None:
    details = bytes.fromhex("04 0003 616263")
    head = SIGNATURE + bytes.fromhex("21 11 0012 c0000207 c6336401 1267 0050") + details
    assert read_proxy_head(head + b"GET") == (("192.0.2.7", 4711), ("198.51.100.1", 80), len(head))
    mapped = SIGNATURE + bytes.fromhex("21 21 0024") + b"\0" * 10 + b"\xff\xff\xc0\0\2\7" + b"\0" * 15 + b"\1\0\1\0\2"
    told = read_proxy_head(mapped)
    assert told is not None
    assert told.source == ("192.0.2.7", 1), "as policies know callers of IPv4"


@pytest.mark.parametrize(
    "text",
    [
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80 1\r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 4711 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 04711 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 80\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1  80\r\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 1 80\r\n",
        "PROXY TCP4 192.0.2 198.51.100.1 1 80\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 80\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 80\r\n",
        "PROXY TCP6 fe80::1%eth0 fe80::2 1 80\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 80\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 1 80\r\n",
        "PROXY TCP4 192.0.2.\u0667 198.51.100.1 1 80\r\n",
        "PROXY \r\n",
        "PROXY TCP4 " + "1" * 107,
        "PROXY UNKNOWN " + "x" * 93 + "\r\n",
    ],
)
def test_a_line_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ProxyFault) as caught:
        read_proxy_head(text.encode())
    assert not isinstance(caught.value, NoProxyHead)


@pytest.mark.parametrize(
    "rest",
    [
        "11 11 000c c0000207 c6336401 1267 0050",  # version 1
        "22 11 000c c0000207 c6336401 1267 0050",  # command 2
        "21 12 000c c0000207 c6336401 1267 0050",  # UDP
        "21 31 000c c0000207 c6336401 1267 0050",  # Unix sockets
        "21 00 0000",
        "21 11 000b c0000207 c6336401 1267 00",
        "21 21 000c c0000207 c6336401 1267 0050",
        "21 11 0209",  # 16 + 521 bytes
    ],
)
def test_a_binary_head_that_is_none_is_refused_as_soon_as_it_is_known(rest: str) -> None:
    with pytest.raises(ProxyFault):
        read_proxy_head(SIGNATURE + bytes.fromhex(rest))


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n", b"proxy TCP4 ", b"\r\n\r\nG", b"\x16\x03"]
)
def test_what_begins_otherwise_is_told_apart(data: bytes) -> None:
    with pytest.raises(NoProxyHead):
        read_proxy_head(data)


@pytest.mark.fuzz
def test_damaged_heads_are_read_refused_or_waited_for() -> None:
    good = [proxy_head(version, *ends) + b"GET / HTTP/1.1\r\n\r\n" for version in (1, 2) for ends in ENDS]

    def read(data: bytes) -> None:
        with suppress(ProxyFault):
            told = read_proxy_head(data)
            assert told is not None or len(data) < 536, "it would be waited for without end"
            assert told is None or 15 <= told.size <= min(len(data), 536)

    assert fuzz("PROXY protocol", good, read) > 1_000
