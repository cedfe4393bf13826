"""AccessPolicies in a gateway's processes: over a start without, a restart without a registry, behind a proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.changes import document, edge_route, running, to
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.plain_service import PlainService

BOOKS = [{"service": "books"}]
NO_ADMIN = [{"action": "deny", "to": [{"path": {"prefix": "/admin"}}]}]
ROUTE = document("Route", "r", edge_route(to("books")))


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with PlainService("books") as books, Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        feed.commit(ROUTE)
        yield feed


async def edge(gateway: GatewayProcess, path: str = "/", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await gateway.client.get(f"{gateway.edge}{path}", headers={"Host": "shop.example"} | named)
    return answer.status_code


async def test_at_a_first_start_nothing_passes_by_a_policy_that_cannot_be_read(feed: Feed, tmp_path: Path) -> None:
    feed.commit(document("AccessPolicy", "p", {"targets": BOOKS, "of_a_later_version": True}))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        answer = await gateway.call("books")
        assert (answer.status_code, answer.json()["code"]) == (503, "policy_unavailable")
        feed.commit(document("AccessPolicy", "p", {"targets": BOOKS, "rules": NO_ADMIN}))
        await gateway.wait_for_revision(feed.revision)
        assert [await edge(gateway, path) for path in ("/", "/%41dmin;x", "/admin")] == [200, 403, 403]


async def test_what_a_policy_keeps_out_stays_out_without_a_registry(feed: Feed, tmp_path: Path) -> None:
    feed.commit(document("AccessPolicy", "p", {"targets": BOOKS, "rules": NO_ADMIN}))
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        feed.commit(document("AccessPolicy", "p", {"targets": BOOKS, "rules": "none"}))
        await gateway.wait_for_revision(feed.revision)
        assert len((await gateway.config())["refused"]) == 1
        assert [await edge(gateway, path) for path in ("/", "/admin")] == [200, 403]  # the last good version
        await gateway.stop()
    await feed.stop()
    async with GatewayProcess(tmp_path, feed.url, workers=1) as alone:
        assert [await edge(alone, path) for path in ("/", "/admin")] == [200, 403]
        line = next(line for line in alone.access_log() if line["path"].startswith("/admin"))
        assert (line["reason"], line["policy"]) == ("denied", "AccessPolicy default/p")


async def test_behind_a_proxy_the_right_most_address_that_is_not_trusted_counts(feed: Feed, tmp_path: Path) -> None:
    office = {"entries": [{"cidr": "192.0.2.0/24"}]}
    feed.commit(document("IpList", "office", office, "mesh"))
    rules = [{"action": "allow", "from": [{"ip_list": "office"}]}]
    feed.commit(document("AccessPolicy", "p", {"targets": [{"route": "r"}], "rules": rules}))
    feed.commit(document("AccessPolicy", "a", {"targets": BOOKS, "default": "deny", "mode": "audit"}))
    proxies = {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker=proxies) as gateway:
        assert await edge(gateway) == 403
        assert await edge(gateway, X_Forwarded_For="192.0.2.7") == 200
        assert await edge(gateway, X_Forwarded_For="198.51.100.1, 192.0.2.7, 10.1.1.1") == 200
        assert await edge(gateway, X_Forwarded_For="192.0.2.7, 198.51.100.1") == 403
        assert await edge(gateway, X_Forwarded_For="192.0.2.7, nonsense") == 403
        await gateway.wait_for_count("meshway_access_would_deny_total", 2)
