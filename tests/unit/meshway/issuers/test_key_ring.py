"""Key sets of a worker, and who forgets when they change."""

import gc
import json

import pytest

from meshway.issuers.key_ring import MISSING_S, KeyRing
from tests.parts.tokens import SigningKey

URL = "https://id.example/jwks"
A, B = SigningKey("EC"), SigningKey("EC")


def text(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.jwk(f"k{at}") for at, key in enumerate(keys)]}).encode()


class Watcher:
    def __init__(self) -> None:
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1


def test_keys_hold_from_when_they_were_last_published() -> None:
    ring = KeyRing()
    assert ring.keys(URL, 0.0) is None
    ring.take(URL, text(A), 100.0)
    assert len(ring.keys(URL, 100.0) or ()) == 1
    assert ring.keys(URL, 100.5) is None
    ring.take(URL, text(A), 200.0)
    assert ring.keys(URL, 100.5) is not None
    ring.drop(but=[URL])
    assert ring.keys(URL, 0.0) is not None
    ring.drop(but=[])
    assert ring.keys(URL, 0.0) is None


def test_only_other_keys_make_forget_and_only_who_watches_them() -> None:
    ring, watcher, other = KeyRing(), Watcher(), Watcher()
    ring.watch(URL, watcher)
    ring.watch("https://other.example", other)
    for keys, forgot in (((A,), 1), ((A,), 1), ((A, B), 2), ((B,), 3)):
        ring.take(URL, text(*keys), 1.0)
        assert (watcher.forgot, other.forgot) == (forgot, 0)
    del watcher
    gc.collect()
    ring.take(URL, text(A), 2.0)


@pytest.mark.parametrize(("at", "count"), [(0.0, 1), (MISSING_S - 0.1, 1), (MISSING_S, 2)])
def test_a_missing_key_is_told_once_in_a_while(at: float, count: int) -> None:
    told: list[str] = []
    ring = KeyRing(told.append)
    ring.miss(URL, 1000.0)
    ring.miss(URL, 1000.0 + at)
    assert told == [URL] * count
