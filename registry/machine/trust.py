"""Who may call while nobody signs in: callers on this machine, from programs and from our own pages only.

A caller is trusted when its address is a loopback one, when `Host` names loopback (a page of another site whose name
was rebound to 127.0.0.1 sends its own name), and when it sends no foreign `Origin` (a page of another site cannot leave
that out). `insecure` lifts the first two: then every address and every name is let in, and the start says so.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from meshway.http1.fields import find
from meshway.identity import ANONYMOUS, LOOPBACK, Principal
from meshway.problem import Problem

if TYPE_CHECKING:
    from meshway.http1.message import RequestHead

_LOOPBACK_NAMES: Final = frozenset({b"localhost", b"[::1]", b"ip6-localhost"})


class Trust:
    """One for the process. insecure: callers from elsewhere are let in as well."""

    __slots__ = ("_insecure",)

    def __init__(self, *, insecure: bool) -> None:
        self._insecure = insecure

    def judge(self, peer: str, head: RequestHead) -> Problem | None:
        """None: let in. peer: the caller's address."""
        if not self._insecure:
            if not is_loopback_address(peer):
                return _forbidden(
                    "not_loopback", f"{peer or 'the caller'} is not this machine, and nobody is signed in"
                )
            if (head.host or head.minor) and not is_loopback_name(head.host):
                host = head.host.decode("latin-1")
                return _forbidden("foreign_host", f"Host {host} does not name this machine: use localhost or 127.0.0.1")
        origin = find(head.block, b"origin")
        if origin is not None and not _is_own_origin(origin, head.authority):
            return _forbidden("foreign_origin", "a page of another origin may not call the registry")
        return None

    def principal(self, peer: str) -> Principal:
        return LOOPBACK if is_loopback_address(peer) else ANONYMOUS


def is_loopback_address(address: str) -> bool:
    if address in ("127.0.0.1", "::1"):
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback_name(host: bytes) -> bool:
    """host: lower-case, without port and trailing dot; a name under .localhost is loopback by RFC 6761 §6.3."""
    return (
        host in _LOOPBACK_NAMES
        or host.endswith(b".localhost")
        or (host.startswith(b"127.") and is_loopback_address(host.decode("latin-1")))
    )


def _is_own_origin(origin: bytes, authority: bytes) -> bool:
    scheme, _, rest = origin.strip().lower().partition(b"://")
    if scheme not in (b"http", b"https"):
        return False
    port = b":443" if scheme == b"https" else b":80"
    return _with_port(rest, port) == _with_port(authority.lower(), port)


def _with_port(authority: bytes, port: bytes) -> bytes:
    has_port = b":" in authority.rpartition(b"]")[2]
    return authority if has_port else authority + port


def _forbidden(code: str, detail: str) -> Problem:
    return Problem(403, code, "Not allowed", detail=detail)
