from meshway.histogram import bucket_of
from meshway.telemetry import Row
from registry.alerts.windows import Asked, Tally, sorting, tallied


def test_rows_are_counted_by_what_is_asked() -> None:
    def key(section: str, parts: tuple[str, ...], row: tuple[str, ...]) -> object:
        return sorting(Asked(section, 60.0, 0.0, parts), lambda _: "z1")(row)

    assert key("edges", ("namespace", "service"), ("shop/web", "shop/cart")) == ("shop", "cart")
    assert key("edges", ("source",), ("shop/web", "shop/cart")) == ("shop/web",)
    assert key("instances", ("version", "zone"), ("shop/cart", "c-1", "v1")) == ("v1", "z1")
    assert key("routes", ("route",), ("shop/front", "all", "bank/pay", "5xx", "UF")) == ("front", "")
    assert key("routes", ("namespace", "route"), ("shop/front", "all", "bank/pay", "4xx", "RL")) == (
        "shop",
        "front",
        "RL",
    )
    assert key("routes", ("namespace",), ("shop/front", "all", "bank/pay", "4xx", "UAEX")) == ("bank", "UAEX")


def test_what_was_turned_away_before_its_service_was_chosen_is_of_the_service_it_named() -> None:
    of = sorting(Asked("routes", 60.0, 0.0, ("namespace", "service")), lambda _: "")
    assert of(("shop/implicit:cart", "all", "", "4xx", "RL")) == ("shop", "cart", "RL")
    assert of(("shop/front", "all", "", "4xx", "RL")) == ("shop", "", "RL"), "a Route may have several"


def test_what_policies_and_limits_turned_away_is_counted_apart() -> None:
    rows = [Row(("cart", ""), 90, 3), Row(("cart", "RL"), 6), Row(("cart", "UAEX"), 4)]
    (tally,) = tallied(rows, has_flags=True).values()
    assert (tally.row.calls, tally.limited, tally.refused) == (100, 6, 4)
    assert (tally.figure("limited_ratio", 60.0, 20), tally.figure("refused_ratio", 60.0, 20)) == (0.06, 0.04)
    assert tally.figure("error_ratio", 60.0, 101) is None
    assert tally.figure("rate", 50.0, 101) == 2.0


def test_tallies_are_added_without_changing_those_they_are_of() -> None:
    one, other = Tally(Row((), 10, buckets={bucket_of(0.1): 10})), Tally(Row((), 10, buckets={bucket_of(1.0): 10}))
    both = one.copied()
    both.add(other)
    assert (one.row.calls, both.row.calls) == (10, 20)
    assert (both.figure("p99", 1.0, 1) or 0.0) > 0.9
    assert Tally(Row((), 10)).figure("p99", 1.0, 1) is None
