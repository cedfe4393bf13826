"""Which addresses are a machine's own, and where nobody may be sent: to its own business, a cloud's, or nobody's."""

import ipaddress
import re
from typing import Final

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
# Where clouds answer with a machine's credentials or secrets, beside 169.254.169.254, which is link-local: AWS, Google
# Cloud, Alibaba Cloud, Azure's WireServer, Oracle Cloud.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

# RFC 1123 §2.1; a name that ends in digits is an address or nothing (WHATWG URL §3.5).
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(?!(.*\.)?[0-9]+\Z)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*\Z"
)


def wrong_address(address: str) -> str | None:
    """Why an endpoint cannot be called at this address or name, for a message; None: it may be tried."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None if _HOST.match(address) else "is no IP address and no host name (a port is its own field)"
    reason = forbidden(ip, allow_loopback=True)
    return None if reason is None else f"{reason}: write the address others reach it at"


def is_loopback(host: str) -> bool:
    """Whether what listens at this address or name is reached by this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def forbidden(ip: IP, *, allow_loopback: bool) -> str | None:
    """Why nothing may be called there, for a message; None: it may."""
    ip = plain(ip)
    if ip.is_unspecified or ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255"):
        return "cannot be called"
    if ip.is_link_local or ip in _METADATA:
        return "is link-local or a cloud's metadata address"
    if ip.is_loopback and not allow_loopback:
        return "is this machine's own, and the registry is reachable from others"
    return None


def plain(ip: IP) -> IP:
    """The address itself, also where another one leads to it."""
    return _carried(ip) or ip


def _carried(ip: IP) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to."""
    if ip.version == 4:
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
