"""GET /v1/tap: calls as they end, asked of all gateways, as server-sent events (WHATWG HTML §9.2).

Gateways filter; a listener gets at most 200 calls a second, the rest is counted. An event `calls` holds `items` (the
oldest first), `seen` (calls that fitted since the event before) and `left_out` (those of them that are not shown).
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.call_filter import BadFilter, compile_filter
from meshway.call_lines import TAP, CallLine, Tapped, TapQuestion
from meshway.problem import FieldError, Problem, invalid_request
from meshway.tasks import spawn
from registry.insight.sight import Sight
from registry.machine.placed import PlacedStream
from registry.machine.request import Reply, Request
from registry.manners.query import number_of, query_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.call_filter import Holds
    from registry.machine.request import Outlet, Stream
    from registry.manners.places import Places
    from registry.questions import Questions

PATH: Final = "/v1/tap"
EVERY_S: Final = 0.5
WAIT_S: Final = 2.0
MOST_PER_S: Final = 200
QUIET_TURNS: Final = 20  # without anything to say, then a sign of life
_HEAD: Final = b"content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n"
_encode: Final = msgspec.json.Encoder().encode


class TapEvent(msgspec.Struct, frozen=True):
    """gateways: who answered."""

    items: list[CallLine]
    seen: int
    left_out: int
    gateways: list[str]


class TapRoute:
    __slots__ = ("_live_count", "_places", "_questions")

    def __init__(self, questions: Questions, live_count: Callable[[], int], places: Places) -> None:
        self._questions = questions
        self._live_count = live_count
        self._places = places

    def get(self, request: Request) -> Reply | Stream:
        query = query_of(request.query, frozenset({"filter", "sample"}))
        text = query.get("filter", "")
        try:
            holds = compile_filter(text)
        except BadFilter as error:
            message = f"query.filter: {error}"
            found = FieldError(path="query.filter", code="bad_filter", message=message)
            raise invalid_request(message, (found,)) from error
        percent = number_of(query, "sample", 100, low=1, high=100)
        if request.is_head:
            return Reply(200, headers=_HEAD)
        sight = Sight(request.caller.namespaces("metrics:read"))
        question = TapQuestion(
            id=secrets.token_urlsafe(9), filter=text, percent=float(percent or 100), namespaces=sight.namespaces
        )
        return PlacedStream(TapStream(self._questions, self._live_count, question, holds, sight), self._places, request)


class TapStream:
    """question: asked each half second, as long as somebody reads. holds: its filter. sight: the reader's."""

    __slots__ = ("_holds", "_live_count", "_outlet", "_question", "_questions", "_sight", "_task")

    is_endless: bool = True

    def __init__(
        self,
        questions: Questions,
        live_count: Callable[[], int],
        question: TapQuestion,
        holds: Holds,
        sight: Sight,
    ) -> None:
        self._questions = questions
        self._live_count = live_count
        self._question = question
        self._holds = holds
        self._sight = sight
        self._outlet: Outlet | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        outlet.open(200, _HEAD)
        self._task = spawn(self._run(), name="tap")

    def resume(self) -> None:
        """What could not be shown meanwhile was counted."""

    def stop(self) -> None:
        self._outlet = None
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        body = msgspec.to_builtins(self._question)
        left_out = quiet = 0
        while self._outlet is not None:
            try:
                told = await self._questions.ask_all(TAP, body, count=self._live_count(), wait_s=WAIT_S)
            except Problem as problem:
                self._say("problem", _encode({"code": problem.code, "title": problem.title, "detail": problem.detail}))
                await asyncio.sleep(WAIT_S)
                continue
            event = self.event(told, left_out)
            if event.seen or left_out or quiet >= QUIET_TURNS:
                left_out = 0 if self._say("calls", _encode(event)) else event.left_out + len(event.items)
                quiet = 0
            else:
                quiet += 1
            await asyncio.sleep(EVERY_S)

    def event(self, told: list[Any], left_out: int) -> TapEvent:
        """left_out: of the events that could not be sent."""
        heard = [one for one in map(_tapped, told) if one is not None]
        shown = [line for one in heard for line in one.lines]
        seen, left = sum(one.seen for one in heard), sum(one.left_out for one in heard)
        if self._sight.namespaces is not None:
            # Filtered once more, as he sees them: nobody learns by a filter, or a count, what he is not shown.
            shown = [line for line in map(self._sight.call, shown) if line is not None and self._holds(line)]
            seen, left = len(shown), 0
        shown.sort(key=lambda line: line.time)
        most = int(MOST_PER_S * EVERY_S)
        left += max(0, len(shown) - most)
        return TapEvent(shown[-most:], seen + left_out, left + left_out, sorted(one.node for one in heard))

    def _say(self, name: str, data: bytes) -> bool:
        """Whether it went out: a reader who is slow gets less."""
        outlet = self._outlet
        if outlet is None or outlet.is_paused:
            return False
        outlet.send(b"event: %b\ndata: %b\n\n" % (name.encode(), data))
        return True


def _tapped(told: Any) -> Tapped | None:
    """None: a gateway that could not tell, or another version's."""
    try:
        found = msgspec.convert(told, Tapped)
    except msgspec.ValidationError:
        return None
    return None if found.error else found
