"""What changed, by name alone: for readers that ask for what they show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from registry.feed.log_cursor import LogCursor
from registry.feed.log_pages import Behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.feed.log_pages import LogPages
    from registry.feed.watcher import Filter
    from registry.view.view import View

MOST_NAMES: Final = 200  # of one event; of what is more the kind and the namespace alone
_TAKE_BYTES: Final = 1 << 20


class Named(msgspec.Struct, frozen=True):
    """name: of an instance `service/id`; "": several of this kind and namespace."""

    kind: str
    namespace: str
    name: str


class Changed(NamedTuple):
    """revision: up to where. names: each once. is_reset: something is missing, and all has to be asked for anew."""

    revision: int
    names: list[Named]
    is_reset: bool = False


class NameWatcher:
    """revision: how far it has got, also over revisions that its filter left out; where to resume from. One that falls
    behind, or comes with a revision that is not in the log, is told so and goes on at the head."""

    __slots__ = ("_closed", "_cursor", "_filter", "_is_reset", "_pages", "_view", "_wake")

    def __init__(
        self,
        view: View,
        pages: LogPages,
        *,
        since: int | None,
        admitted: Filter,
        wake: Callable[[], None],
        closed: Callable[[NameWatcher], None],
    ) -> None:
        self._view = view
        self._pages = pages
        self._filter = admitted
        self._wake = wake
        self._closed = closed
        self._is_reset = since is not None and (since > view.revision or since + 1 < view.floor)
        at = view.revision if since is None or self._is_reset else since
        self._cursor = LogCursor(view, pages, at, wake)

    @property
    def revision(self) -> int:
        return self._cursor.revision

    @property
    def has_more(self) -> bool:
        """Whether `take` should be called again without a wake before it."""
        return not (self._cursor.is_at_head or self._cursor.is_reading)

    def wake(self) -> None:
        self._wake()

    def take(self) -> Changed | None:
        """Of some revisions together; None: nothing that concerns it."""
        is_reset, self._is_reset = self._is_reset, False
        found: dict[tuple[str, str, str], None] = {}
        try:
            for entry in self._cursor.take(_TAKE_BYTES):
                for change in entry.changes:
                    if self._filter.admits(change):
                        found[change.kind, change.namespace, change.name] = None
        except Behind:
            self._cursor.close()
            self._cursor = LogCursor(self._view, self._pages, self._view.revision, self._wake)
            is_reset, found = True, {}
        if not (found or is_reset):
            return None
        return Changed(self._cursor.revision, _few(list(found)), is_reset)

    def close(self) -> None:
        self._cursor.close()
        self._closed(self)


def _few(keys: list[tuple[str, str, str]]) -> list[Named]:
    named = [Named(*key) for key in keys[:MOST_NAMES]]
    rest = dict.fromkeys((kind, namespace) for kind, namespace, _ in keys[MOST_NAMES:])
    return [*named, *(Named(kind, namespace, "") for kind, namespace in rest)]
