"""Where answers lie: never more than there is room for, whatever comes; what is loved stays."""

import random

from gateway.cache.freshness import Freshness
from gateway.cache.selection import AskedWith
from gateway.cache.store import MOST_VARIANTS, Store
from gateway.cache.stored import OVERHEAD, StoredAnswer
from meshway.http1.head import HeadLimits, ResponseReader


def stored(size: int = 0, asked_with: AskedWith = ()) -> StoredAnswer:
    head = ResponseReader(HeadLimits()).read(b"HTTP/1.1 200 OK\r\n\r\n", 0, b"GET")
    assert head is not None
    return StoredAnswer(head, b"", b"x" * size, Freshness(60.0, 0.0, False, 0.0, 0.0), 0.0, 0.0, asked_with=asked_with)


def test_what_was_put_is_found_and_what_was_forgotten_is_not() -> None:
    store, one, two = Store(100_000), stored(), stored()
    store.put("a", (), one)
    store.put("a", ("x",), two)
    assert store.find("a", (), b"") is one
    assert store.find("a", ("x",), b"") is two
    assert store.find("b", (), b"") is None
    assert store.forget_target("a") == 2
    assert (len(store), store.size, store.find("a", (), b"")) == (0, 0, None)


def test_another_answer_to_the_same_stands_in_the_place_of_the_first() -> None:
    store, one, two = Store(100_000), stored(10), stored(20)
    store.put("a", (), one)
    store.put("a", (), two)
    assert (store.find("a", (), b""), len(store), store.size) == (two, 1, two.size)


def test_variants_are_bounded_and_the_newest_stay() -> None:
    store = Store(1_000_000)
    for number in range(20):
        store.put("a", (), stored(asked_with=((b"accept-language", b"%d" % number),)))
    assert len(store) == MOST_VARIANTS
    assert store.find("a", (), b"Accept-Language: 19\r\n") is not None
    assert store.find("a", (), b"Accept-Language: 0\r\n") is None


def test_a_scan_pushes_out_nothing_that_is_asked_for() -> None:
    store = Store(100 * (OVERHEAD + 100))
    for number in range(20):
        store.put(number, (), stored())
        for _ in range(3):
            store.find(number, (), b"")
    for number in range(1_000, 3_000):  # pages that nobody asks for twice
        store.put(number, (), stored())
        store.find(number % 20, (), b"")
    assert all(store.find(number, (), b"") is not None for number in range(20))


def test_the_bound_holds_for_whatever_comes() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    most = 60_000
    store = Store(most)
    kept: list[StoredAnswer] = []
    for _ in range(5_000):
        match rng.randrange(10):
            case 0:
                store.forget_target(rng.randrange(50))
            case 1:
                store.shrink(rng.random())
            case 2 if kept:
                store.grow(rng.choice(kept), rng.randrange(500))
            case 3 if kept:
                store.forget(rng.choice(kept))
            case 4 | 5:
                store.find(rng.randrange(50), rng.randrange(2), b"V: %d\r\n" % rng.randrange(12))
            case _:
                one = stored(
                    rng.choice((0, 100, 5_000, 70_000)), rng.choice(((), ((b"v", b"%d" % rng.randrange(12)),)))
                )
                store.put(rng.randrange(50), rng.randrange(2), one)
                kept = [*kept[-20:], one]
        assert store.size <= most
        assert store.size == sum(each.size for each in store)
        assert all(store.find(each.target, each.parts, b"") is not None or each.asked_with for each in store)
    assert store.evictions > 0


def test_what_callers_write_to_find_it_by_counts_too() -> None:
    store = Store(1_000_000)
    for number in range(1000):
        store.put(("edge", b"http", b"%d" % number + b"x" * 10_000), (None, "p"), stored())
    assert len(store) < 100
