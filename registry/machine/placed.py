"""A stream that takes one of a limited number of places, and holds it as long as it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.machine.request import problem_reply

if TYPE_CHECKING:
    from registry.machine.request import Outlet, Request, Stream
    from registry.manners.places import Places


class PlacedStream:
    """Without a place its answer is the refusal, and the connection serves on."""

    __slots__ = ("_inner", "_is_placed", "_places", "_request")

    is_endless: bool = True

    def __init__(self, inner: Stream, places: Places, request: Request) -> None:
        self._inner = inner
        self._places = places
        self._request = request
        self._is_placed = False

    def start(self, outlet: Outlet) -> None:
        refusal = self._places.take(self._request.peer)
        if refusal is not None:
            outlet.reply(problem_reply(refusal, self._request.request_id))
            return
        self._is_placed = True
        self._inner.start(outlet)

    def resume(self) -> None:
        if self._is_placed:
            self._inner.resume()

    def stop(self) -> None:
        if self._is_placed:
            self._is_placed = False
            self._places.leave(self._request.peer)
            self._inner.stop()
