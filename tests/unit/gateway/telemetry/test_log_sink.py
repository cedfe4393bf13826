import socket
from pathlib import Path

import pytest

from gateway.telemetry.log_sink import ATOMIC, FILE, SOCKET, STDOUT, LogSink, SinkPlace


def test_stdout_gets_whole_lines_however_long_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    sink = LogSink(SinkPlace(STDOUT), 1 << 20, lambda _: None)
    lines = [b"a" * 100, b"b" * (ATOMIC * 2), *(b"%d" % number for number in range(2000))]
    for line in lines:
        sink.add(line + b"\n")
    sink.close()
    assert capfd.readouterr().out.encode().splitlines() == lines


def test_the_oldest_lines_go_where_there_is_no_room(tmp_path: Path) -> None:
    dropped: list[int] = []
    sink = LogSink(SinkPlace(FILE, str(tmp_path / "a")), 100, dropped.append)
    for number in range(50):
        sink.add(b"line %02d\n" % number)
    sink.close()
    kept = (tmp_path / "a").read_text().splitlines()
    assert kept[-1] == "line 49"
    assert kept == [f"line {number:02}" for number in range(50)][-len(kept) :]
    assert sum(dropped) == 50 - len(kept)


def test_a_line_that_is_longer_than_the_buffer_is_dropped_alone(tmp_path: Path) -> None:
    dropped: list[int] = []
    sink = LogSink(SinkPlace(FILE, str(tmp_path / "a")), 100, dropped.append)
    sink.add(b"x" * 200 + b"\n")
    sink.add(b"short\n")
    sink.close()
    assert ((tmp_path / "a").read_bytes(), dropped) == (b"short\n", [1])


def test_lines_for_a_socket_where_nobody_listens_are_counted_and_later_ones_arrive(tmp_path: Path) -> None:
    dropped: list[int] = []
    path = str(tmp_path / "s")
    sink = LogSink(SinkPlace(SOCKET, path), 1 << 20, dropped.append)
    sink.add(b"lost\nlost\n")
    sink.beat()
    assert sink.writing is not None
    sink.writing.result(timeout=10.0)
    sink.beat()
    assert dropped == [2]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen()
        sink.add(b"heard\n")
        sink.beat()
        caller, _ = listening.accept()
        with caller:
            assert caller.recv(100) == b"heard\n"
            sink.close()
    assert dropped == [2]
