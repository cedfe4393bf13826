"""What is shown for a name."""

from gateway.wire.server_names import ServerNames, by_host

NAMES = ServerNames({"shop.example": "exact"}, {"shop.example": "wide"}, "default")


def test_exact_wins_over_wildcard_and_wildcard_over_the_default() -> None:
    asked = ("shop.example", "SHOP.example", "a.shop.example", "a.b.shop.example", "other", "", None)
    assert [NAMES.choose(name) for name in asked] == [
        "exact",
        "exact",
        "wide",
        "default",
        "default",
        "default",
        "default",
    ]


def test_without_a_default_nothing_is_shown_to_others() -> None:
    names = ServerNames({"shop.example": "exact"}, {}, None)
    assert (names.choose("other.example"), names.choose(None)) == (None, None)


def test_a_host_of_none_of_them_is_nobodys_own() -> None:
    assert [NAMES.named(host) for host in ("shop.example", "a.shop.example", "other")] == ["exact", "wide", None]


def test_hosts_are_sorted_by_what_they_are() -> None:
    assert by_host([("a", ["x", "*.y"]), ("b", ["x"])]) == ({"x": ["a", "b"]}, {"y": ["a"]})
