from functools import partial

from registry.live.memory import MemoryBus
from registry.notices import NOTICED, Notices


def heard(told: list[tuple[int, str, frozenset[str]]], number: int, what: str, namespaces: frozenset[str]) -> None:
    told.append((number, what, namespaces))


def test_what_one_registry_says_all_of_them_hear_once() -> None:
    ends: list[MemoryBus] = []
    told: list[tuple[int, str, frozenset[str]]] = []
    every = [Notices(MemoryBus(ends)) for _ in range(3)]
    for number, notices in enumerate(every):
        notices.listen(partial(heard, told, number))
    every[1].tell("alerts", ["shop", "bank", "shop"])
    assert sorted(told) == [(number, "alerts", frozenset({"shop", "bank"})) for number in range(3)]


def test_nothing_is_said_of_nothing_nor_heard_of_what_cannot_be_read() -> None:
    ends: list[MemoryBus] = []
    other, notices = MemoryBus(ends), Notices(MemoryBus(ends))
    told: list[str] = []
    notices.listen(lambda what, _: told.append(what))
    notices.tell("alerts", [])
    for message in (b"\xc1", b"\x92\xa5wrong\x90", b""):
        other.publish("notices", message)
    assert told == []
    assert NOTICED == ("alerts", "rollouts")
