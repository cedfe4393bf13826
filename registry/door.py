"""The socket a registry is reached by, and what must not be reached without meaning it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING, Final

from registry.settings import StartRefused

if TYPE_CHECKING:
    from registry.settings import RegistrySettings


_REMIND_S: Final = 3600.0

log = logging.getLogger("meshway.registry")


def refuse_open_door(settings: RegistrySettings) -> None:
    """What is sent to it can be read on the way, tokens among it: a listener that others reach must be meant."""
    if settings.trusts_loopback and settings.trusted_proxies:
        raise StartRefused(
            "--trust-loopback and --trusted-proxies: a proxy could make anybody a neighbour; use one of them"
        )
    if settings.insecure or settings.is_on_loopback or settings.tls_certificate is not None:
        return
    raise StartRefused(
        f"{settings.bind} is reachable from other machines, and what they send, tokens too, is not encrypted: "
        "bind 127.0.0.1, name --tls-certificate and --tls-key, or say --insecure where a private network guards it"
    )


def bind(settings: RegistrySettings) -> socket.socket:
    """The listening socket. Raises StartRefused when the port is taken or the address is not ours."""
    host = "127.0.0.1" if settings.bind == "localhost" else settings.bind
    try:
        is_v6 = ipaddress.ip_address(host).version == 6
    except ValueError:
        raise StartRefused(f"{settings.bind} is no address to bind: write 127.0.0.1, ::1 or 0.0.0.0") from None
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, settings.port))
    except OSError as error:
        sock.close()
        raise StartRefused(f"cannot listen on {host}:{settings.port}: {error.strerror}") from error
    return sock


async def warn_of_clear_text(bind: str) -> None:
    """Until cancelled: what was meant once is not to be forgotten."""
    while True:
        log.warning(
            "%s is open to other machines without TLS (--insecure): tokens cross the network in the clear", bind
        )
        await asyncio.sleep(_REMIND_S)


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """Where a caller on this machine reaches it."""
    host, port = sock.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "::1" if address.version == 6 else "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
