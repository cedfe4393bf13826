from registry.insight.sight import Sight

ALL = Sight()
SHOP = Sight(frozenset({"shop"}))


def test_who_may_see_all_sees_all() -> None:
    assert ALL.edge(("bank/ledger", "bank/vault")) == ("bank/ledger", "bank/vault")
    assert ALL.route(("bank/r", "all", "bank/vault", "2xx", "")) == ("bank/r", "all", "bank/vault", "2xx", "")


def test_an_edge_is_seen_from_both_ends_and_the_other_end_is_not_named() -> None:
    assert SHOP.edge(("shop/web", "shop/cart")) == ("shop/web", "shop/cart")
    assert SHOP.edge(("edge", "shop/cart")) == ("edge", "shop/cart")
    assert SHOP.edge(("bank/ledger", "shop/cart")) == ("hidden", "shop/cart")
    assert SHOP.edge(("shop/cart", "bank/vault")) == ("shop/cart", "hidden")
    assert SHOP.edge(("bank/ledger", "bank/vault")) is None
    assert SHOP.edge(("edge", "bank/vault")) is None


def test_a_route_of_ones_own_may_lead_to_what_is_not_named() -> None:
    assert SHOP.route(("shop/r", "all", "bank/vault", "2xx", "")) == ("shop/r", "all", "hidden", "2xx", "")
    assert SHOP.route(("bank/r", "all", "shop/cart", "2xx", "")) is None


def test_instances_are_seen_with_their_service() -> None:
    assert SHOP.instance(("shop/cart", "a", "v1")) == ("shop/cart", "a", "v1")
    assert SHOP.instance(("bank/vault", "a", "v1")) is None
