import pytest

from gateway.wire.proxy_protocol import proxy_head

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


@pytest.mark.parametrize(
    ("source", "destination", "text"),
    [
        (("192.0.2.7", 4711), ("198.51.100.1", 80), "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"),
        (("192.0.2.7", 0), ("198.51.100.1", 80), "PROXY TCP4 192.0.2.7 198.51.100.1 0 80\r\n"),
        (("2001:db8::7", 1), ("2001:db8::1", 2), "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n"),
        (("192.0.2.7", 1), ("2001:db8::1", 2), "PROXY TCP6 ::ffff:c000:207 2001:db8::1 1 2\r\n"),
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
