"""Pairs by their document, and who is told of changes."""

from gateway.key_pairs import KeyPairs
from meshway.certificates import read_pair
from tests.parts.authority import Authority

ROOT = Authority()
SHOP = ("default", "shop")


def test_changes_are_told_and_repetitions_are_not() -> None:
    told: list[int] = []
    pairs = KeyPairs(lambda: told.append(1))
    issued = ROOT.issue("shop.example")
    for _ in range(2):
        pairs.take(SHOP, read_pair(issued.certificate, issued.key))
    assert (len(told), list(pairs.held)) == (1, [SHOP])
    pairs.drop([SHOP])
    assert len(told) == 1
    pairs.drop([])
    assert (len(told), list(pairs.held)) == (2, [])
