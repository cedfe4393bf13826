"""The registry as the SDK calls it, blocking and awaiting: base URL, token, time limits, errors.

Of several registries the next is asked where one does not answer, or says that it cannot (502, 503, 504). Every call of
the SDK may be repeated: it reads, or says again what is to be so.

Requests go through httpx's transports without its Client, which writes a log line for each: a heartbeat every few
seconds would fill the service's own log.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from meshway.certificates import CertificateFault, read_pair
from meshway.client.calls import Call
from meshway.client.certificate_folder import IDENTITY
from meshway.client.errors import MeshwayError, Unreachable, error_for, unreachable
from meshway.client.settings import MeshSettings
from meshway.client.turns import Turns
from meshway.problem import Problem
from meshway.settings import SettingError, read_secret
from meshway.tls import client_context, load_pair

T = TypeVar("T")
_CONNECT_S = 2.0
_log = logging.getLogger("meshway.client")


class Registry:
    """Blocking. Safe to use from several threads, and in forked children, which open connections of their own."""

    def __init__(self, settings: MeshSettings) -> None:
        self._settings = settings
        self._turns = Turns(settings.registries)
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._shown = ShownCertificate(self._settings)
        self._transport = httpx.HTTPTransport(verify=self._shown.context)

    def send(self, call: Call[T]) -> T:
        """Raises MeshwayError; Unreachable when no registry answered."""
        if os.getpid() != self._process:
            self._open()  # two processes on one socket would read each other's answers
        missed: Unreachable | None = None
        for url in self._turns.order():
            try:
                return self._ask(url, call)
            except Unreachable as error:
                missed = error
                self._turns.missed(url)
        assert missed is not None, "there is at least one registry"
        raise missed

    def _ask(self, url: str, call: Call[T]) -> T:
        request = request_for(self._settings, call, url)
        if not self._shown.is_current():
            request.headers["connection"] = "close"  # who is signed in by a certificate connects with it
        try:
            response = self._transport.handle_request(request)
            response.read()
        except httpx.TransportError as error:
            raise unreachable(url, error) from error
        return _read(call, request, response)

    def close(self) -> None:
        self._transport.close()


class AsyncRegistry:
    """Awaiting; belongs to one event loop."""

    def __init__(self, settings: MeshSettings) -> None:
        self._settings = settings
        self._turns = Turns(settings.registries)
        self._shown = ShownCertificate(settings)
        self._transport = httpx.AsyncHTTPTransport(verify=self._shown.context)

    async def send(self, call: Call[T]) -> T:
        """Raises MeshwayError; Unreachable when no registry answered."""
        missed: Unreachable | None = None
        for url in self._turns.order():
            try:
                return await self._ask(url, call)
            except Unreachable as error:
                missed = error
                self._turns.missed(url)
        assert missed is not None, "there is at least one registry"
        raise missed

    async def _ask(self, url: str, call: Call[T]) -> T:
        request = request_for(self._settings, call, url)
        if not self._shown.is_current():
            request.headers["connection"] = "close"
        try:
            response = await self._transport.handle_async_request(request)
            await response.aread()
        except httpx.TransportError as error:
            raise unreachable(url, error) from error
        return _read(call, request, response)

    async def close(self) -> None:
        await self._transport.aclose()


class ShownCertificate:
    """context: what httpx verifies registries by, and shows them of the program where a folder holds its certificate
    and no token signs it in. Raises MeshwayError for authorities of no use."""

    def __init__(self, settings: MeshSettings) -> None:
        self.context = verifying(settings.ca_file)
        self._file: Path | None = None
        self._seen: object = None
        if settings.certificate_dir is not None and settings.token_file is None:
            self._file = settings.certificate_dir / IDENTITY
            if not isinstance(self.context, ssl.SSLContext):
                self.context = client_context()
            self.is_current()

    def is_current(self) -> bool:
        """Looks for one that was renewed, which is shown to new connections. False: it has yet to come, or is over."""
        if self._file is None:
            return True
        assert isinstance(self.context, ssl.SSLContext)
        try:
            written = self._file.stat()
            now = written.st_mtime_ns, written.st_ino
            if now != self._seen:
                text = self._file.read_bytes()
                load_pair(self.context, read_pair(text, text))
                self._seen = now
        except (OSError, CertificateFault) as error:
            _log.debug("no certificate to sign in by: %s", error)
        return self._seen is not None


def verifying(ca_file: Path | None) -> ssl.SSLContext | bool:
    """What httpx verifies registries by. Raises MeshwayError for a file of no use."""
    if ca_file is None:
        return True
    try:
        return client_context(ca_file.read_bytes())
    except (OSError, CertificateFault) as error:
        detail = f"cannot take {ca_file} as authorities: {error}"
        raise MeshwayError(Problem(400, "bad_ca_file", "Authorities unreadable", detail=detail)) from error


def credentials(settings: MeshSettings) -> dict[str, str]:
    """The token is read for each request: at one request in some seconds a cache would gain nothing.

    Raises MeshwayError when there should be one and cannot be read.
    """
    if settings.token_file is None:
        return {}
    try:
        return {"authorization": f"Bearer {read_secret(settings.token_file)}"}
    except SettingError as error:
        raise MeshwayError(Problem(401, "token_unreadable", "Token unreadable", detail=str(error))) from error


def request_for(settings: MeshSettings, call: Call[T], url: str) -> httpx.Request:
    """url: the registry's."""
    timeout = httpx.Timeout(call.timeout_s, connect=_CONNECT_S)
    return httpx.Request(
        call.method,
        url + call.path,
        params=dict(call.params) or None,
        headers={**call.headers, **credentials(settings)},
        content=call.content,
        extensions={"timeout": timeout.as_dict()},
    )


def _read(call: Call[T], request: httpx.Request, response: httpx.Response) -> T:
    response.request = request
    if response.status_code >= 400:
        raise error_for(response)
    try:
        return call.decode(response)
    except msgspec.MsgspecError as error:
        detail = f"{call.method} {request.url} answered what this version cannot read: {error}"
        raise MeshwayError(Problem(502, "unexpected_answer", "Unexpected answer", detail=detail)) from error
