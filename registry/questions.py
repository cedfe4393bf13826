"""What gateways are asked: down the feed with an id, answered by `POST /v1/answers/{id}`.

A gateway follows one registry, and answers that one. So a question for which no right gateway follows here goes to the
other registries over the bus, and the answers come back the same way.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem
from meshway.snapshot import MAX_FRAME, Question, encode_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.feed.feed import Feed
    from registry.live.interface import Bus

MOST_WAITING: Final = 200  # questions under way, here and for others
_ASKED: Final = "questions"
_ANSWERED: Final = "answers"
_ROOM: Final = 4096  # of a frame, for all but the body
_log = logging.getLogger("registry.questions")


class _Asked(msgspec.Struct, frozen=True):
    """node: the gateway that is asked, "" = any one, `*` = all."""

    id: str
    kind: str
    node: str
    wait_s: float
    body: Any


class _Answered(msgspec.Struct, frozen=True):
    id: str
    body: Any


_encode: Final = msgspec.msgpack.Encoder().encode
_asked: Final = msgspec.msgpack.Decoder(_Asked).decode
_answered: Final = msgspec.msgpack.Decoder(_Answered).decode


class Questions:
    """is_shared: other registries may hear the bus."""

    def __init__(self, feed: Feed, bus: Bus, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self._feed = feed
        self._bus = bus
        self._waiting: dict[str, Callable[[Any], None]] = {}
        bus.subscribe(_ASKED, self._hear_question)
        bus.subscribe(_ANSWERED, self._hear_answer)

    async def ask(self, kind: str, body: Any, *, node: str = "", wait_s: float) -> Any:
        """The first answer of the gateway of that name, "" = of any one.

        Raises Problem: 503 `no_gateway`, 504 `no_answer`, 413 for a question that is too large, 503 `busy`.
        """
        answers = await self._collect(kind, body, node=node, wait_s=wait_s, wanted=1)
        return answers[0]

    async def ask_all(self, kind: str, body: Any, *, count: int, wait_s: float) -> list[Any]:
        """Of all gateways, as they come; ends with the `count`th, or after the wait with those that came.

        Raises Problem as `ask`; no_answer only where none came.
        """
        return await self._collect(kind, body, node="*", wait_s=wait_s, wanted=max(count, 1))

    def take(self, question: str, body: Any) -> bool:
        """An answer came. False: nobody waits for it, any more or at all."""
        heard = self._waiting.get(question)
        if heard is None:
            return False
        heard(body)
        return True

    async def _collect(self, kind: str, body: Any, *, node: str, wait_s: float, wanted: int) -> list[Any]:
        asked = _Asked(secrets.token_urlsafe(12), kind, node, wait_s, body)
        message = _encode(asked)
        if len(message) > MAX_FRAME - _ROOM:
            raise Problem(413, "too_large", "Content Too Large", detail=f"a gateway is asked at most {MAX_FRAME} bytes")
        if len(self._waiting) >= MOST_WAITING:
            raise Problem(503, "busy", "Too many questions", headers={"Retry-After": "1"})
        answers: list[Any] = []
        is_enough = asyncio.Event()

        def hear(answer: Any) -> None:
            answers.append(answer)
            if len(answers) >= wanted:
                is_enough.set()

        self._waiting[asked.id] = hear
        try:
            here = self._send(asked)
            if not here or node == "*":
                self._bus.publish(_ASKED, message)
            try:
                async with asyncio.timeout(wait_s if here or self._is_shared else 0.0):
                    await is_enough.wait()
            except TimeoutError:
                if not answers:
                    raise _unanswered(asked, is_asked=bool(here) or self._is_shared) from None
        finally:
            del self._waiting[asked.id]
        return answers

    def _send(self, asked: _Asked) -> int:
        """To the right ones of those that follow here; how many."""
        followers = [each for each in self._feed.followers if asked.node in ("", "*", each.node)]
        if asked.node != "*":
            followers = followers[:1]
        frame = encode_frame(Question(id=asked.id, kind=asked.kind, deadline_s=asked.wait_s, body=asked.body))
        for follower in followers:
            follower.ask(frame)
        return len(followers)

    def _hear_question(self, message: bytes) -> None:
        """Another registry asks: what our gateways answer is for it."""
        try:
            asked = _asked(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a registry of another version
            _log.warning("a question that another registry passed on cannot be read: %s", error)
            return
        if len(self._waiting) >= MOST_WAITING or not self._send(asked):
            return
        self._waiting[asked.id] = lambda body: self._bus.publish(_ANSWERED, _encode(_Answered(asked.id, body)))
        asyncio.get_running_loop().call_later(asked.wait_s, self._waiting.pop, asked.id, None)

    def _hear_answer(self, message: bytes) -> None:
        try:
            answered = _answered(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("an answer that another registry passed on cannot be read: %s", error)
            return
        self.take(answered.id, answered.body)


def _unanswered(asked: _Asked, *, is_asked: bool) -> Problem:
    whose = f"gateway {asked.node}" if asked.node not in ("", "*") else "a gateway"
    if is_asked:
        return Problem(
            504, "no_answer", "No answer", detail=f"{whose} did not answer within {asked.wait_s:g} s", mend="try again"
        )
    detail = f"{whose} is not connected" if asked.node not in ("", "*") else "no gateway is connected"
    return Problem(503, "no_gateway", "No gateway", detail=detail, mend="start one: meshway gateway serve")
