from meshway.telemetry import Row, Rows
from registry.insight.comparing import spans_of, versions_of


def rows(**calls: tuple[int, int]) -> Rows:
    return {(source, "shop/cart"): Row((source, "shop/cart"), *counts) for source, counts in calls.items()}


def test_edges_that_came_or_went_are_told_first_and_then_what_differs_most() -> None:
    before = rows(web=(1_000, 0), app=(1_000, 10), old=(10, 0))
    now = rows(web=(1_000, 0), app=(1_000, 300), new=(20, 0))
    found = spans_of(before, now, before_first=0.0, first=60.0, span_s=60.0)
    assert [(edge.source, edge.result) for edge in found.edges] == [
        ("new", "added"),
        ("old", "gone"),
        ("app", "stayed"),
        ("web", "stayed"),
    ]
    app = found.edges[2]
    assert app.difference is not None
    assert app.difference.is_certain
    assert (found.before.calls, found.now.calls) == (2_010, 2_020)


def test_versions_are_those_of_the_service_alone() -> None:
    counted: Rows = {
        key: Row(key, *counts)
        for key, counts in {
            ("shop/cart", "a", "v1"): (500, 5),
            ("shop/cart", "b", "v1"): (500, 5),
            ("shop/cart", "c", "v2"): (400, 80),
            ("shop/pay", "a", "v2"): (9_000, 0),
        }.items()
    }
    found = versions_of(counted, "shop/cart", ("v1", "v2"), first=0.0, end=60.0, span_s=60.0)
    assert [figures.calls for figures in found.figures] == [1_000, 400]
    assert found.difference.error_share == 0.19
    assert found.difference.is_certain
