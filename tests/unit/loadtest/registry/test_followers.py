"""Simulated gateways that take bytes: they are there from the head on, as watchers of etcd and ZooKeeper are."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from loadtest.registry.followers import followers
from tests.parts.registry import running_registry

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from registry.feed.follower import Follower


async def test_followers_that_take_bytes_begin_at_the_head_and_not_with_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_registry(tmp_path) as registry:
        for port in range(1, 4):
            await registry.register("books", "b1", port)
        feed, begun = registry.core.feed, list[int | None]()
        follow = feed.follow

        def noted(*, since: int | None, **others: Any) -> Follower:
            begun.append(since)
            return follow(since=since, **others)

        monkeypatch.setattr(feed, "follow", noted)
        crowd = followers(registry.port, 3, min(os.sched_getaffinity(0)))
        await asyncio.to_thread(crowd.__enter__)
        try:
            assert begun == [registry.core.view.revision] * 3
            assert {follower.revision for follower in feed.followers} == {registry.core.view.revision}
        finally:
            await asyncio.to_thread(crowd.__exit__, None, None, None)
