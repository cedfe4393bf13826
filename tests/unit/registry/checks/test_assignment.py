from collections import Counter

from registry.checks.assignment import owner
from registry.view.rows import InstanceKey

KEYS: list[InstanceKey] = [("default", f"s{at % 50}", f"i{at}") for at in range(3000)]


def test_replicas_share_about_alike() -> None:
    shares = Counter(owner(key, [b"one", b"two", b"three"]) for key in KEYS)
    assert len(shares) == 3
    assert min(shares.values()) > 900


def test_who_goes_moves_nothing_but_its_share_and_order_does_not_matter() -> None:
    for key in KEYS:
        before = owner(key, [b"one", b"two", b"three"])
        assert owner(key, [b"three", b"one", b"two"]) == before
        after = owner(key, [b"one", b"three"])
        assert after == before or before == b"two"
