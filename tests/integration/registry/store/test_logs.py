"""Lines of logs in both stores: what is found, in which order, what is forgotten."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from registry.logs.words import read_search, words_of
from registry.store import log_segments
from registry.store.interface import StoreUnavailable
from registry.store.log_segments import LogSegments
from registry.store.logs import LogQuestion, LogRow
from registry.store.postgres.logs import PostgresLogs
from registry.store.postgres.migrate import prepare
from tests.parts.clock import ManualClock

if TYPE_CHECKING:
    from registry.store.logs import LogStore

BEGIN = 1_800_000_000.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGIN)


@pytest.fixture(params=["sqlite", "postgres"])
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Callable[[], LogStore]]:
    """Opens it once more: after a restart, or at another registry."""
    stores: list[LogStore] = []
    url = ""
    if request.param == "postgres":
        url = request.getfixturevalue("database_url")
        await prepare(url)

    def open_one() -> LogStore:
        stores.append(PostgresLogs(url, clock) if url else LogSegments(tmp_path / "logs", clock))
        return stores[-1]

    yield open_one
    for store in stores:
        await store.close()


def row(text: str, at_s: float = 0.0, service: str = "shop/books", severity: int = 9, trace: str = "") -> LogRow:
    namespace, _, name = service.partition("/")
    words = " ".join(words_of(text))
    return LogRow(int((BEGIN + at_s) * 1e6), namespace, name, "b-1", severity, trace, words, text.encode())


async def texts(store: LogStore, limit: int = 100, **question: object) -> list[str]:
    return [found.value.decode() for found in await store.search(LogQuestion(**question), limit)]  # type: ignore[arg-type]


async def test_lines_are_found_by_what_they_are_the_youngest_first(opened: Callable[[], LogStore]) -> None:
    store = opened()
    await store.write([row("late", 5.0), row("early", 1.0), row("pay", 3.0, "bank/pay", 17, "ab" * 16)])
    assert await texts(store) == ["late", "pay", "early"]
    assert await texts(store, namespaces=frozenset({"shop"})) == ["late", "early"]
    assert await texts(store, namespaces=frozenset()) == []
    assert await texts(store, namespace="bank", service="pay") == ["pay"]
    assert await texts(store, severity=13) == ["pay"]
    assert await texts(store, trace_id="ab" * 16) == ["pay"]
    assert await texts(store, instance="b-2") == []
    begin = int(BEGIN * 1e6)
    assert await texts(store, since=begin + 2_000_000, until=begin + 5_000_000) == ["pay"]


async def test_words_are_found_wherever_they_stand(opened: Callable[[], LogStore]) -> None:
    store = opened()
    lines = [
        "GET /cart?id=42 refused: card_declined",
        "card refused, declined later",
        "支付失败 order-7",
        "it's 'quoted'",
    ]
    await store.write([row(text, at) for at, text in enumerate(lines)])

    async def found(text: str) -> list[int]:
        return sorted(lines.index(one) for one in await texts(store, phrases=read_search(text)))

    assert await found("card") == [0, 1]
    assert await found("CARD declined") == [0, 1]
    assert await found('"card declined"') == [0]
    assert await found("card_declined") == [0]
    assert await found("decl*") == [0, 1]
    assert await found("card -cart") == [1]
    assert await found("-card") == [2, 3]
    assert await found("支付") == [2]
    assert await found("付失败 7") == [2]
    assert await found("败失") == []
    assert await found("quoted it's") == [3]
    assert await found("nothing") == []


async def test_pages_hold_each_line_once_also_over_files_and_lines_that_came_late(
    opened: Callable[[], LogStore], clock: ManualClock
) -> None:
    store = opened()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for batch in range(6):
        await store.write([row(f"{batch}.{at}", chance.uniform(0, 9)) for at in range(30)])
        clock.now_s += 1_200.0  # an hour is a file
    whole = await store.search(LogQuestion(), 1_000)
    assert [(one.at, one.id) for one in whole] == sorted(((one.at, one.id) for one in whole), reverse=True)
    paged, before = [], None
    while page := await store.search(LogQuestion(before=before), 17):
        paged += page
        before = (page[-1].at, page[-1].id)
    assert paged == whole
    assert len({one.value for one in paged}) == 180


async def test_what_comes_is_followed_by_whoever_asks_at_whichever_registry(
    opened: Callable[[], LogStore], clock: ManualClock
) -> None:
    one, other = opened(), opened()
    assert await one.newest() == 0
    await one.write([row("a"), row("b")])
    since = await other.newest()
    assert since > 0
    clock.now_s += 4_000.0
    await one.write([row("c", -50.0), row("d", service="bank/pay")])
    assert await texts(other, after=since) == ["c", "d"]
    assert await texts(other, after=0, limit=3) == ["a", "b", "c"]
    assert await texts(other, after=since, namespaces=frozenset({"bank"})) == ["d"]
    assert await texts(other, after=await one.newest()) == []


async def test_what_is_old_is_forgotten_and_what_is_left_outlives_a_restart(
    opened: Callable[[], LogStore], clock: ManualClock
) -> None:
    store = opened()
    await store.write([row("old")])
    clock.now_s += 2 * 3_600.0
    await store.write([row("young")])
    assert await store.prune(int((clock.now_s - 3_600.0) * 1e6), 1 << 30) == 0  # nothing for want of room
    assert await texts(store) == ["young"]
    again = opened()
    await again.write([row("younger", 1.0)])
    assert await texts(again) == ["younger", "young"]


async def test_above_its_bytes_the_oldest_go_and_are_counted(
    opened: Callable[[], LogStore], clock: ManualClock
) -> None:
    store = opened()
    most = 8 << 20
    for batch in range(30):
        text = "".join(chr(97 + (batch + at) % 26) for at in range(1_000))
        await store.write([row(f"{batch} {text}") for _ in range(500)])
        clock.now_s += 1.0
        dropped = await store.prune(0, most)
        if dropped:
            break
    assert dropped > 0
    left = await texts(store, limit=100_000)
    assert left[0].startswith(f"{batch} ")
    assert not any(text.startswith("0 ") for text in left)
    assert len(left) == (batch + 1) * 500 - dropped


async def test_a_search_that_takes_too_long_is_given_up_and_keeps_none_waiting(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared database has a time limit of its own."""
    store = LogSegments(tmp_path / "logs", clock)
    await store.write([row(f"line {number}", number / 1e3) for number in range(5_000)])
    monkeypatch.setattr(log_segments, "SEARCH_S", 0.0)
    for question in ({"instance": "nobody"}, {"instance": "nobody", "after": 1}):
        with pytest.raises(StoreUnavailable, match="took more than"):
            await texts(store, **question)
    monkeypatch.undo()
    assert await texts(store, instance="nobody") == []
    await store.close()
