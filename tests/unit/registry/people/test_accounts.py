"""What a try to sign in costs."""

from meshway.passwords import OF_PEOPLE, Cost, nobody
from registry.people import accounts


def test_a_persons_password_costs_what_rfc_9106_asks_and_nobodys_as_much() -> None:
    """§4, the second choice, on one lane."""
    assert Cost(memory_kib=64 << 10, turns=3) == OF_PEOPLE
    assert nobody(OF_PEOPLE) == accounts._NOBODY
