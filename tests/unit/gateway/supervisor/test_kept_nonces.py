"""Nonces that were used are used after a restart, too, and where that cannot be told nobody is let in by one."""

import random
import resource
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.nonces import LONGEST_S, NonceBook
from gateway.supervisor import kept_nonces
from gateway.supervisor.kept_nonces import FILE, KeptNonces
from tests.parts.processes import ROOT


class Wall:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def started(folder: Path, wall: Wall, book: NonceBook | None = None) -> KeptNonces:
    kept = KeptNonces(folder, wall, book)
    kept.load()
    return kept


def mark(letter: str) -> bytes:
    return letter.encode() * 24


def test_what_was_used_before_a_restart_is_not_fresh_after_it_until_it_ends(tmp_path: Path) -> None:
    wall = Wall()
    first = started(tmp_path / "gateway", wall)
    assert first.use(mark("a"), wall.now_s + 60.0)
    assert first.use(mark("b"), wall.now_s + 600.0)
    assert not first.use(mark("a"), wall.now_s + 60.0)
    again = started(tmp_path / "gateway", wall)  # the first one was killed
    assert [again.use(mark(each), wall.now_s + 600.0) for each in "abc"] == [False, False, True]
    wall.now_s += 100.0
    later = started(tmp_path / "gateway", wall)
    assert [later.use(mark(each), wall.now_s + 600.0) for each in "abc"] == [True, False, False]
    assert (tmp_path / "gateway" / FILE).stat().st_mode & 0o777 == 0o600


def test_a_gateway_that_is_killed_forgets_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from gateway.supervisor.kept_nonces import KeptNonces\n"
        "kept = KeptNonces(Path(sys.argv[1]), time.time)\n"
        "kept.load()\n"
        "for number in range(1000):\n"
        "    assert kept.use(b'%024d' % number, time.time() + 3000.0)\n"
        "print('used', flush=True)\n"
        "time.sleep(60)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == b"used\n"
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    wall = Wall()
    wall.now_s = time.time()
    kept = started(tmp_path, wall)
    assert not any(kept.use(b"%024d" % number, wall.now_s + 3000.0) for number in range(1000))
    assert kept.use(b"%024d" % 1000, wall.now_s + 3000.0)


def test_a_record_that_was_cut_off_takes_no_other_along(tmp_path: Path) -> None:
    wall = Wall()
    first = started(tmp_path, wall)
    assert first.use(mark("a"), wall.now_s + 60.0)
    first.close()
    with (tmp_path / FILE).open("ab") as opened:
        opened.write(b"\x00" * 7)
    again = started(tmp_path, wall)
    assert [again.use(mark(each), wall.now_s + 60.0) for each in "ab"] == [False, True]
    last = started(tmp_path, wall)
    assert [last.use(mark(each), wall.now_s + 60.0) for each in "ab"] == [False, False]


def test_a_file_that_cannot_be_read_lets_nobody_in_until_all_in_it_is_over(tmp_path: Path) -> None:
    wall = Wall()
    (tmp_path / FILE).mkdir(parents=True)
    kept = started(tmp_path, wall)
    assert not kept.use(mark("a"), wall.now_s + 60.0)
    (tmp_path / FILE).rmdir()
    wall.now_s += LONGEST_S - 1.0
    assert not kept.use(mark("a"), wall.now_s + 60.0)
    wall.now_s += 1.0
    assert kept.use(mark("a"), wall.now_s + 60.0)


def test_a_disk_that_takes_nothing_lets_nobody_in(tmp_path: Path) -> None:
    wall = Wall()
    kept = started(tmp_path, wall)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert not kept.use(mark("a"), wall.now_s + 60.0)
    (tmp_path / FILE).rmdir()
    assert not kept.use(mark("a"), wall.now_s + 60.0), "it was shown once"
    assert kept.use(mark("b"), wall.now_s + 60.0)


def test_behind_a_record_that_a_full_disk_cut_off_the_others_are_read(tmp_path: Path) -> None:
    wall = Wall()
    kept = started(tmp_path, wall)
    assert kept.use(mark("a"), wall.now_s + 60.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32 + 7, hard))
    try:
        assert not kept.use(mark("b"), wall.now_s + 60.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / FILE).stat().st_size == 32 + 7
    later = bytes(range(24))
    assert kept.use(later, wall.now_s + 60.0)
    again = started(tmp_path, wall)
    assert [again.use(one, wall.now_s + 60.0) for one in (mark("a"), later, mark("d"))] == [False, False, True]


def test_the_file_stays_as_small_as_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_nonces, "_SLACK", 50)
    seed = secrets.randbits(32)
    print("seed", seed)
    chance, wall = random.Random(seed), Wall()
    kept, used = started(tmp_path, wall), dict[bytes, float]()
    for _ in range(2000):
        wall.now_s += 1.0
        fresh = chance.randbytes(24)
        until = wall.now_s + chance.uniform(1.0, 60.0)
        assert kept.use(fresh, until)
        used[fresh] = until
        assert (tmp_path / FILE).stat().st_size <= 32 * (2 * 61 + 50 + 1)
        if not chance.randrange(100):
            kept = started(tmp_path, wall)
    for one, until in used.items():
        if until > wall.now_s:
            assert not kept.use(one, until)
