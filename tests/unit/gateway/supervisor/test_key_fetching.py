"""When keys are fetched."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.channel import ChannelFrame, KeySetFrame, KeySetsWanted
from gateway.supervisor.key_fetching import KeyFetching
from meshway.issuers.key_sources import LAST_RETRY_S, UNKNOWN_KEY_S
from meshway.outbound.connection import PlainError
from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.parts.changes import document, gone
from tests.parts.conditions import until
from tests.parts.tokens import SigningKey

KEY = SigningKey("EC")
GOOD = json.dumps({"keys": [KEY.jwk(), {"kty": "unknown"}]}).encode()


class Bench:
    """The clock stands until it is moved. answer: of every server; an error is raised."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.answer: bytes | PlainError = GOOD
        self.asked: list[str] = []
        self.sent: list[ChannelFrame] = []
        self.fetching = KeyFetching(self._fetch, self.sent.append, lambda: self.now_s, lambda: self.now_s, lambda: 0.5)

    async def _fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.answer, PlainError):
            raise self.answer
        return self.answer

    async def at(self, now_s: float) -> int:
        """How often it has asked by then."""
        self.now_s = now_s
        self.fetching.take([])  # looks at the clock again
        for _ in range(20):
            await asyncio.sleep(0)
        return len(self.asked)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    task = spawn(bench.fetching.run(), name="fetch keys")
    yield bench
    task.cancel()


def named(*urls: str, name: str = "people", **fields: Any) -> Change:
    methods = [
        {"jwt": {"issuer": f"https://id{at}.example", "audiences": ["shop"], "jwks_uri": url} | fields}
        for at, url in enumerate(urls)
    ]
    return document("Authentication", name, {"methods": methods})


async def test_each_url_is_fetched_once_however_many_name_it_and_again_by_the_shortest_refresh(bench: Bench) -> None:
    bench.fetching.take([named("https://a/", "https://b/"), named("https://a/", name="other", jwks_refresh="60s")])
    assert await bench.at(1000.0) == 2
    assert sorted(bench.asked) == ["https://a/", "https://b/"]
    assert [frame.text for frame in bench.sent if isinstance(frame, KeySetFrame)] == [GOOD] * 2
    assert await bench.at(1059.0) == 2
    assert await bench.at(1060.0) == 3
    assert bench.asked[2] == "https://a/"
    assert await bench.at(1300.0) == 5


async def test_the_keys_of_a_version_that_goes_on_in_place_of_an_unreadable_one_are_kept(bench: Bench) -> None:
    unreadable = document("Authentication", "people", {"methods": "of a later version"})
    bench.fetching.take([named("https://a/")])
    bench.fetching.take([unreadable])
    bench.fetching.replace([unreadable])
    assert await bench.at(1000.0) == 1
    assert not [frame for frame in bench.sent if isinstance(frame, KeySetsWanted)]
    assert len(bench.fetching.frames()) == 1
    bench.fetching.replace([])
    assert bench.fetching.frames() == []
    assert KeySetsWanted(urls=[]) in bench.sent


async def test_a_failure_is_tried_again_later_and_later_and_keeps_what_was_there(bench: Bench) -> None:
    bench.fetching.take([named("https://a/")])
    assert await bench.at(1000.0) == 1
    bench.answer = PlainError("down", "reset")
    now, count = 1300.0, 2
    assert await bench.at(now) == count
    for wait_s in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LAST_RETRY_S, LAST_RETRY_S):
        assert await bench.at(now + wait_s - 0.1) == count
        now, count = now + wait_s, count + 1
        assert await bench.at(now) == count
    (frame,) = bench.fetching.frames()
    assert isinstance(frame, KeySetFrame)
    assert (frame.text, frame.confirmed_s) == (GOOD, 1000.0)


@pytest.mark.parametrize("answer", [b"no JSON", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AA"}]}'])
async def test_a_set_without_a_key_that_can_be_used_is_a_failure(bench: Bench, answer: bytes) -> None:
    bench.answer = answer
    bench.fetching.take([named("https://a/")])
    assert await bench.at(1000.0) == 1
    assert bench.fetching.frames() == []
    bench.answer = GOOD
    assert await bench.at(1001.0) == 2
    assert len(bench.fetching.frames()) == 1


async def test_an_unknown_key_brings_the_next_fetch_forward_but_not_below_its_distance(bench: Bench) -> None:
    bench.fetching.take([named("https://a/")])
    assert await bench.at(1000.0) == 1
    for now in (1001.0, 1000.0 + UNKNOWN_KEY_S - 0.1):
        bench.now_s = now
        bench.fetching.miss("https://a/")
        bench.fetching.miss("https://nobody/")
        assert await bench.at(now) == 1
    assert await bench.at(1000.0 + UNKNOWN_KEY_S) == 2
    bench.now_s = 1100.0
    bench.fetching.miss("https://a/")
    assert await bench.at(1100.0) == 3


async def test_what_no_document_names_is_let_go(bench: Bench) -> None:
    bench.fetching.take([named("https://a/", "https://b/")])
    await until(lambda: len(bench.fetching.frames()) == 2, what="both")
    bench.fetching.take([named("https://b/")])
    assert [frame.url for frame in bench.fetching.frames() if isinstance(frame, KeySetFrame)] == ["https://b/"]
    assert bench.sent[-1] == KeySetsWanted(urls=["https://b/"])
    bench.fetching.take([gone("Authentication", "people")])
    assert bench.fetching.frames() == []
    bench.fetching.replace([named("https://c/")])
    await until(lambda: bench.asked[-1] == "https://c/", what="the snapshot's")


async def test_what_was_kept_over_a_restart_serves_until_the_issuer_answers(bench: Bench) -> None:
    bench.answer = PlainError("connect", "refused")
    bench.fetching.take([named("https://a/")])
    kept = KeySetFrame(url="https://a/", text=GOOD, confirmed_s=900.0)
    bench.fetching.restore(kept)
    bench.fetching.restore(KeySetFrame(url="https://gone/", text=GOOD, confirmed_s=900.0))
    assert await bench.at(1000.0) == 1
    assert bench.fetching.frames() == [kept]
    bench.answer = GOOD
    await bench.at(1100.0)
    assert [frame.confirmed_s for frame in bench.fetching.frames()] == [1100.0]
    bench.fetching.restore(kept)
    assert [frame.confirmed_s for frame in bench.fetching.frames()] == [1100.0], "what is younger stays"


@pytest.mark.parametrize("answer", [GOOD, PlainError("connect", "refused")])
async def test_the_query_of_an_issuer_s_url_is_in_no_log(
    bench: Bench, answer: bytes | PlainError, caplog: pytest.LogCaptureFixture
) -> None:
    bench.answer = answer
    with caplog.at_level("INFO"):
        bench.fetching.take([named("https://a/keys?client=canary-f00d")])
        await bench.at(1000.0)
    assert "https://a/keys" in caplog.text
    assert "canary-f00d" not in caplog.text
