"""What a running gateway reports of its calls, and how often."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService


def every(text: str) -> Any:
    return document("MeshSettings", "mesh", {"telemetry": {"report_every": text}}, "mesh")


@pytest.mark.proves("MeshSettings.telemetry", "MeshTelemetry.report_every")
async def test_it_reports_what_it_carried_as_often_as_the_mesh_says(tmp_path: Path) -> None:
    async with PlainService("books") as books, Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        revision = feed.commit(every("3s"))
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
            await gateway.wait_for_revision(revision)

            async def told(count: int) -> list[dict[str, Any]]:
                """So many more reports, each of some calls."""
                known = len(feed.numbers)
                while len(feed.numbers) < known + count:
                    before = len(feed.numbers)
                    assert (await gateway.call("books")).status_code == 200
                    await until(lambda before=before: len(feed.numbers) > before, 30, what="a report")  # type: ignore[misc]
                return feed.numbers[known:]

            seldom = await told(2)
            assert seldom[1]["ended"] - seldom[1]["begun"] >= 2.9
            assert [row[:3] for report in seldom for row in report["edges"]] == [
                [["anonymous", "default/books"], 1, 0],
                [["anonymous", "default/books"], 1, 0],
            ]
            assert seldom[1]["sequence"] == seldom[0]["sequence"] + 1
            await gateway.wait_for_revision(feed.commit(every("1s")))
            assert min(report["ended"] - report["begun"] for report in (await told(4))[1:]) < 2.9


@pytest.mark.proves("RuleDestination.track")
async def test_a_destination_with_a_track_is_counted_apart(tmp_path: Path) -> None:
    async def shop(gateway: GatewayProcess) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(gateway.edge, headers={"Host": "shop.example"})

    def split(**canary: str) -> Any:
        destinations = [{"service": "books", "weight": 0}, {"service": "books", "weight": 1, **canary}]
        return document(
            "Route", "shop", {"hosts": ["shop.example"], "rules": [{"name": "all", "destinations": destinations}]}
        )

    async with PlainService("books") as books, Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        feed.commit(every("1s"))
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:

            async def told(change: Any) -> dict[str, Any]:
                await gateway.wait_for_revision(feed.commit(change))
                known = len(feed.numbers)
                assert (await shop(gateway)).status_code == 200
                await until(lambda: len(feed.numbers) > known, 30, what="a report")
                return feed.numbers[known]

            plain = await told(split())
            assert not plain.get("tracks")
            apart = await told(split(track="canary"))
            assert [row[:2] for row in apart["tracks"]] == [[["default/shop", "all", "canary"], 1]]
            assert [row[0][:2] for row in apart["routes"]] == [["default/shop", "all"]]
