"""The numbers of calls put together: taken, rolled up, read; and single calls that gateways told of."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from registry.insight.ingest import Ingest
from registry.insight.reading import Reading
from registry.insight.rolling import Rolling
from registry.store.insight_file import InsightFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from registry.insight.requests import RequestLog
    from registry.insight.shared_calls import SharedRequests, SharedSpans
    from registry.insight.spans import SpanLog
    from registry.settings import RegistrySettings
    from registry.store.calls import CallStore
    from registry.store.insight import InsightStore
    from registry.store.interface import Store
    from registry.view.view import View

_LEAD: Final = "numbers"


class Insight:
    __slots__ = ("ingest", "reading", "requests", "rolling", "spans")

    def __init__(
        self,
        numbers: InsightStore,
        requests: RequestLog | SharedRequests,
        spans: SpanLog | SharedSpans,
        store: Store,
        view: View,
        wall: Callable[[], float],
        kept_s: Callable[[], dict[int, float]],
    ) -> None:
        """kept_s: how long points are kept, by their step."""

        def version_of(key: tuple[str, str, str]) -> str:
            row = view.instance(key)
            return "" if row is None else row.instance.version or ""

        self.reading = Reading(numbers, wall, kept_s=kept_s)
        self.ingest = Ingest(numbers, version_of, wall, self.reading.heard)
        self.rolling = Rolling(numbers, lambda: store.lead(_LEAD), wall, kept_s=kept_s)
        self.requests = requests
        self.spans = spans


@asynccontextmanager
async def open_numbers(settings: RegistrySettings) -> AsyncIterator[InsightStore]:
    """Where the store is: in the shared database, or beside the embedded store. Raises StartRefused."""
    numbers: InsightStore
    if settings.database_url:
        from registry.store.postgres.insight import PostgresInsight  # a tenth of a second, for those who want it

        numbers = PostgresInsight(settings.database_url)
    else:
        numbers = InsightFile(settings.data_dir)
    try:
        yield numbers
    finally:
        await numbers.close()


@asynccontextmanager
async def open_calls(settings: RegistrySettings) -> AsyncIterator[CallStore | None]:
    """Of a shared database; None: the embedded store's registry keeps what it hears by itself."""
    if not settings.database_url:
        yield None
        return
    from registry.store.postgres.calls import PostgresCalls  # a tenth of a second, for those who want it

    calls = PostgresCalls(settings.database_url)
    try:
        yield calls
    finally:
        await calls.close()
