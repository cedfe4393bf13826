"""The grammar of Host and of a target's authority: one strict reading, so that nobody behind us can find another.

Narrower than RFC 3986 §3.2.2 on purpose: no userinfo, no percent escapes, no sub-delims, no empty port. None of them
names a host that resolves, each has been read in two ways by somebody.
"""

from ipaddress import AddressValueError, IPv6Address
from string import ascii_letters, digits
from typing import Final

MAX_AUTHORITY: Final = 255
_NAME: Final = (ascii_letters + digits + "-._~").encode()
_DIGITS: Final = digits.encode()


def parse_authority(authority: bytes) -> tuple[bytes, bytes]:
    """Returns (host, port): host lower-case, without a trailing dot, an IPv6 address keeps its brackets; port or b"".

    Raises ValueError, its text is fit for the answer.
    """
    if not authority:
        raise ValueError("host is empty")
    if len(authority) > MAX_AUTHORITY:
        raise ValueError(f"host is longer than {MAX_AUTHORITY} bytes")
    if authority[0] == 0x5B:  # [
        host, port = _split_bracketed(authority)
    else:
        host, colon, port = authority.partition(b":")
        if colon and not port:
            raise ValueError("host: port is empty")
        host = _name(host)
    if port and (
        len(port) > 5 or port.translate(None, _DIGITS) or port[0] == 0x30 or int(port) > 65535  # no leading zero
    ):
        raise ValueError("host: port is not a number from 1 to 65535")
    return host, port


def _name(host: bytes) -> bytes:
    if host.translate(None, _NAME):
        raise ValueError("host holds a byte that no host name has")
    if host.endswith(b"."):
        host = host[:-1]
    if not host or host[0] == 0x2E or host[-1] == 0x2E or b".." in host:
        raise ValueError("host has an empty label")
    return host.lower()


def _split_bracketed(authority: bytes) -> tuple[bytes, bytes]:
    inside, bracket, rest = authority[1:].partition(b"]")
    if not bracket or (rest and (rest[0] != 0x3A or len(rest) == 1)):
        raise ValueError("host: an IPv6 address is [address] or [address]:port")
    try:
        # A zone id (%eth0) has a meaning on the caller's machine only.
        if b"%" in inside:
            raise AddressValueError
        IPv6Address(inside.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        raise ValueError("host: not an IPv6 address between the brackets") from None
    return b"[" + inside.lower() + b"]", rest[1:]
