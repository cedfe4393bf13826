"""Tells and reads who is behind a connection, before all else: the head of the PROXY protocol, versions 1 and 2.

Source: "The PROXY protocol", versions 1 and 2 (Willy Tarreau, HAProxy, 2020): §2.1 text, §2.2 binary.
"""

import struct
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from gateway.wire.interfaces import Address

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL, _PROXY = 0x20, 0x21  # version 2 in the high half
_TCP4, _TCP6 = 0x11, 0x21
_TEXT_PARTS, _PORT_DIGITS, _MOST_PORT = 6, 5, 65_535
_PREFACE: Final = 16  # bytes of version 2 before its addresses
MAX_TEXT: Final = 107  # §2.1, CRLF included
MAX_BINARY: Final = 536  # §2: who sends a head may count on no more in one piece


class ProxyFault(ValueError):
    """What came is no head of the protocol."""


class NoProxyHead(ProxyFault):
    """It begins with something else."""


class Told(NamedTuple):
    """source, destination: None: the proxy speaks for itself (`UNKNOWN`, `LOCAL`). size: bytes of the head."""

    source: Address | None
    destination: Address | None
    size: int


def read_proxy_head(data: bytes | bytearray) -> Told | None:
    """What a connection begins with. None: more is to come, within MAX_TEXT or MAX_BINARY. Raises ProxyFault."""
    if data[: len(_SIGNATURE)] == _SIGNATURE[: len(data)]:
        return _read_binary(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _read_text(data)
    raise NoProxyHead("the connection does not begin with a head of the PROXY protocol")


def _read_text(data: bytes | bytearray) -> Told | None:
    end = data.find(b"\r\n", 0, MAX_TEXT)
    if end < 0:
        if len(data) >= MAX_TEXT or data.find(b"\n") >= 0:
            raise ProxyFault("the PROXY line does not end in time by CRLF")
        return None
    try:
        parts = bytes(data[:end]).decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ProxyFault("the PROXY line is no ASCII") from None
    if parts[1] == "UNKNOWN":
        return Told(None, None, end + 2)
    if parts[1] not in ("TCP4", "TCP6") or len(parts) != _TEXT_PARTS:
        raise ProxyFault("the PROXY line is not `PROXY TCP4|TCP6 source destination port port`")
    kind = IPv4Address if parts[1] == "TCP4" else IPv6Address
    source, destination = (_text_address(kind, text) for text in parts[2:4])
    return Told((source, _text_port(parts[4])), (destination, _text_port(parts[5])), end + 2)


def _text_address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> str:
    try:
        if "%" in text:
            raise AddressValueError
        return str(_plain(str(kind(text))))
    except AddressValueError:
        raise ProxyFault("the PROXY line names an address that is none of its family") from None


def _text_port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _PORT_DIGITS or (text[0] == "0" and text != "0"):
        raise ProxyFault("the PROXY line names a port that is none")
    port = int(text)
    if port > _MOST_PORT:
        raise ProxyFault("the PROXY line names a port that is none")
    return port


def _read_binary(data: bytes | bytearray) -> Told | None:
    if len(data) < _PREFACE:
        return None
    command, family, length = struct.unpack_from("!BBH", data, len(_SIGNATURE))
    if command not in (_LOCAL, _PROXY):
        raise ProxyFault("the PROXY head is of another version than 2, or of an unknown command")
    size = _PREFACE + length
    if size > MAX_BINARY:
        raise ProxyFault(f"the PROXY head is longer than {MAX_BINARY} bytes")
    needed = {_TCP4: 12, _TCP6: 36}.get(family)
    if command == _PROXY and needed is None:
        raise ProxyFault("the PROXY head tells of something else than TCP over IPv4 or IPv6")
    if command == _PROXY and needed is not None and length < needed:
        raise ProxyFault("the PROXY head is too short for its addresses")
    if len(data) < size:
        return None
    if command == _LOCAL or needed is None:
        return Told(None, None, size)
    wide = (needed - 4) // 2
    kind = IPv4Address if family == _TCP4 else IPv6Address
    addresses = bytes(data[_PREFACE : _PREFACE + needed])
    source, destination = kind(addresses[:wide]), kind(addresses[wide : 2 * wide])
    from_, to = struct.unpack_from("!HH", addresses, 2 * wide)
    return Told((str(_plain(str(source))), from_), (str(_plain(str(destination))), to), size)


def proxy_head(version: int, source: Address | None, destination: Address | None) -> bytes:
    """version: 1 or 2. source: the caller, port 0 where none is known; destination: where it called the gateway.

    None, or what is no IP address: the gateway speaks for itself (`UNKNOWN`, `LOCAL`).
    """
    pair = _of_one_family(source, destination)
    if pair is None or source is None or destination is None:
        return b"PROXY UNKNOWN\r\n" if version == 1 else _SIGNATURE + struct.pack("!BBH", _LOCAL, 0, 0)
    from_, to = pair
    if version == 1:
        return f"PROXY TCP{from_.version} {from_} {to} {source[1]} {destination[1]}\r\n".encode("ascii")
    addresses = from_.packed + to.packed + struct.pack("!HH", source[1], destination[1])
    family = _TCP4 if from_.version == 4 else _TCP6
    return _SIGNATURE + struct.pack("!BBH", _PROXY, family, len(addresses)) + addresses


def _of_one_family(
    source: Address | None, destination: Address | None
) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address] | None:
    """The head has room for one family: beside an IPv6 address an IPv4 one is written as a mapped one."""
    if source is None or destination is None:
        return None
    try:
        from_, to = _plain(source[0]), _plain(destination[0])
    except ValueError:
        return None
    if from_.version == to.version:
        return from_, to
    return _mapped(from_), _mapped(to)


def _plain(text: str) -> IPv4Address | IPv6Address:
    """Without a zone, which means something on this machine only."""
    address = ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return address if isinstance(address, IPv6Address) else IPv6Address(0xFFFF << 32 | int(address))
