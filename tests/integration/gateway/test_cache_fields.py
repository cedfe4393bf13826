"""Fields of a rule's cache: each in two values, between which it differs how often the service is asked."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from meshway.tasks import spawn
from tests.integration.gateway.test_caching import FRESH, shop
from tests.parts.answering_service import Asked, answer
from tests.parts.conditions import until

Cache = dict[str, Any]


@dataclass
class Get:
    """leap_s: passes before it."""

    target: str = "/"
    fields: str = ""
    method: str = "GET"
    leap_s: float = 0.0


@dataclass
class Pair:
    """How often the service is asked by the same calls under one cache, and under another. fails: it does from the
    second call on."""

    one: Cache
    times: int
    other: Cache
    other_times: int
    calls: list[Get] = field(default_factory=lambda: [Get(), Get()])
    said: str = FRESH
    status: int = 200
    body: str = "one"
    fails: bool = False
    statuses: tuple[int, int] = (200, 200)


def proved(pair: Pair, *fields: str) -> Any:
    return pytest.param(pair, id=fields[0])


PAIRS: Final = [
    proved(Pair({}, 1, {"methods": ["GET"]}, 2, [Get(), Get(method="HEAD")]), "Cache.methods"),
    proved(Pair({"default_ttl": "60s"}, 1, {}, 2, said=""), "Cache.default_ttl"),
    proved(Pair({}, 1, {"max_ttl": "5s"}, 2, [Get(), Get(leap_s=10.0)]), "Cache.max_ttl"),
    proved(Pair({"statuses": [200, 302]}, 1, {}, 2, status=302, statuses=(302, 302)), "Cache.statuses"),
    proved(Pair({"query": ["id"]}, 1, {}, 2, [Get("/?id=1&utm=a"), Get("/?id=1&utm=b")]), "Cache.query"),
    proved(Pair({"headers": ["x-kind"]}, 2, {}, 1, [Get(fields="X-Kind: a\r\n"), Get()]), "Cache.headers"),
    proved(
        Pair({"cookies": ["tier"]}, 2, {}, 1, [Get(fields="Cookie: tier=a\r\n"), Get(fields="Cookie: tier=b\r\n")]),
        "Cache.cookies",
    ),
    proved(
        Pair({"client_control": True}, 2, {}, 1, [Get(), Get(fields="Cache-Control: no-cache\r\n")]),
        "Cache.client_control",
    ),
    proved(
        Pair({"stale_if_error": "60s"}, 2, {}, 2, [Get(), Get(leap_s=70.0)], fails=True, statuses=(200, 503)),
        "Cache.stale_if_error",
    ),
    proved(Pair({"max_object": "1KiB"}, 2, {}, 1, body="x" * 2000), "Cache.max_object"),
    proved(
        Pair({"max_object": "1KiB", "max_total": "3KiB"}, 4, {}, 3, [Get("/a"), Get("/b"), Get("/c"), Get("/a")]),
        "Cache.max_total",
    ),
]


@pytest.mark.parametrize("pair", PAIRS)
async def test_a_field_turns_how_often_the_service_is_asked(pair: Pair) -> None:
    for cache, times, last in (
        (pair.one, pair.times, pair.statuses[0]),
        (pair.other, pair.other_times, pair.statuses[1]),
    ):

        def reply(asked: Asked) -> bytes:
            if pair.fails and len(of.service.asked) > 1:
                return answer("sorry", status=503)
            return answer(pair.body, pair.said, pair.status)

        async with shop(reply, cache) as of:
            for call in pair.calls:
                of.gateway.leap(call.leap_s)
                status, _, body = await of.get(call.target, call.fields, call.method)
            assert (of.calls, status) == (times, last)
            if last == pair.status and pair.calls[-1].method == "GET":
                assert body == pair.body


@pytest.mark.proves("Cache.stale_while_revalidate")
async def test_a_stale_answer_is_given_at_once_while_it_is_asked_for_anew() -> None:
    gate = asyncio.Event()

    async def reply(asked: Asked) -> bytes:
        if len(of.service.asked) > 1:
            await gate.wait()
        return answer(f"call {len(of.service.asked)}", FRESH)

    async with shop(reply, {"stale_while_revalidate": "60s"}) as of:
        await of.get()
        of.gateway.leap(70.0)
        assert [(await of.get())[2] for _ in range(3)] == ["call 1"] * 3
        await until(lambda: of.calls == 2, what="it is asked for anew, once")
        gate.set()
        for _ in range(500):
            if (await of.get())[2] == "call 2":
                break
            await asyncio.sleep(0.01)
        assert of.calls == 2
        assert {line["cache"] for line in of.gateway.lines} == {"miss", "stale", "hit"}


@pytest.mark.proves("Cache.coalesce", "Cache.coalesce_wait")
async def test_calls_for_the_same_wait_for_one_answer_as_long_as_they_may() -> None:
    for cache, asked_before in (({"coalesce_wait": "60s"}, 1), ({"coalesce_wait": "1ms"}, 5), ({"coalesce": False}, 5)):
        gate = asyncio.Event()

        async def reply(asked: Asked) -> bytes:
            await gate.wait()  # noqa: B023  # awaited in the same turn
            return answer("one", FRESH)

        async with shop(reply, cache) as of:
            calls = [spawn(of.get(), name="a caller") for _ in range(5)]
            await until(lambda: of.calls == asked_before, what=f"{asked_before} ask")  # noqa: B023  # as above
            gate.set()
            assert {body for _, _, body in await asyncio.gather(*calls)} == {"one"}
            assert of.calls == asked_before
