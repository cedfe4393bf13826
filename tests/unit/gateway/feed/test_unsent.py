from pathlib import Path

from gateway.feed.unsent import WRITE_S, Unsent
from tests.parts.clock import ManualClock


def told(unsent: Unsent) -> list[bytes]:
    found = []
    while (body := unsent.first()) is not None:
        found.append(body)
        unsent.done()
    return found


async def test_what_waits_at_the_end_is_told_after_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    before = Unsent(tmp_path / "unsent.reports", clock)
    before.add(b"one")
    before.add(b"two")
    await before.keep(is_last=True)
    clock.advance(30.0)
    after = Unsent(tmp_path / "unsent.reports", clock)
    after.load()
    after.add(b"three")
    assert told(after) == [b"one", b"two", b"three"]
    await after.keep()
    assert not (tmp_path / "unsent.reports").exists()


async def test_only_what_has_waited_goes_to_disk(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    unsent = Unsent(tmp_path / "unsent.reports", clock)
    unsent.add(b"one")
    await unsent.keep()
    assert not (tmp_path / "unsent.reports").exists()
    clock.advance(WRITE_S)
    await unsent.keep()
    assert (tmp_path / "unsent.reports").exists()


def test_what_is_older_than_ten_minutes_is_dropped_and_counted(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    unsent = Unsent(tmp_path / "unsent.reports", clock)
    unsent.add(b"old")
    clock.advance(599.0)
    unsent.add(b"new")
    assert unsent.first() == b"old"
    clock.advance(2.0)
    assert (told(unsent), unsent.dropped) == ([b"new"], 1)


def test_there_is_room_for_so_many_bytes_and_the_oldest_go_first(tmp_path: Path) -> None:
    unsent = Unsent(tmp_path / "unsent.reports", ManualClock(), most_bytes=10)
    for body in (b"aaaa", b"bbbb", b"cccc"):
        unsent.add(body)
    assert (told(unsent), unsent.dropped) == ([b"bbbb", b"cccc"], 1)


def test_a_file_that_is_damaged_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "unsent.reports").write_bytes(b"\x93\x01")
    unsent = Unsent(tmp_path / "unsent.reports", ManualClock())
    unsent.load()
    assert unsent.first() is None
