"""The beginning of a request's body, kept while the request may have to be sent, or sent again."""


class Replay:
    """Holds pieces, not copies. limit: bytes kept once they were sent; above it the request cannot be repeated.

    What was not sent yet is kept whatever the limit: the caller is paused as long as nobody takes it, so that is one
    read at most.
    """

    __slots__ = ("_limit", "_pieces", "_size", "is_whole")

    def __init__(self, limit: int, first: bytes) -> None:
        self._limit = limit
        self._pieces = [first] if first else []
        self._size = len(first)
        self.is_whole = True

    def hold(self, data: bytes) -> None:
        """Nobody was there to take it."""
        self._pieces.append(data)
        self._size += len(data)

    def held(self) -> bytes:
        """All that is there, which stays."""
        return b"".join(self._pieces)

    def take(self) -> bytes:
        """All that is there, to be sent now."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = [data]
        if self._size > self._limit:
            self.drop()
        return data

    def keep(self, data: bytes) -> None:
        """It was sent; keep it for another attempt, if it fits."""
        if self.is_whole:
            self.hold(data)
            if self._size > self._limit:
                self.drop()

    def drop(self) -> None:
        """There will be no other attempt."""
        self.is_whole = False
        self._pieces = []
        self._size = 0
