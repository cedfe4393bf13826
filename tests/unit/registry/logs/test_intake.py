import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from meshway.otlp import log_reading
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.logs import intake as module
from registry.logs.intake import BURST, MOST_UNPACKED, RATE, Intake, Sent, unpacked
from registry.store.interface import StoreUnavailable
from registry.store.logs import FoundLog, LogQuestion, LogRow
from tests.parts.clock import ManualClock


class Kept:
    """A store in memory. is_away: it takes nothing."""

    def __init__(self) -> None:
        self.writes: list[list[LogRow]] = []
        self.is_away = False

    async def write(self, rows: Sequence[LogRow]) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        self.writes.append(list(rows))

    async def search(self, question: LogQuestion, limit: int) -> list[FoundLog]:
        raise NotImplementedError

    async def newest(self) -> int:
        raise NotImplementedError

    async def prune(self, before: int, most_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None: ...


class Taking:
    def __init__(self) -> None:
        self.store = Kept()
        self.forwarded: list[LogsOfResource] = []
        self.clock = ManualClock()
        self.intake = Intake(self.store, self.forward, self.clock, self.clock)

    def forward(self, accepted: list[LogsOfResource], size: int) -> None:
        assert size > 0
        self.forwarded += accepted


@pytest.fixture
async def taking() -> AsyncIterator[Taking]:
    made = Taking()
    task = spawn(made.intake.run(), name="lines of logs")
    yield made
    task.cancel()
    await asyncio.wait([task])


def body(*texts: str, service: str = "books") -> bytes:
    records = [LogRecord(1, text) for text in texts]
    return export_logs([LogsOfResource({"service.name": service}, [LogsOfScope("", records)])])


def sent(body: bytes, *, is_json: bool = False, is_packed: bool = False, caller: str = "me") -> Sent:
    return Sent(body, is_json, is_packed, caller, None, lambda namespace, service: service == "books")


async def test_lines_of_several_bodies_are_written_together_and_answered_when_they_are(taking: Taking) -> None:
    told = await asyncio.gather(*(taking.intake.take(sent(body(f"line {at}"))) for at in range(20)))
    assert [len(one.rows) for one in told] == [1] * 20
    assert sum(map(len, taking.store.writes)) == 20
    assert len(taking.store.writes) < 20
    assert taking.intake.taken == len(taking.forwarded) == 20


async def test_gzip_and_json_are_read(taking: Taking) -> None:
    told = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "a"}}]}]}]}
    told["resourceLogs"][0]["resource"] = {  # type: ignore[assignment]
        "attributes": [{"key": "service.name", "value": {"stringValue": "books"}}]
    }
    packed = gzip.compress(json.dumps(told).encode())
    await taking.intake.take(sent(packed, is_json=True, is_packed=True))
    await taking.intake.take(sent(gzip.compress(body("b")), is_packed=True))
    assert [row.words for rows in taking.store.writes for row in rows] == ["a", "b"]


async def test_what_is_not_the_callers_is_neither_kept_nor_sent_on(taking: Taking) -> None:
    told = await taking.intake.take(sent(body("a", "b", service="pay")))
    assert (told.rejected, taking.store.writes, taking.forwarded) == (2, [], [])
    assert taking.intake.rejected == 2


async def test_without_its_store_a_body_is_refused_and_may_come_again(taking: Taking) -> None:
    taking.store.is_away = True
    with pytest.raises(Problem) as refused:
        await taking.intake.take(sent(body("a")))
    assert (refused.value.status, "Retry-After" in refused.value.headers) == (503, True)
    taking.store.is_away = False
    await taking.intake.take(sent(body("a")))
    assert len(taking.forwarded) == 1


async def test_who_sends_too_much_is_told_when_to_come_and_others_are_not(
    taking: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BURST", 1_000)
    await taking.intake.take(sent(body("x" * 2_000)))
    with pytest.raises(Problem) as refused:
        await taking.intake.take(sent(body("b")))
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
    await taking.intake.take(sent(body("c"), caller="another"))
    taking.clock.now_s += 1.0
    await taking.intake.take(sent(body("d")))
    assert taking.intake.refused == 1
    assert BURST >= RATE


async def test_a_body_above_what_may_wait_is_refused(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    with pytest.raises(Problem) as refused:
        await taking.intake.take(sent(body("x" * 200)))
    assert refused.value.status == 503
    await taking.intake.take(sent(body("x")))


def spread(lines: int) -> bytes:
    """A small body of lines that each have the attributes of their resource."""
    resource = {"service.name": "books", "note": "x" * 15_000}
    return export_logs([LogsOfResource(resource, [LogsOfScope("", [LogRecord(1, "a")] * lines)])])


async def test_a_small_body_of_which_much_would_be_kept_is_refused_and_counts_as_much(taking: Taking) -> None:
    wide = spread(6_000)
    assert len(wide) < 200_000
    for _ in range(BURST // MOST_UNPACKED):
        with pytest.raises(Problem) as refused:
            await taking.intake.take(sent(wide))
        assert (refused.value.status, refused.value.code) == (413, "too_large")
    with pytest.raises(Problem) as refused:
        await taking.intake.take(sent(wide))
    assert refused.value.status == 429
    assert taking.store.writes == []
    await taking.intake.take(sent(spread(100), caller="another"))
    assert len(taking.forwarded) == 1


async def test_a_body_of_very_many_lines_is_refused(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reading, "MOST_LINES", 10)
    with pytest.raises(Problem) as refused:
        await taking.intake.take(sent(body(*["x"] * 11)))
    assert refused.value.status == 413
    await taking.intake.take(sent(body(*["x"] * 10)))


async def test_lines_that_wait_to_be_written_are_bounded_by_what_they_take(
    taking: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 100_000)
    first, second = await asyncio.gather(
        *(taking.intake.take(sent(spread(4))) for _ in range(2)), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert isinstance(second, Problem)
    assert second.status == 503
    await taking.intake.take(sent(spread(4)))


# The time in its head would be in the name of the test, and another in each process of a run.
@pytest.mark.parametrize("packed", [b"plain", gzip.compress(b"a" * 50, mtime=0)[:-9], b"\x1f\x8b"])
def test_what_is_no_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(Problem) as refused:
        unpacked(packed)
    assert refused.value.status == 400


def test_a_small_body_that_holds_a_large_one_is_refused_before_it_is_all_there() -> None:
    with pytest.raises(Problem) as refused:
        unpacked(gzip.compress(bytes(MOST_UNPACKED + 1)))
    assert refused.value.status == 413
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert len(unpacked(gzip.compress(bytes(MOST_UNPACKED)))) == MOST_UNPACKED
