"""httpx transports that know services by name: `http://reviews/…` goes through the gateway, all else goes out directly.

Host becomes the full name (`reviews.shop.mesh`), and trace, request id, criticality and deadline of the request being
served go along, to services only. There are no retries here: the gateway knows which instance to try next.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from meshway.client.propagation import DEADLINE, inbound
from meshway.client.settings import MeshSettings
from meshway.settings import SettingError, read_secret

MESH_SUFFIX: Final = ".mesh"
TOKEN_FIELD: Final = "meshway-token"  # noqa: S105  # a field's name
_TOKEN_READ_S: Final = 1.0
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NOT_SERVICES: Final = frozenset({"localhost"})
# Above httpx's 100 and 20: a gateway takes more, and a connection made anew costs more than the call on it.
# Idle ones go after 5 s, long before the gateway would close them (60 s, or 30 s while it drains).
_LIMITS: Final = httpx.Limits(max_connections=512, max_keepalive_connections=256, keepalive_expiry=5.0)


def mesh_host(host: str, namespace: str) -> str | None:
    """The full name of a service; None for a host that is none.

    `reviews` → `reviews.<namespace>.mesh`; `reviews.shop.mesh` as it is. `reviews.shop` is not taken for one, since
    nothing tells it from a host of the world's; nor is a number, which is an IPv4 address to resolvers.
    """
    host = host.lower()
    if host.endswith(MESH_SUFFIX):
        parts = host[: -len(MESH_SUFFIX)].split(".")
        return host if len(parts) == 2 and all(_LABEL.fullmatch(part) for part in parts) else None
    if host in _NOT_SERVICES or host.isdigit() or not _LABEL.fullmatch(host):
        return None
    return f"{host}.{namespace}{MESH_SUFFIX}"


class ServiceTokenFile:
    """What the program says to gateways of who it is: the token of the file, where that is a service token, whose
    three parts tell it from a token that is the registry's business alone."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._text = ""
        self._until = 0.0

    def read(self) -> str:
        """ "" where there is none, or it cannot be read: whether the call needs one, the gateway says."""
        if self._path is None:
            return ""
        if self._clock() >= self._until:
            try:
                text = read_secret(self._path)
            except SettingError:
                text = ""
            self._text = text if text.count(".") == 2 else ""
            self._until = self._clock() + _TOKEN_READ_S
        return self._text


class _Rewriter:
    """Turns a request for a service into one for the gateway."""

    def __init__(self, settings: MeshSettings) -> None:
        self._namespace = settings.namespace
        self._gateway = httpx.URL(settings.gateway)
        self._token = ServiceTokenFile(settings.token_file)

    def rewrite(self, request: httpx.Request) -> httpx.Request:
        """A port in the URL is left out: which port an instance listens on is the registry's knowledge.

        Raises UnsupportedProtocol for https, and PoolTimeout's base TimeoutException when no time is left.
        """
        host = mesh_host(request.url.host, self._namespace)
        if host is None:
            return request
        if request.url.scheme != "http":
            raise httpx.UnsupportedProtocol(
                f"call http://{request.url.host}/: services are reached through the gateway at {self._gateway}",
                request=request,
            )
        found = inbound()
        headers = request.headers.copy()
        headers["host"] = host
        for name, value in found.headers:
            headers.setdefault(name, value)
        if token := self._token.read():
            headers[TOKEN_FIELD] = token
        extensions = dict(request.extensions)
        left_s = found.left_s()
        if left_s is not None:
            if left_s <= 0.001:
                raise httpx.ReadTimeout("the deadline of the request being served has passed", request=request)
            headers.setdefault(DEADLINE, str(int(left_s * 1000)))
            extensions["timeout"] = _within(extensions.get("timeout", {}), left_s)
        url = request.url.copy_with(scheme=self._gateway.scheme, host=self._gateway.host, port=self._gateway.port)
        return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=extensions)


class MeshTransport(httpx.BaseTransport):
    """For httpx.Client. direct: what carries the requests; a test's, or one with TLS settings of one's own."""

    def __init__(self, settings: MeshSettings, direct: httpx.BaseTransport | None = None) -> None:
        self._rewriter = _Rewriter(settings)
        self._direct = direct or httpx.HTTPTransport(limits=_LIMITS)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._direct.handle_request(self._rewriter.rewrite(request))

    def close(self) -> None:
        self._direct.close()


class AsyncMeshTransport(httpx.AsyncBaseTransport):
    """For httpx.AsyncClient."""

    def __init__(self, settings: MeshSettings, direct: httpx.AsyncBaseTransport | None = None) -> None:
        self._rewriter = _Rewriter(settings)
        self._direct = direct or httpx.AsyncHTTPTransport(limits=_LIMITS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._direct.handle_async_request(self._rewriter.rewrite(request))

    async def aclose(self) -> None:
        await self._direct.aclose()


def _within(timeouts: dict[str, float | None], left_s: float) -> dict[str, float | None]:
    """The gateway answers 504 at the deadline; a little later this side gives up by itself."""
    most = left_s + 0.25
    return {
        part: most if timeouts.get(part) is None else min(timeouts[part] or 0.0, most)
        for part in ("connect", "read", "write", "pool")
    }
