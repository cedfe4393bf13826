"""Where lines of logs are kept: the embedded store's files of their own, or the shared database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Phrase(NamedTuple):
    """Words in a row. is_prefix: the last one is the beginning of a word. is_not: lines that have them are left out."""

    words: tuple[str, ...]
    is_prefix: bool = False
    is_not: bool = False


class LogRow(NamedTuple):
    """at: microseconds since 1970. severity: OTLP's number. words: of the line, in order, with blanks between. value:
    what is shown, as the asker packed it."""

    at: int
    namespace: str
    service: str
    instance: str
    severity: int
    trace_id: str
    words: str
    value: bytes


class FoundLog(NamedTuple):
    """id: greater than of all that came before, but for those that registries write at one moment."""

    at: int
    id: int
    value: bytes


class LogQuestion(NamedTuple):
    """All must hold. namespaces: None: all. severity: at least. since, until: microseconds, `until` not within. before:
    the place of a line that was found, older ones are. after: an id, younger ones by it."""

    namespaces: frozenset[str] | None = None
    namespace: str = ""
    service: str = ""
    instance: str = ""
    severity: int = 0
    trace_id: str = ""
    since: int = 0
    until: int = 0
    before: tuple[int, int] | None = None
    after: int | None = None
    phrases: tuple[Phrase, ...] = ()


class LogStore(Protocol):
    """All may raise StoreUnavailable."""

    async def write(self, rows: Sequence[LogRow]) -> None: ...

    async def search(self, question: LogQuestion, limit: int) -> list[FoundLog]:
        """The youngest first; with `after` the oldest by id."""

    async def newest(self) -> int:
        """The id of the line that came last; 0: none."""

    async def prune(self, before: int, most_bytes: int) -> int:
        """Forgets what came before a moment (microseconds), and the oldest above so many bytes: how many lines of
        these."""

    async def close(self) -> None: ...
