from pathlib import Path

import pytest

from meshway.call_filter import compile_filter
from meshway.call_lines import CallLine, CallsTold
from registry.insight import requests
from registry.insight.requests import RequestLog
from tests.parts.clock import ManualClock

ALL = compile_filter("")


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


async def paths(log: RequestLog, text: str = "", readable: frozenset[str] | None = None) -> list[str]:
    found = await log.search(compile_filter(text), readable=readable, limit=100)
    return [call.path for call in found.calls]


async def test_calls_are_found_the_newest_first_and_by_whoever_may_read_them(
    tmp_path: Path, clock: ManualClock
) -> None:
    log = RequestLog(tmp_path / "r", clock)
    log.add(told(1, "/a", "/b"))
    log.add(told(2, "/c", namespace="bank"))
    assert await paths(log) == ["/c", "/b", "/a"]
    assert await paths(log, "path:/b") == ["/b"]
    assert await paths(log, readable=frozenset({"shop"})) == ["/b", "/a"]
    found = await log.search(ALL, readable=None, limit=1)
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
        found = await log.search(ALL, readable=None, limit=3, cursor=cursor)
        seen += [call.path for call in found.calls]
        if (cursor := found.next) is None:
            break
    assert seen == [f"/{number}" for number in range(9, -1, -1)]
    assert len(list(tmp_path.iterdir())) > 1
    with pytest.raises(ValueError, match="cursor"):
        await log.search(ALL, readable=None, limit=3, cursor="../etc:1")
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
