import asyncio
import threading
from pathlib import Path

import pytest

from meshway.call_filter import compile_filter
from meshway.call_lines import CallLine, CallsTold
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.insight import requests
from registry.insight.requests import RequestLog
from registry.insight.sight import Sight
from tests.parts.clock import ManualClock
from tests.parts.conditions import until

ALL = compile_filter("")
ALL_SEEN = Sight()


def told(sequence: int, *paths: str, node: str = "gw-1", namespace: str = "shop") -> CallsTold:
    calls = [
        CallLine(time="2026-11-26T12:00:00.000Z", duration_ms=1.0, path=path, route=f"{namespace}/r") for path in paths
    ]
    return CallsTold(node=node, boot="b", sequence=sequence, calls=tuple(calls))


@pytest.fixture
def clock() -> ManualClock:
    clock = ManualClock()
    clock.now_s = 1_700_000_000.0
    return clock


async def paths(log: RequestLog, text: str = "", sight: Sight = ALL_SEEN) -> list[str]:
    found = await log.search(compile_filter(text), sight=sight, limit=100)
    return [call.path for call in found.calls]


async def test_calls_are_found_the_newest_first_and_by_whoever_may_read_them(
    tmp_path: Path, clock: ManualClock
) -> None:
    log = RequestLog(tmp_path / "r", clock)
    log.add(told(1, "/a", "/b"))
    log.add(told(2, "/c", namespace="bank"))
    assert await paths(log) == ["/c", "/b", "/a"]
    assert await paths(log, "path:/b") == ["/b"]
    assert await paths(log, sight=Sight(frozenset({"shop"}))) == ["/b", "/a"]
    found = await log.search(ALL, sight=Sight(), limit=1)
    assert found.calls[0].node == "gw-1"
    log.close()


async def test_a_message_that_comes_twice_counts_once(tmp_path: Path, clock: ManualClock) -> None:
    log = RequestLog(tmp_path, clock)
    for _ in range(2):
        log.add(told(1, "/a"))
    log.add(told(1, "/b", node="gw-2"))
    assert await paths(log) == ["/b", "/a"]
    log.close()


async def test_a_list_goes_on_at_its_cursor_over_files(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "FILE_BYTES", 1000)
    log = RequestLog(tmp_path, clock)
    for number in range(10):
        clock.now_s += 1.0
        log.add(told(number + 1, f"/{number}"))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        found = await log.search(ALL, sight=Sight(), limit=3, cursor=cursor)
        seen += [call.path for call in found.calls]
        if (cursor := found.next) is None:
            break
    assert seen == [f"/{number}" for number in range(9, -1, -1)]
    assert len(list(tmp_path.iterdir())) > 1
    with pytest.raises(ValueError, match="cursor"):
        await log.search(ALL, sight=Sight(), limit=3, cursor="../etc:1")
    log.close()


async def test_what_is_old_or_too_much_goes(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RequestLog(tmp_path, clock)
    log.add(told(1, "/old"))
    assert await paths(log) == ["/old"]
    clock.now_s += 25 * 3600.0 + 1.0
    assert await paths(log) == []
    log.add(told(2, "/new"))
    assert await paths(log) == ["/new"]
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(requests, "FILE_BYTES", 400)
    monkeypatch.setattr(requests, "MOST_BYTES", 2000)
    for number in range(20):
        clock.now_s += 1.0
        log.add(told(number + 3, f"/{number}"))
    assert (await paths(log))[0] == "/19"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000
    log.close()


async def test_a_filter_finds_nothing_by_names_that_are_not_told(tmp_path: Path, clock: ManualClock) -> None:
    log = RequestLog(tmp_path, clock)
    line = CallLine(
        time="t", duration_ms=1.0, path="/a", route="shop/r", service="bank/vault", instance="i", principal="bank/acme"
    )
    log.add(CallsTold(node="gw-1", boot="b", sequence=1, calls=(line,)))
    shop = Sight(frozenset({"shop"}))
    for text in ("service:vault", "service:bank/vault", "principal:bank/acme", "namespace:bank", "instance:i"):
        assert await paths(log, text) == ["/a"]
        assert await paths(log, text, shop) == []
    assert await paths(log, "route:r", shop) == ["/a"]
    log.close()


async def test_searches_are_bounded_and_keep_no_call_from_the_disk(tmp_path: Path, clock: ManualClock) -> None:
    log = RequestLog(tmp_path, clock)
    log.add(told(1, "/a"))
    assert await paths(log) == ["/a"]
    goes_on = threading.Event()

    def holds(line: CallLine) -> bool:
        return goes_on.wait(10.0)

    searches = [spawn(log.search(holds, sight=Sight(), limit=1), name="search") for _ in range(requests.MOST_SEARCHES)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await paths(log)
    assert refused.value.status == 503
    for number in range(2, 2 * requests.MOST_WRITES):
        log.add(told(number, "/b"))
        if number % 8 == 0:
            await until(lambda: log.waiting == 0)
    goes_on.set()
    for search in searches:
        assert (await search).calls
    assert log.dropped == 0
    assert (await paths(log))[0] == "/b"
    log.close()
