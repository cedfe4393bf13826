"""How often a caller may ask the connection itself: by PING and SETTINGS, which are answered, and are for no call.

Who takes the answers is held up by nothing else. An honest caller asks often, too, while answers come: a client of gRPC
measures its way by a PING for a piece of one. So what he is sent counts for him, and a flood is what he asks beyond it.
Pure. Sources: CVE-2019-9512, CVE-2019-9515; nginx's measure, by which bytes of calls pay for all others.
"""

from typing import Final

SAVED: Final = 1_000  # that may come at once
_PER_S: Final = 100.0
_PER_BYTE: Final = 1 / 8  # of what he is sent beside: the shortest piece of an answer of gRPC is 15
_ANSWER: Final = 17  # bytes of one, at most


class Questions:
    """Of one connection. now: monotonic seconds."""

    __slots__ = ("_at", "_left", "_owed", "_sent")

    def __init__(self, now: float) -> None:
        self._left = float(SAVED)
        self._at = now
        self._sent = self._owed = 0  # bytes since he asked last, and those that answers of this kind will take

    def sent(self, size: int) -> None:
        """Bytes, such answers among them."""
        self._sent += size

    def may_ask(self, count: int, now: float) -> bool:
        """count: of what came now. False: it is a flood."""
        paid = min(self._owed, self._sent)
        left = self._left + (now - self._at) * _PER_S + (self._sent - paid) * _PER_BYTE
        self._left = min(left, float(SAVED)) - count
        self._owed += count * _ANSWER - paid
        self._sent, self._at = 0, now
        return self._left >= 0.0
