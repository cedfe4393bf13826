"""A hash that no process computes otherwise."""

from gateway.balancing.stable_hash import SPACE, stable_hash, stable_hashes


def test_it_is_the_same_for_ever() -> None:
    assert stable_hash(b"user-1") == 0x9AAC5A8621EAE188


def test_it_spreads_evenly_over_its_space() -> None:
    counts = [0] * 16
    for number in range(16_000):
        counts[stable_hash(b"%d" % number) * 16 // SPACE] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 44  # 99.99 % of 15 degrees


def test_eight_at_once_differ() -> None:
    assert len(set(stable_hashes(b"a") + stable_hashes(b"b"))) == 16
