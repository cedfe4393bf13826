"""The ASGI lifespan that keeps a service registered (FastAPI, Starlette, Litestar)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from meshway.client.presence import present
from meshway.client.registration import Registration
from meshway.client.settings import MeshSettings

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(settings: MeshSettings, wanted: Registration, inner: Lifespan | None) -> Lifespan:
    """Registers after the app's own start-up and deregisters before its shutdown."""

    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[Any]:
        if inner is None:
            async with present(settings, wanted):
                yield None
            return
        async with inner(app) as state, present(settings, wanted):
            yield state

    return run
