"""Checks shared by registries over one PostgreSQL and one Valkey."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from tests.parts.conditions import until
from tests.parts.plain_service import PlainService
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.valkey import Valkey

CHECK = {"interval": "1s", "timeout": "500ms", "unhealthy_after": 1, "healthy_after": 1}


def statuses(registry: RunningRegistry) -> set[str]:
    return {row.instance.status for row in registry.core.view.services[("default", "books")].values()}


async def test_registries_share_the_instances_and_one_takes_over_from_another(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    urls = {"database_url": database_url, "redis_url": valkey.url}
    async with AsyncExitStack() as running, AsyncExitStack() as other, PlainService() as service:
        one = await running.enter_async_context(running_registry(tmp_path / "one", **urls))
        two = await other.enter_async_context(running_registry(tmp_path / "two", **urls))
        await until(
            lambda: one.core.replicas.alive() == two.core.replicas.alive() and len(one.core.replicas.alive()) == 2
        )
        for at in range(12):
            await one.register("books", f"b{at}", service.port, check=CHECK)
        keys = {("default", "books", f"b{at}") for at in range(12)}
        await until(lambda: one.core.checks.own | two.core.checks.own == keys)
        assert not one.core.checks.own & two.core.checks.own
        assert one.core.checks.own
        assert two.core.checks.own
        await until(lambda: statuses(one) == statuses(two) == {"passing"})

        service.status = 500
        await until(lambda: statuses(one) == statuses(two) == {"critical"})

        await other.aclose()
        await until(lambda: one.core.checks.own == keys, within_s=15)
        service.status = 200
        await until(lambda: statuses(one) == {"passing"})
