import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Workers run on uvloop, and on asyncio where there is none: the two differ in when they write and close."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
