"""One connection to PostgreSQL, as what asks by it meets an outage."""

import pytest

from registry.store.interface import StoreGone
from registry.store.postgres import link
from registry.store.postgres.link import Link, Reached
from tests.parts.fault_proxy import FaultProxy
from tests.parts.postgres import Postgres


async def test_who_was_put_off_asks_at_once_when_another_has_reached_the_server(
    postgres: Postgres, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(link, "_LONGEST_PAUSE_S", 60.0)
    async with FaultProxy(postgres.port) as proxy:
        reached = Reached()
        url = database_url.replace(f":{postgres.port}/", f":{proxy.port}/")
        first, second, other = (
            Link(url, name="a", settings={}, reached=each) for each in (reached, reached, Reached())
        )
        try:
            proxy.refuse()
            for each in (second, other):
                with pytest.raises(StoreGone, match="does not answer"):
                    await each.open()
            await proxy.listen()
            with pytest.raises(StoreGone, match="does not answer"):
                await second.open()  # nobody knows yet
            await first.open()
            assert await (await second.open()).fetchval("SELECT 1") == 1
            with pytest.raises(StoreGone, match="does not answer"):
                await other.open()  # of another database, perhaps
        finally:
            for each in (first, second, other):
                await each.close()
