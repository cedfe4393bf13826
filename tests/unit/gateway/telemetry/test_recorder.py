from pathlib import Path

import msgspec
import pytest

from gateway.telemetry.recorder import GAP_S, Recorded, Recorder, file_of
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.secrets import api_key


def lines_in(folder: Path) -> list[Recorded]:
    (path,) = folder.glob("calls-*.jsonl")
    return [msgspec.json.decode(line, type=Recorded) for line in path.read_bytes().splitlines()]


def test_secrets_are_left_out_and_their_names_kept(tmp_path: Path) -> None:
    headers = {
        "Authorization": "Bearer s3cret",
        "Cookie": "session=s3cret",
        "X-Api-Key": "s3cret",
        "X-Auth-Token": "s3cret",
        "Accept-Language": "tr",
        "X-User": "ayşe".encode().decode("latin-1"),
    }
    recorder = Recorder(tmp_path, wall=lambda: 1_700_000_000.0)
    recorder.seen = 1
    exchange = call("/a?b=2&access_token=s3cret&code=s3cret&page=3", headers=headers)
    exchange.status = 200
    recorder.take(exchange, 10.0)
    recorder.close()
    assert b"s3cret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    (line,) = lines_in(tmp_path)
    assert line.target == "/a?b=2&access_token=&code=&page=3"
    assert sorted(line.left_out) == ["authorization", "cookie", "x-api-key", "x-auth-token"]
    assert [name for name, _ in line.headers] == ["Accept-Language", "X-User"]
    assert (line.authority, line.method, line.status, line.listener) == ("shop.example", "GET", 200, "edge")
    assert line.by == "edge"


@pytest.mark.parametrize("token", ["eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJheXNlIn0.c2lnbmF0dXJl", api_key("acme0001")])
def test_a_token_or_a_key_is_left_out_wherever_callers_put_it(token: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.seen = 1
    target = f"/a?who={token}&%6Bey=c2lnbmF0dXJl&b={token.replace('.', '%2E')}&page=3"
    recorder.take(call(target, headers={"X-Who": token, "X-Also": f"Of {token}", "X-Page": "eyJ.eyJ"}), 10.0)
    recorder.close()
    assert b"c2lnbmF0dXJl" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    (line,) = lines_in(tmp_path)
    assert line.target == "/a?who=&%6Bey=&b=&page=3"
    assert (sorted(line.left_out), line.headers) == (["x-also", "x-who"], [("X-Page", "eyJ.eyJ")])


def test_of_many_calls_some_are_kept_and_each_says_for_how_many_it_stands(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for number in range(10_000):
        recorder.seen += 1
        now = number * GAP_S / 10.0
        if now >= recorder.due:
            recorder.take(call(), now)
    recorder.close()
    lines = lines_in(tmp_path)
    assert 1000 <= len(lines) <= 1051, "fifty a second for twenty seconds, and what a quiet second had saved up"
    assert sum(line.seen for line in lines) + recorder.seen == 10_000


def test_errors_have_a_rate_of_their_own(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    while recorder.due <= 10.0:
        recorder.take(call("/quiet"), 10.0)
    for _ in range(500):
        recorder.take(call("/failed"), 10.0)  # not due: they are here because they failed
    recorder.close()
    kept = [line.target for line in lines_in(tmp_path)]
    assert (kept.count("/quiet"), kept.count("/failed")) == (51, 51)


def test_a_disk_that_takes_nothing_is_counted_and_not_waited_for(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recorded", wall=lambda: 0.0)
    file_of(tmp_path / "recorded", 0.0).mkdir()
    recorder.take(call(), 1.0)
    recorder.close()
    assert recorder.dropped == 1


def test_a_file_is_named_once_an_hour(tmp_path: Path) -> None:
    clock = ManualClock(now_s=3600.0)
    recorder = Recorder(tmp_path, wall=clock)
    first = recorder.file()
    clock.now_s = 7199.0
    assert recorder.file() is first == file_of(tmp_path, 3600.0), "no name is interned twenty times a second"
    clock.now_s = 7200.0
    assert recorder.file() == file_of(tmp_path, 7200.0) != first
    clock.now_s = 7199.0
    assert recorder.file() == first, "the clock was set back"
