"""Hashes of passwords, and how many are computed at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from meshway import passwords
from meshway.passwords import MOST_WAITING, OF_CALLS, OF_PEOPLE, Cost, PasswordWork, hashed, is_right, nobody

CHEAP = Cost(64, 1)


def test_a_hash_is_of_its_password_alone_and_never_the_same() -> None:
    one, two = hashed(b"right", CHEAP), hashed(b"right", CHEAP)
    assert one != two
    assert one.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert is_right(b"right", one)
    assert is_right(b"right", two)
    for wrong in (b"", b"Right", b"right "):
        assert not is_right(wrong, one)
    for no_hash in ("", "plain", "$argon2id$", one[:-4]):
        assert not is_right(b"right", no_hash)


@pytest.mark.parametrize("cost", [OF_CALLS, OF_PEOPLE])
def test_nobodys_password_costs_as_much_and_is_none(cost: Cost) -> None:
    head = f"$argon2id$v=19$m={cost.memory_kib},t={cost.turns},p=1$"
    assert nobody(cost).startswith(head)
    assert len(nobody(cost)) == len(head) + 22 + 1 + 43, "as long as one of ours"
    assert not is_right(b"", nobody(cost))


async def test_few_are_computed_at_once_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, at_once, most = threading.Event(), threading.Semaphore(0), []

    def slow(*_: object) -> bool:
        at_once.release()
        most.append(1)
        return go_on.wait(30)

    monkeypatch.setattr(passwords, "is_right", slow)
    work = PasswordWork()
    begun = [work.check(b"", "") for _ in range(MOST_WAITING)]
    assert None not in begun
    assert work.check(b"", "") is None
    assert work.hash(b"", CHEAP) is None
    await asyncio.to_thread(at_once.acquire)
    await asyncio.to_thread(at_once.acquire)
    assert len(most) == passwords.AT_ONCE
    go_on.set()
    assert all([await each for each in begun if each is not None])
    made = work.hash(b"right", CHEAP)
    assert made is not None
    assert (await made).startswith("$argon2id$")
