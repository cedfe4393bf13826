"""Nonces: each once, for as long as it could be shown again."""

import asyncio

import pytest

from gateway import nonces
from gateway.nonces import AskedNonces, NonceBook


def test_a_nonce_is_fresh_once_until_its_end() -> None:
    book = NonceBook()
    assert book.use(b"of one  a", 100.0, 10.0)
    assert not book.use(b"of one  a", 100.0, 99.9)
    assert book.use(b"of one  b", 50.0, 99.9)
    assert book.use(b"of one  a", 200.0, 100.0)


def test_a_full_book_lets_nothing_in_until_something_ends() -> None:
    book = NonceBook(most=2)
    assert [book.use(mark, 100.0, 10.0) for mark in (b"of one  a", b"of one  b", b"of one  c")] == [True, True, False]
    assert book.use(b"of one  c", 200.0, 100.0)


def test_one_key_leaves_room_for_the_others() -> None:
    book, one, other = NonceBook(most=4, most_of_one=2), b"one key ", b"another "
    assert [book.use(one + mark, 100.0, 10.0) for mark in (b"a", b"b", b"c")] == [True, True, False]
    assert [book.use(other + mark, 100.0, 10.0) for mark in (b"a", b"d", b"e", b"f")] == [False, True, True, False]
    assert [book.use(one + mark, 200.0, 100.0) for mark in (b"c", b"g", b"h")] == [True, True, False]


async def test_a_worker_is_told_by_number_and_a_silent_supervisor_is_nobody_s_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, bytes, float]] = []
    asking = AskedNonces(lambda *question: asked.append(question))
    both = asyncio.gather(asking.use(b"a", 1.0), asking.use(b"b", 2.0))
    await asyncio.sleep(0)
    assert asked == [(1, b"a", 1.0), (2, b"b", 2.0)]
    asking.told(2, False)
    asking.told(1, True)
    asking.told(9, True)
    assert list(await both) == [True, False]
    monkeypatch.setattr(nonces, "ANSWER_S", 0.0)
    assert await asking.use(b"c", 1.0) is None
    asking.told(3, True)
