"""Who fails too often waits, longer each time."""

from __future__ import annotations

import pytest

from meshway.problem import Problem
from registry.people.throttle import FORGET_S, FREE, MAX_WAIT_S, MOST, Throttle, network_of


class Door:
    """A throttle and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.throttle = Throttle(lambda: self.now)

    def wait_s(self, account: str = "ann", address: str = "10.0.0.1") -> int:
        """0: the try was let through, and failed."""
        try:
            self.throttle.take(account, address)
        except Problem as problem:
            return int(problem.headers["Retry-After"]) if problem.code == "too_many_failures" else -1
        return 0


def test_the_wait_doubles_up_to_its_bound() -> None:
    door, waits = Door(), []
    for _ in range(FREE):
        assert door.wait_s() == 0
    for _ in range(12):
        waits.append(door.wait_s())
        assert door.wait_s() == waits[-1], "asking again makes it no longer"
        door.now += waits[-1]
        assert door.wait_s() == 0
    assert waits[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert waits[9:] == [MAX_WAIT_S] * 3


def test_an_account_is_held_from_wherever_it_is_tried_and_an_address_whomever_it_tries() -> None:
    door = Door()
    for at in range(FREE):
        assert door.wait_s("ann", f"10.0.0.{at}") == 0
    assert door.wait_s("ann", "10.0.0.99") > 0
    assert door.wait_s("bob", "10.0.0.99") == 0
    for at in range(FREE):
        assert door.wait_s(f"u{at}", "10.9.9.9") == 0
    assert door.wait_s("u99", "10.9.9.9") > 0


def test_a_success_frees_the_account_and_not_what_else_its_address_failed() -> None:
    door = Door()
    for at in range(FREE - 1):
        assert door.wait_s(f"u{at}") == 0
    assert door.wait_s("ann") == 0
    door.throttle.succeeded("ann", "10.0.0.1")
    assert door.wait_s("u8") == 0
    assert door.wait_s("u9") > 0
    assert door.wait_s("ann", "10.0.0.2") == 0


def test_a_try_that_was_neither_right_nor_wrong_does_not_count() -> None:
    door = Door()
    for _ in range(3 * FREE):
        assert door.wait_s() == 0
        door.throttle.give_back("ann", "10.0.0.1")


def test_it_is_forgotten_when_nothing_more_fails() -> None:
    door = Door()
    for _ in range(FREE):
        assert door.wait_s() == 0
    door.now += FORGET_S + 1
    for _ in range(FREE):
        assert door.wait_s() == 0


def test_what_is_remembered_is_bounded_and_the_youngest_stays() -> None:
    door = Door()
    for at in range(MOST + 5):
        assert door.wait_s(f"u{at}", f"a{at}") == 0
    for _ in range(FREE - 1):
        assert door.wait_s(f"u{MOST + 4}", f"b{at}") == 0
    assert door.wait_s(f"u{MOST + 4}", "c") > 0
    assert len(door.throttle._accounts._known) == MOST
    assert len(door.throttle._addresses._known) == MOST


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_an_ipv6_subscriber_is_one(address: str, network: str) -> None:
    assert network_of(address) == network
