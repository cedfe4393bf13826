import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.exchange import Exchange
from gateway.routing.path import PathError, canonical
from gateway.telemetry.access_line import KEPT, LineWriter, outcome_of
from gateway.telemetry.access_log import AccessLog
from tests.parts.conditions import until
from tests.parts.exchanges import ended


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def log_to(path: Path, dropped: list[int], buffer: int = 1 << 20) -> AccessLog:
    return AccessLog(str(path), buffer, dropped.append, now=lambda: 101.0)


def add(log: AccessLog, exchange: Exchange, at: float) -> None:
    log.add(exchange, at, outcome_of(exchange))


def test_a_line_tells_the_call_and_leaves_the_query_out(tmp_path: Path) -> None:
    log = log_to(tmp_path / "log" / "access.jsonl", [])
    add(log, ended(first_byte=100.25, bytes_in=3, bytes_out=700), 100.5)
    log.close()
    [line] = lines(tmp_path / "log" / "access.jsonl")
    assert line["time"].endswith("Z")
    del line["time"]
    assert line == {
        "duration_ms": 500.0,
        "first_byte_ms": 250.0,
        "listener": "mesh",
        "peer": "10.0.0.7",
        "principal": "",
        "method": "GET",
        "authority": "books.default.mesh",
        "path": "/books",
        "route": "default/books",
        "rule": "all",
        "service": "default/books",
        "instance": "b1",
        "attempts": 1,
        "status": 200,
        "flag": "",
        "reason": "",
        "bytes_in": 3,
        "bytes_out": 700,
        "request_id": "request-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "protocol": "HTTP/1.1",
    }
    assert "secret" not in (tmp_path / "log" / "access.jsonl").read_text()


def test_a_hedged_call_that_the_first_attempt_answered_lists_both_in_order(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    call = ended(tried=("b1", "b2"), started=100.0, retried_at=(100.25,))
    assert call.endpoint is not None
    call.endpoint, call.tried = call.tried[0], (call.tried[0], call.endpoint)
    add(log, call, 101.0)
    log.close()
    [line] = lines(tmp_path / "a")
    assert line["instance"] == "b1"
    assert line["attempts_detail"] == [{"instance": "b1", "began_ms": 0}, {"instance": "b2", "began_ms": 250}]


def test_a_retried_call_says_where_each_attempt_went(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    add(log, ended(tried=("b1", "b3", "b2"), started=100.0, retried_at=(100.25, 100.5)), 101.0)
    log.close()
    [line] = lines(tmp_path / "a")
    assert (line["attempts"], line["instance"]) == (3, "b2")
    assert [(attempt["instance"], attempt["began_ms"]) for attempt in line["attempts_detail"]] == [
        ("b1", 0.0),
        ("b3", 250.0),
        ("b2", 500.0),
    ]


def test_a_call_that_came_nowhere_has_a_line_too(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    add(log, ended(status=404, tried=(), plan=None, cluster=None, reason="no_route", flag="NR"), 101.0)
    log.close()
    [line] = lines(tmp_path / "a")
    assert (line["status"], line["reason"], line["flag"], line["service"]) == (404, "no_route", "NR", "")


@given(target=st.binary(min_size=1, max_size=20).map(lambda raw: b"/" + raw))
@example(target=b'/a"b"')
def test_whatever_path_a_call_may_have_stays_one_line_of_json(target: bytes) -> None:
    exchange = ended()
    try:
        exchange.path, _ = canonical(target)
    except PathError:
        return
    line = LineWriter(0.0).of(exchange, 101.0, outcome_of(exchange))
    assert line.index(b"\n") == len(line) - 1
    assert json.loads(line)["path"] == exchange.path.decode("ascii")


async def test_beats_write_everything_in_order(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    for number in range(500):
        add(log, ended(b"/%d" % number), 101.0)

    def written() -> bool:
        log.beat()
        return (tmp_path / "a").read_bytes().count(b"\n") == 500

    await until(written)
    assert [line["path"] for line in lines(tmp_path / "a")] == [f"/{number}" for number in range(500)]
    log.close()


def test_more_than_the_bound_is_dropped_and_counted_the_oldest_first(tmp_path: Path) -> None:
    dropped: list[int] = []
    log = log_to(tmp_path / "a", dropped, buffer=4096)
    for number in range(25):
        add(log, ended(b"/%02d" % number), 101.0)
    log.close()
    kept = [line["path"] for line in lines(tmp_path / "a")]
    assert 4 <= len(kept) <= 12
    assert sum(dropped) == 25 - len(kept)
    assert kept == [f"/{number:02}" for number in range(25)][-len(kept) :]


async def test_lines_a_full_disk_does_not_take_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[int] = []
    log = log_to(tmp_path / "a", dropped)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.telemetry.log_sink.os.write", full)
    for _ in range(7):
        add(log, ended(), 101.0)

    def counted() -> bool:
        log.beat()
        return sum(dropped) == 7

    await until(counted)
    monkeypatch.undo()
    log.close()


def test_a_moved_file_is_reopened(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    (tmp_path / "a").rename(tmp_path / "a.1")
    log.reopen()
    add(log, ended(), 101.0)
    log.close()
    assert (len(lines(tmp_path / "a")), lines(tmp_path / "a.1")) == (1, [])


def test_without_a_path_nothing_is_kept_and_nothing_counts_as_lost() -> None:
    dropped: list[int] = []
    log = AccessLog("", 10, dropped.append)
    for _ in range(20):
        add(log, ended(), 101.0)
    log.close()
    assert dropped == []


def test_what_callers_send_cannot_break_a_line(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    exchange = ended(first_byte=0.0)
    exchange.authority, exchange.peer, exchange.flag = b'a"b\\\xe9', 'fe80::1%e"th', "UF,URX"
    add(log, exchange, 101.0)
    log.close()
    [line] = lines(tmp_path / "a")
    assert (line["authority"], line["peer"], line["flag"]) == ('a"b\\é', 'fe80::1%e"th', "UF,URX")
    assert line["first_byte_ms"] is None


def test_parts_that_were_kept_are_told_apart(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [])
    for status, host, tried in ((200, b"a", ("b1",)), (503, b"b", ("b2",)), (200, b"a", ("b2",)), (200, b"b", ("b1",))):
        add(log, ended(status=status, authority=host, tried=tried), 101.0)
    log.close()
    told = [(line["status"], line["authority"], line["instance"]) for line in lines(tmp_path / "a")]
    assert told == [(200, "a", "b1"), (503, "b", "b2"), (200, "a", "b2"), (200, "b", "b1")]


def test_more_different_callers_than_are_kept_are_all_told(tmp_path: Path) -> None:
    log = log_to(tmp_path / "a", [], buffer=8 << 20)
    for number in range(KEPT + 50):
        add(log, ended(authority=b"host-%d" % number), 101.0)
    log.close()
    assert [line["authority"] for line in lines(tmp_path / "a")] == [f"host-{n}" for n in range(KEPT + 50)]
