"""Who listens to calls as they end: each with its filter, and a ring of what came since he was told last.

Listeners are asked for again and again by questions of the feed, and forgotten when nobody asks any more. While there
are none, calls do not know of it (telemetry/finish.py).
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.exchange import Exchange
from gateway.telemetry.access_line import LineWriter
from meshway.call_filter import BadFilter, Holds, compile_filter
from meshway.call_lines import MOST_TAPPED, CallLine, Tapped, TapQuestion

LISTENS_S: Final = 5.0  # without being asked for again
MOST_LISTENERS: Final = 16
_decode: Final = msgspec.json.Decoder(CallLine).decode


class _Listener:
    __slots__ = ("holds", "lines", "question", "seen", "share", "until")

    def __init__(self, question: TapQuestion, holds: Holds) -> None:
        self.question = question
        self.holds = holds
        self.share = question.percent / 100.0
        self.lines: deque[CallLine] = deque(maxlen=MOST_TAPPED)
        self.seen = 0
        self.until = 0.0

    def see(self, line: CallLine, random: Callable[[], float]) -> None:
        namespaces = self.question.namespaces
        # Calls of others would push what he may see out of the ring.
        if (namespaces is None or line.namespaces & namespaces) and self.holds(line):
            self.seen += 1
            if self.share >= 1.0 or random() < self.share:
                self.lines.append(line.shortened())


class Tap:
    """writer: of lines. turn: told whether somebody listens now, when that changes. random: uniform in [0, 1)."""

    def __init__(self, writer: LineWriter, turn: Callable[[bool], None], random: Callable[[], float]) -> None:
        self._writer = writer
        self._turn = turn
        self._random = random
        self._listeners: dict[str, _Listener] = {}

    def answer(self, question: TapQuestion, now: float) -> Tapped:
        """What came since the last time. now: of the worker's clock."""
        listener = self._listeners.get(question.id)
        if listener is None or listener.question != question:
            if listener is None and len(self._listeners) >= MOST_LISTENERS:
                return Tapped(node="", error=f"{MOST_LISTENERS} listen to this gateway already")
            try:
                listener = _Listener(question, compile_filter(question.filter))
            except BadFilter as error:
                return Tapped(node="", error=str(error))
            is_first = not self._listeners
            self._listeners[question.id] = listener
            if is_first:
                self._turn(True)
        listener.until = now + LISTENS_S
        lines, seen = list(listener.lines), listener.seen
        listener.lines.clear()
        listener.seen = 0
        return Tapped(node="", lines=lines, seen=seen, left_out=seen - len(lines))

    def see(self, exchange: Exchange, ended: float, outcome: bytes) -> None:
        """A call is over, and somebody listens."""
        line = _decode(self._writer.of(exchange, ended, outcome))
        for listener in self._listeners.values():
            listener.see(line, self._random)

    def beat(self, now: float) -> None:
        """Forgets who has not asked for a while."""
        gone = [name for name, listener in self._listeners.items() if listener.until < now]
        for name in gone:
            del self._listeners[name]
        if gone and not self._listeners:
            self._turn(False)
