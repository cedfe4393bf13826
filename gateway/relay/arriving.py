"""A body on its way to several who read it, each as fast as he can."""


class Arriving:
    """In pieces, numbered from 0. end: how many have come."""

    __slots__ = ("_first", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._first = 0  # number of the first piece that is still there

    @property
    def end(self) -> int:
        return self._first + len(self._pieces)

    def add(self, data: bytes) -> None:
        self._pieces.append(data)

    def piece(self, at: int) -> bytes:
        return self._pieces[at - self._first]

    def since(self, at: int) -> bytes:
        return b"".join(self._pieces[at - self._first :])

    def forget(self, at: int) -> None:
        """What comes before this piece: nobody wants it any more."""
        if at > self._first:
            del self._pieces[: at - self._first]
            self._first = at
