"""What a registry opens before its parts are put together: its store, its key, and what it shares with others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from registry.documents.reading import rows_of
from registry.leases.place import AgreedPlace
from registry.limits.books import MemoryBooks
from registry.live.memory import MemoryBus, MemoryLive
from registry.sealing import new_data_key, read_master_key, sealing_of
from registry.settings import StartRefused
from registry.store.interface import DataKeyRecord, StoreUnavailable
from registry.store.sqlite import SqliteStore
from registry.view.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from meshway.sealing import Sealing
    from registry.limits.books import Books
    from registry.live.interface import Bus, Live, Veto
    from registry.settings import RegistrySettings
    from registry.store.interface import SharedStore, Store


_DATA_KEY = "secrets"


@asynccontextmanager
async def open_store(settings: RegistrySettings) -> AsyncIterator[tuple[Store, SharedStore | None]]:
    """The store, and the same once more when other registries may write to it."""
    if not settings.database_url:
        store = SqliteStore(settings.data_dir, migrate=settings.migrate)
        try:
            yield store, None
        finally:
            await store.close()
        return
    from registry.store.postgres.store import open_postgres  # a tenth of a second, for those who want it

    async with open_postgres(settings.database_url, migrate=settings.migrate) as shared:
        yield shared, shared


async def loaded_view(settings: RegistrySettings, store: Store) -> View:
    """Raises StartRefused."""
    try:
        loaded = await store.load()
    except StoreUnavailable as error:
        raise StartRefused(f"the store cannot be read: {error}") from error
    view = View(
        epoch=loaded.epoch,
        revision=loaded.revision,
        floor=loaded.floor,
        instance_number=loaded.instance_number,
        at=loaded.at,
        recent_bytes=settings.recent_bytes,
    )
    view.namespaces.update(loaded.namespaces)
    view.load(*rows_of(loaded))
    for once in loaded.onces:
        view.remember_once(once)
    view.know_tokens(loaded.tokens)
    view.know_people(loaded.people)
    view.audit_head = loaded.audit_head
    return view


async def opened_sealing(settings: RegistrySettings, store: Store) -> Sealing | None:
    """Raises StartRefused."""
    try:
        kept = {record.name: record.wrapped for record in await store.data_keys()}
        if settings.database_url and settings.master_key_file is None:
            # A key in the data folder of one of them would be of no use to the others.
            if kept:
                raise StartRefused(
                    "the store holds sealed secrets: name the key they are sealed by (MESHWAY_MASTER_KEY_FILE)"
                )
            return None
        master_key = await asyncio.to_thread(
            read_master_key, settings.master_key_file, settings.data_dir, is_first=_DATA_KEY not in kept
        )
        if _DATA_KEY not in kept:
            fresh = DataKeyRecord(_DATA_KEY, new_data_key(master_key))
            kept = {record.name: record.wrapped for record in await store.data_keys([fresh])}
    except StoreUnavailable as error:
        raise StartRefused(f"the keys of the store cannot be read: {error}") from error
    return sealing_of(kept[_DATA_KEY], master_key)


def live_state(
    settings: RegistrySettings, veto: Veto, place: AgreedPlace, clock: Callable[[], float]
) -> tuple[Live, Bus]:
    if not settings.redis_url:
        return MemoryLive(clock), MemoryBus()
    from registry.live.redis import RedisLive
    from registry.live.redis_bus import RedisBus  # a tenth of a second, for those who want it

    return RedisLive(settings.redis_url, clock, veto, place), RedisBus(settings.redis_url, clock)


def books(settings: RegistrySettings, clock: Callable[[], float]) -> Books:
    if not settings.redis_url:
        return MemoryBooks(clock)
    from registry.limits.redis import RedisBooks

    return RedisBooks(settings.redis_url)
