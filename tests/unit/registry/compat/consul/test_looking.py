"""Looking twice before something is said to be unknown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from registry.compat.consul.looking import Unknown, looking_twice
from registry.machine.request import Reply

REQUEST: Any = None


class Store:
    """What a registry knows of the store it shares: `confirm` is answered by the test."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[bool]] = []

    def confirm(self) -> asyncio.Future[bool]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]


class Handler:
    """Knows nothing until it is told."""

    answer: Any = None

    def __call__(self, _: Any) -> Any:
        if self.answer is None:
            raise Unknown(404, "unknown")
        return self.answer


async def test_what_is_known_is_answered_at_once_and_what_is_not_at_the_store_s_head() -> None:
    store, handler = Store(), Handler()
    ask: Any = looking_twice(handler, store)  # type: ignore[arg-type]
    handler.answer = Reply(200)
    assert ask(REQUEST) is handler.answer
    assert store.asked == []
    handler.answer = None
    later = ask(REQUEST)
    handler.answer = Reply(201)
    store.asked[0].set_result(True)
    assert (await later).status == 201


async def test_an_answer_that_has_to_be_waited_for_is_passed_on() -> None:
    store, handler = Store(), Handler()
    ask: Any = looking_twice(handler, store)  # type: ignore[arg-type]
    later = ask(REQUEST)
    handler.answer = asyncio.get_running_loop().create_future()
    store.asked[0].set_result(False)
    handler.answer.set_result(Reply(202))
    assert (await later).status == 202
    handler.answer = None
    ended = ask(REQUEST)
    handler.answer = asyncio.get_running_loop().create_future()
    store.asked[1].set_result(True)
    handler.answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended


async def test_what_stays_unknown_is_said_and_alone_there_is_no_second_look() -> None:
    store, handler = Store(), Handler()
    later: Any = looking_twice(handler, store)(REQUEST)  # type: ignore[arg-type]
    store.asked[0].set_result(True)
    with pytest.raises(Unknown):
        await later
    with pytest.raises(Unknown):
        looking_twice(handler, None)(REQUEST)
