"""Which of several registries is asked: the one that answered last, and after it the others.

They stand over one store and know the same leases, so what one was told another one goes on with. Nobody goes back to
the first by itself: whoever answers is as good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class Turns:
    """urls: at least one. Safe to use from several threads: at worst one asks a registry that another has given up."""

    __slots__ = ("_at", "_urls")

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)
        self._at = 0

    @property
    def count(self) -> int:
        return len(self._urls)

    @property
    def current(self) -> str:
        return self._urls[self._at]

    def order(self) -> Iterator[str]:
        """Each once, beginning with the current one."""
        at = self._at
        yield from self._urls[at:]
        yield from self._urls[:at]

    def missed(self, url: str) -> None:
        """It did not answer: the next one is the current one, unless somebody went on already."""
        at = self._at
        if self._urls[at] == url:
            self._at = (at + 1) % len(self._urls)
