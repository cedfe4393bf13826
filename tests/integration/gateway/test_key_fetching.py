"""Keys of token issuers by URL: fetched off the way of any call, changed while calls go on, believed for a time."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.authentication import token_method
from gateway.channel import KeySetFrame
from gateway.supervisor.key_fetching import KeyFetching
from meshway.issuers.key_sources import fetching
from meshway.outbound.guard import guarded_dial
from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import document, gone, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, token
from tests.parts.upstream import Received, RecordingUpstream

OLD, NEW = SigningKey("EC"), SigningKey("EC")


class Publisher:
    """An issuer's server. keys: of its set. status: 200, or what it answers instead."""

    def __init__(self, *keys: tuple[str, SigningKey]) -> None:
        self.keys = keys
        self.status = 200
        self.upstream = RecordingUpstream(pieces_of=self._answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.upstream.port}/jwks?v=1"

    def _answer(self, received: Received) -> list[bytes]:
        assert received.target == b"/jwks?v=1"
        text = json.dumps({"keys": [key.jwk(name) for name, key in self.keys]}).encode()
        return [b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (self.status, len(text)), text]


def people(url: str, **fields: Any) -> Change:
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_uri": url} | fields
    return document("Authentication", "people", {"methods": [{"jwt": jwt}]})


@asynccontextmanager
async def fetched(gateway: CompiledGateway) -> AsyncIterator[KeyFetching]:
    """A supervisor's fetching for one gateway, without the processes between."""

    def take(frame: object) -> None:
        if isinstance(frame, KeySetFrame):
            gateway.keys.take(frame.url, frame.text, frame.confirmed_s)

    fetch_text = fetching(guarded_dial(allow_loopback=True))
    keys = KeyFetching(fetch_text, take, time.monotonic, time.time, lambda: 0.5)
    task = spawn(keys.run(), name="fetch keys")
    try:
        yield keys
    finally:
        task.cancel()


async def status(gateway: CompiledGateway, key: SigningKey, key_id: str) -> int:
    return (await gateway.ask(fields=f"Authorization: Bearer {token(key, kid=key_id)}\r\n"))[0]


@pytest.mark.proves("Jwt.jwks_uri", "Jwt.jwks_refresh")
async def test_keys_come_by_url_and_a_rotation_is_followed() -> None:
    publisher = Publisher(("old", OLD))
    async with publisher.upstream.running(), services(saying("1")) as books:
        policy = people(publisher.url, jwks_refresh="5s")
        async with compiled_gateway(*books, route(to("books")), policy) as gateway, fetched(gateway) as keys:
            assert await status(gateway, OLD, "old") == 401
            keys.take([policy])
            await until(lambda: gateway.keys.keys(publisher.url, 0.0) is not None, what="keys")
            assert (await status(gateway, OLD, "old"), await status(gateway, NEW, "new")) == (200, 401)
            publisher.keys = (("old", OLD), ("new", NEW))
            await until(lambda: len(publisher.upstream.requests) > 1, 30.0, what="the next fetch")
            await until(lambda: len(gateway.keys.keys(publisher.url, 0.0) or ()) == 2, what="both keys")
            assert (await status(gateway, OLD, "old"), await status(gateway, NEW, "new")) == (200, 200)
            publisher.keys = (("new", NEW),)
            await until(lambda: len(gateway.keys.keys(publisher.url, 0.0) or ()) == 1, 30.0, what="one key")
            assert (await status(gateway, OLD, "old"), await status(gateway, NEW, "new")) == (401, 200)


async def test_a_flood_of_unknown_key_ids_costs_one_fetch() -> None:
    publisher = Publisher(("old", OLD))
    async with publisher.upstream.running(), services(saying("1")) as books:
        policy = people(publisher.url)
        async with compiled_gateway(*books, route(to("books")), policy) as gateway, fetched(gateway) as keys:
            keys.take([policy])
            await until(lambda: gateway.keys.keys(publisher.url, 0.0) is not None, what="keys")
            for at in range(50):
                assert await status(gateway, NEW, f"no-{at}") == 401
                keys.miss(publisher.url)
            assert len(publisher.upstream.requests) == 1


@pytest.mark.proves("Jwt.jwks_max_stale")
async def test_keys_are_believed_while_the_issuer_is_down_and_no_longer_than_the_document_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_method, "REMEMBERED_S", 0.0)
    async with services(saying("1")) as books:
        url = "http://127.0.0.1:9/jwks"
        policies = [people(url, jwks_max_stale="1m"), people(url)]
        async with compiled_gateway(*books, route(to("books")), policies[0]) as gateway:
            text = json.dumps({"keys": [OLD.jwk("old")]}).encode()
            for age_s, expected in ((30.0, 200), (61.0, 401), (10.0, 200)):
                gateway.keys.take(url, text, time.time() - age_s)
                assert await status(gateway, OLD, "old") == expected
            gateway.keys.take(url, text, time.time() - 3600.0)
            assert await status(gateway, OLD, "old") == 401
            gateway.apply(policies[1])
            assert await status(gateway, OLD, "old") == 200
            gateway.keys.drop(but=())
            assert await status(gateway, OLD, "old") == 401


async def test_a_server_that_answers_something_else_changes_nothing() -> None:
    publisher = Publisher(("old", OLD))
    async with publisher.upstream.running(), services(saying("1")) as books:
        policy = people(publisher.url, jwks_refresh="5s")
        async with compiled_gateway(*books, route(to("books")), policy) as gateway, fetched(gateway) as keys:
            keys.take([policy])
            await until(lambda: gateway.keys.keys(publisher.url, 0.0) is not None, what="keys")
            publisher.status, publisher.keys = 302, (("new", NEW),)
            await until(lambda: len(publisher.upstream.requests) > 2, 30.0, what="two more fetches")
            assert (await status(gateway, OLD, "old"), await status(gateway, NEW, "new")) == (200, 401)


async def test_the_processes_of_a_gateway_fetch_keys_and_a_new_worker_has_them_at_once(tmp_path: Path) -> None:
    publisher, upstream = Publisher(("old", OLD)), saying("1")
    async with publisher.upstream.running(), services(upstream) as books, Feed() as feed:
        feed.commit(*books, route(to("books")), people(publisher.url))
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:

            async def call(key: SigningKey, key_id: str) -> int:
                headers = {"Host": "shop.example", "Authorization": f"Bearer {token(key, kid=key_id)}"}
                return (await gateway.client.get(f"{gateway.edge}/", headers=headers)).status_code

            async def eventually(key: SigningKey, key_id: str) -> None:
                end = time.monotonic() + 20.0
                while await call(key, key_id) != 200:
                    assert time.monotonic() < end, gateway.text()
                    await asyncio.sleep(0.05)

            await eventually(OLD, "old")
            assert await call(NEW, "new") == 401
            assert len(publisher.upstream.requests) == 1
            former = set(await gateway.worker_pids())
            gateway.send(signal.SIGHUP)
            await gateway.wait_for_workers(former, 1)
            assert await call(OLD, "old") == 200
            assert len(publisher.upstream.requests) == 1
            feed.commit(gone("Authentication", "people"))
            await eventually(NEW, "new")
