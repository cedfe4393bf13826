"""A socket filter that drops connections asked for by some addresses, before the kernel answers them.

Only the first segment of a connection is judged: connections that are open inherit their listener's filter, and are not
touched by it. Source: classic BPF, Linux Documentation/networking/filter.rst; TCP's flags, RFC 9293 §3.1.
"""

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

IS_OFFERED: Final = sys.platform == "linux"
_ATTACH: Final = 26  # SO_ATTACH_FILTER, SO_DETACH_FILTER of asm-generic/socket.h: the socket module has none
_DETACH: Final = 27

# Operations: load a byte or a word, load half a word, and, jump if equal, return.
_BYTE, _HALF, _WORD, _AND, _IF, _RETURN = 0x30, 0x28, 0x20, 0x54, 0x15, 0x06
_NETWORK: Final = 0x100000000 - 0x100000  # SKF_NET_OFF: from here on the IP header, else it is the TCP one
_PROTOCOL: Final = 0x100000000 - 0x1000  # SKF_AD_OFF: the EtherType
_FLAGS, _SYN_OF_SYN_ACK, _SYN = 13, 0x12, 0x02
_IPV4, _IPV6 = 0x0800, 0x86DD
_SOURCE_4, _SOURCE_6 = 12, 8
_DROP: Final = (_RETURN, 0, 0, 0)
_PASS: Final = (_RETURN, 0, 0, 0xFFFFFFFF)

Step = tuple[int, int, int, int]  # operation, how far to jump if true, if false, operand


def program(addresses: Iterable[IPv4Address | IPv6Address]) -> tuple[Step, ...]:
    """A few instructions an address; the kernel takes 4,096."""
    fourth: list[Step] = [(_WORD, 0, 0, _NETWORK + _SOURCE_4)]
    sixth: list[Step] = []
    for address in addresses:
        if isinstance(address, IPv4Address):
            fourth += [(_IF, 0, 1, int(address)), _DROP]
            continue
        words = struct.unpack("!IIII", address.packed)
        for at, word in enumerate(words):
            # Where a word differs, on to the next address: behind the rest of these pairs and their verdict.
            sixth += [(_WORD, 0, 0, _NETWORK + _SOURCE_6 + 4 * at), (_IF, 0, 2 * (3 - at) + 1, word)]
        sixth.append(_DROP)
    return (
        (_BYTE, 0, 0, _FLAGS),
        (_AND, 0, 0, _SYN_OF_SYN_ACK),
        (_IF, 1, 0, _SYN),
        _PASS,
        (_HALF, 0, 0, _PROTOCOL),
        (_IF, 0, len(fourth) + 1, _IPV4),
        *fourth,
        _PASS,
        (_IF, 1, 0, _IPV6),
        _PASS,
        *sixth,
        _PASS,
    )


def attach(listener: socket.socket, addresses: Iterable[IPv4Address | IPv6Address]) -> None:
    """In place of the one before. Raises OSError where the system has none."""
    steps = program(addresses)
    held = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    listener.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("@HP", len(steps), ctypes.addressof(held)))


def detach(listener: socket.socket) -> None:
    """None attached, or the socket closed: nothing is done."""
    if IS_OFFERED:
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
