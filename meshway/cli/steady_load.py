"""Callers that never stop: so many connections, one call after the other on each, every lost one kept with its time.

Nothing is repeated here: what a caller sees is what the gateway made of it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, cycle
from typing import Final, NamedTuple

import httpx
import msgspec

from meshway.cli.failure import FAILED, UNREACHABLE, CliError
from meshway.cli.registry_client import transport_reason
from meshway.tasks import spawn

CALL_S: Final = 30.0
MOST_LOST: Final = 10_000  # kept; a service that is down loses more than anybody reads


class Request(NamedTuple):
    method: str
    path: str
    body: bytes


class Lost(msgspec.Struct, frozen=True):
    """at_s: when it was sent, seconds since the load began. why: status and reason, or the connection's end."""

    at_s: float
    method: str
    why: str
    request_id: str


class SteadyLoad:
    """host: the service's full name. requests: each connection sends them in turn. took_s: of each call, in seconds."""

    def __init__(self, listener: str, host: str, requests: Sequence[Request], connections: int) -> None:
        self._listener = listener
        self._host = host
        self._requests = requests
        self._connections = connections
        self._numbers = count(1)
        self._is_stopping = False
        self._began_s = time.monotonic()
        self._ended_s: float | None = None
        self.counts: Counter[str] = Counter()
        self.lost: list[Lost] = []
        self.took_s: list[float] = []

    @property
    def elapsed_s(self) -> float:
        return (self._ended_s or time.monotonic()) - self._began_s

    def percentile_s(self, percent: float) -> float:
        ordered = sorted(self.took_s)
        return ordered[min(int(len(ordered) * percent / 100.0), len(ordered) - 1)] if ordered else 0.0

    async def probe(self) -> None:
        """Before anything is replaced: each request once. Raises CliError where one does not work as it is."""
        async with self._client() as client:
            for request in self._requests:
                try:
                    answer = await client.send(self._built(client, request))
                except httpx.TransportError as error:
                    why = transport_reason(error)
                    raise CliError(UNREACHABLE, f"{self._listener} does not answer", why=why) from error
                if answer.status_code >= 400:
                    said = answer.headers.get("meshway-reason") or answer.reason_phrase
                    raise CliError(
                        FAILED,
                        f"{request.method} {self._host}{request.path} answers {answer.status_code} {said}",
                        why="nothing was replaced yet, so this is no matter of a deploy",
                        mend="name a path that works: --get PATH, --post PATH --data JSON",
                    )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._began_s = time.monotonic()
        callers = [spawn(self._call_on(number), name="caller") for number in range(self._connections)]
        try:
            yield
        finally:
            self._is_stopping = True
            await asyncio.gather(*callers)
            self._ended_s = time.monotonic()

    async def _call_on(self, number: int) -> None:
        requests = cycle([*self._requests[number % len(self._requests) :], *self._requests])
        async with self._client() as client:
            while not self._is_stopping:
                await self._call(client, next(requests))

    async def _call(self, client: httpx.AsyncClient, request: Request) -> None:
        built = self._built(client, request)
        at_s, began = self.elapsed_s, time.monotonic()
        why = ""
        try:
            answer = await client.send(built)
            if answer.status_code >= 500:
                why = f"{answer.status_code} {answer.headers.get('meshway-reason') or 'by the service itself'}"
        except httpx.TransportError as error:
            why = f"{type(error).__name__}: {transport_reason(error)}"
        self.counts[request.method] += 1
        self.took_s.append(time.monotonic() - began)
        if why and len(self.lost) < MOST_LOST:
            self.lost.append(Lost(round(at_s, 3), request.method, why, built.headers["x-request-id"]))

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(trust_env=False, timeout=CALL_S, limits=httpx.Limits(max_connections=1))

    def _built(self, client: httpx.AsyncClient, request: Request) -> httpx.Request:
        headers = {"host": self._host, "x-request-id": f"check-deploy-{next(self._numbers):08d}"}
        if request.body:
            headers["content-type"] = "application/json"
        url = f"{self._listener}{request.path}"
        return client.build_request(request.method, url, headers=headers, content=request.body or None)
