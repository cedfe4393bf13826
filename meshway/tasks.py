"""Background tasks that can neither vanish nor fail in silence.

The event loop keeps only a weak reference to a task, so a task nobody else holds may be collected half-way
(docs.python.org, asyncio.create_task: "Important: Save a reference to the result"), and an exception in it is
reported only when the task is collected, if ever. `spawn` is the one place in the project that creates tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_log = logging.getLogger("meshway.tasks")
_RUNNING: Final[set[asyncio.Task[Any]]] = set()


def spawn(coroutine: Coroutine[Any, Any, _T], *, name: str) -> asyncio.Task[_T]:
    """Run `coroutine` in the background of the running loop, under `name` (which is what the log calls it).

    The task is kept alive until it is done. An exception it ends with is logged with its traceback; a cancellation
    is not. The caller may still await the task and then gets the exception as well.
    """
    task = asyncio.create_task(coroutine, name=name)  # noqa: TID251 - this is the one place
    _RUNNING.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    _RUNNING.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, Exception):  # SystemExit and KeyboardInterrupt end the loop and speak for themselves
        _log.error("background task %r ended with an error", task.get_name(), exc_info=error)
