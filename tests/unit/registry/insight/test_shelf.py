from meshway.telemetry import Row
from registry.insight.shelf import Shelf, weight_of


def test_what_was_not_asked_for_longest_goes_first() -> None:
    shelf: Shelf[str, int] = Shelf(10)
    shelf.put("a", 1, 4)
    shelf.put("b", 2, 4)
    assert shelf.get("a") == 1
    shelf.put("c", 3, 4)
    assert [shelf.get(name) for name in "abc"] == [1, None, 3]
    shelf.put("c", 4, 6)
    assert (shelf.get("c"), shelf.weight) == (4, 10)


def test_what_is_larger_than_the_shelf_is_not_kept() -> None:
    shelf: Shelf[str, int] = Shelf(10)
    shelf.put("a", 1, 11)
    assert (shelf.get("a"), shelf.weight) == (None, 0)


def test_a_row_weighs_what_its_histogram_holds() -> None:
    assert weight_of([Row(("a", "b"), buckets={1: 1, 2: 1}), Row(("a", "c"))]) == 18
