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
MAX_SHARED: Final = 16 << 20
"""Bytes of answers that are kept for whoever asks the same."""
MAX_SHARED_BODIES: Final = 10_000
_encode: Final = msgspec.json.Encoder().encode


class Answers:
    """place: a namespace, or a namespace and a service.

    The index of an answer is the last revision that touched the place, and one more: 0 would be no index to a client.
    It only grows: the revision of a replica that has just started is the head's, never an older one.
    """

    __slots__ = ("_following", "_shared", "_shared_bytes", "_view")

    def __init__(self, view: View, following: Following | None) -> None:
        self._view = view
        self._following = following
        self._shared: dict[tuple[Any, ...], tuple[str, int, bytes]] = {}
        self._shared_bytes = 0

    def index_of(self, place: tuple[str, ...]) -> int:
        return self._view.revision_of(*place) + 1

    def reply(self, place: tuple[str, ...], body: bytes) -> Reply:
        """The store is what Consul calls the leader: unknown, and so many milliseconds ago, when it does not answer."""
        following = self._following
        is_known = following is None or following.is_fresh
        contact_ms = 0 if is_known or following is None else int(following.age_s * 1000)
        headers = _HEADERS % (self.index_of(place), b"true" if is_known else b"false", contact_ms)
        return Reply(200, body, headers=headers)

    def blocking(
        self, request: Request, query: ConsulQuery, place: tuple[str, ...], read: Callable[[], Any]
    ) -> Reply | Stream:
        """Answers what `read` gives, at once, or when the place has changed since the caller's index, or in time."""

        def answer() -> Reply:
            try:
                return self.reply(place, self._body(key, place, read))
            except Problem as problem:
                return refusal_reply(problem)

        key = (request.path, *query.asked)
        since = query.index()
        wait_s = query.wait_s()
        if not since or self.index_of(place) > since:
            return answer()
        return HeldAnswer(self._view, place, since - 1, wait_s, request, answer)

    def _body(self, key: tuple[Any, ...], place: tuple[str, ...], read: Callable[[], Any]) -> bytes:
        """A change wakes everybody who watches a service, and all of them are told the same: it is encoded once."""
        epoch, index = self._view.epoch, self.index_of(place)
        shared = self._shared.get(key)
        if shared is not None and shared[:2] == (epoch, index):
            return shared[2]
        body = _encode(read())
        before = 0 if shared is None else len(shared[2])
        if self._shared_bytes + len(body) - before > MAX_SHARED or len(self._shared) >= MAX_SHARED_BODIES:
            self._shared.clear()
            self._shared_bytes = before = 0
        if len(body) <= MAX_SHARED:
            self._shared[key] = (epoch, index, body)
            self._shared_bytes += len(body) - before
        return body
