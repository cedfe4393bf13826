"""Reads: the headers of every answer, and blocking queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem
from registry.compat.consul.refusals import refusal_reply
from registry.machine.discovery import HeldAnswer
from registry.machine.request import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.compat.consul.queries import ConsulQuery
    from registry.machine.request import Request, Stream
    from registry.revisions.following import Following
    from registry.view.view import View

_HEADERS: Final = b"X-Consul-Index: %d\r\nX-Consul-KnownLeader: %b\r\nX-Consul-LastContact: %d\r\n"
_encode: Final = msgspec.json.Encoder().encode


class Answers:
    """place: a namespace, or a namespace and a service.

    The index of an answer is the last revision that touched the place, and one more: 0 would be no index to a client.
    It only grows: the revision of a replica that has just started is the head's, never an older one.
    """

    __slots__ = ("_following", "_view")

    def __init__(self, view: View, following: Following | None) -> None:
        self._view = view
        self._following = following

    def index_of(self, place: tuple[str, ...]) -> int:
        return self._view.revision_of(*place) + 1

    def reply(self, place: tuple[str, ...], value: Any) -> Reply:
        """The store is what Consul calls the leader: unknown, and so many milliseconds ago, when it does not answer."""
        following = self._following
        is_known = following is None or following.is_fresh
        contact_ms = 0 if is_known or following is None else int(following.age_s * 1000)
        headers = _HEADERS % (self.index_of(place), b"true" if is_known else b"false", contact_ms)
        return Reply(200, _encode(value), headers=headers)

    def blocking(
        self, request: Request, query: ConsulQuery, place: tuple[str, ...], read: Callable[[], Any]
    ) -> Reply | Stream:
        """Answers what `read` gives, at once, or when the place has changed since the caller's index, or in time."""

        def answer() -> Reply:
            try:
                return self.reply(place, read())
            except Problem as problem:
                return refusal_reply(problem)

        since = query.index()
        wait_s = query.wait_s()
        if not since or self.index_of(place) > since:
            return answer()
        return HeldAnswer(self._view, place, since - 1, wait_s, request, answer)
