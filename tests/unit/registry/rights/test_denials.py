"""Denied writes are kept, and whoever asks without end does not fill the store."""

from typing import Any

from meshway.problem import Problem
from registry.revisions.acts import Actor, Refused
from registry.rights.denials import BURST, BURST_OF_ALL, MAX_ACTION, Denials


class Kept:
    def __init__(self) -> None:
        self.writes: list[Any] = []
        self.is_full = False

    def submit(self, write: Any) -> None:
        if self.is_full:
            raise Problem(503, "store_unavailable", "Not taking writes")
        self.writes.append(write)


def test_of_an_address_a_burst_is_kept_and_then_one_a_second() -> None:
    kept, now = Kept(), [0.0]
    denials = Denials(kept, lambda: now[0])  # type: ignore[arg-type]
    eve, bob = Actor("token:eve", "10.0.0.1", "PUT /v1/x"), Actor("token:bob", "10.0.0.2", "PUT /v1/x")
    for _ in range(BURST + 5):
        denials.note(eve, 403)
    assert kept.writes == [Refused(eve, 403)] * BURST
    assert denials.dropped == 5
    denials.note(bob, 404)
    assert kept.writes[-1] == Refused(bob, 404)
    now[0] = 2.0
    for _ in range(5):
        denials.note(eve, 403)
    assert len(kept.writes) == BURST + 1 + 2


def test_of_many_addresses_no_more_than_of_all() -> None:
    kept = Kept()
    denials = Denials(kept, lambda: 0.0)  # type: ignore[arg-type]
    for at in range(3 * BURST_OF_ALL):
        denials.note(Actor("anonymous", f"10.0.{at // 250}.{at % 250}", "PUT /v1/x"), 401)
    assert len(kept.writes) == BURST_OF_ALL


def test_of_a_long_path_its_beginning_is_kept() -> None:
    kept = Kept()
    denials = Denials(kept, lambda: 0.0)  # type: ignore[arg-type]
    denials.note(Actor("anonymous", "10.0.0.1", "PUT /v1/" + "x" * 16_000), 401)
    (write,) = kept.writes
    assert write.actor.action.startswith("PUT /v1/xxx")
    assert len(write.actor.action) == MAX_ACTION


def test_a_store_that_takes_no_writes_is_no_fault_of_the_answer() -> None:
    kept = Kept()
    kept.is_full = True
    denials = Denials(kept, lambda: 0.0)  # type: ignore[arg-type]
    denials.note(Actor("token:eve", "10.0.0.1", "PUT /v1/x"), 403)
    assert denials.dropped == 1
