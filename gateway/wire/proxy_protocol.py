"""Tells who is behind a connection, before anything else is said on it: the PROXY protocol's head, versions 1 and 2.

Source: "The PROXY protocol", versions 1 and 2 (Willy Tarreau, HAProxy, 2020): §2.1 text, §2.2 binary.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from gateway.wire.interfaces import Address

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL, _PROXY = 0x20, 0x21  # version 2 in the high half
_TCP4, _TCP6 = 0x11, 0x21


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
