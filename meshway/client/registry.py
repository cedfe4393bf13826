"""The registry as the SDK calls it, blocking and awaiting: base URL, token, time limits, errors."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from meshway.client.calls import Call
from meshway.client.errors import MeshwayError, error_for, unreachable
from meshway.client.settings import MeshSettings
from meshway.problem import Problem
from meshway.settings import SettingError, read_secret

T = TypeVar("T")
_CONNECT_S = 2.0


class TokenFromFile(httpx.Auth):
    """Bearer token, read for each request: at one request in some seconds a cache would gain nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {read_secret(self._path)}"
        yield request


class Registry:
    """Blocking. Safe to use from several threads."""

    def __init__(self, settings: MeshSettings) -> None:
        self.url = settings.registry
        self.http = httpx.Client(base_url=settings.registry, auth=auth_of(settings), trust_env=False)

    def send(self, call: Call[T]) -> T:
        """Raises MeshwayError; Unreachable when there was no answer."""
        try:
            response = self.http.request(
                call.method, call.path, params=call.params, headers=call.headers, content=call.content,
                timeout=_timeout(call),
            )  # fmt: skip
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        except SettingError as error:
            raise _unusable(error) from error
        return _read(call, response)

    def close(self) -> None:
        self.http.close()


class AsyncRegistry:
    """Awaiting; belongs to one event loop."""

    def __init__(self, settings: MeshSettings) -> None:
        self.url = settings.registry
        self.http = httpx.AsyncClient(base_url=settings.registry, auth=auth_of(settings), trust_env=False)

    async def send(self, call: Call[T]) -> T:
        """Raises MeshwayError; Unreachable when there was no answer."""
        try:
            response = await self.http.request(
                call.method, call.path, params=call.params, headers=call.headers, content=call.content,
                timeout=_timeout(call),
            )  # fmt: skip
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        except SettingError as error:
            raise _unusable(error) from error
        return _read(call, response)

    async def close(self) -> None:
        await self.http.aclose()


def auth_of(settings: MeshSettings) -> httpx.Auth | None:
    return TokenFromFile(settings.token_file) if settings.token_file else None


def _timeout(call: Call[T]) -> httpx.Timeout:
    return httpx.Timeout(call.timeout_s, connect=_CONNECT_S)


def _unusable(error: SettingError) -> MeshwayError:
    return MeshwayError(Problem(401, "token_unreadable", "Token unreadable", detail=str(error)))


def _read(call: Call[T], response: httpx.Response) -> T:
    if response.status_code >= 400:
        raise error_for(response)
    try:
        return call.decode(response)
    except msgspec.MsgspecError as error:
        detail = f"{call.method} {response.request.url} answered what this version cannot read: {error}"
        raise MeshwayError(Problem(502, "unexpected_answer", "Unexpected answer", detail=detail)) from error
