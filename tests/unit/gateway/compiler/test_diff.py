import msgspec

from gateway.compiler.diff import read_changes
from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, gone, left, running, to


def test_the_last_change_of_a_key_counts() -> None:
    diff = read_changes(
        [running("books", "1", weight=2), left("books", "1"), running("books", "2"), gone("Route", "r")]
    )
    (instances,) = diff.instances.values()
    assert instances["1"] is None
    assert instances["2"] is not None
    assert diff.documents == {("Route", "default", "r"): None}
    assert diff.refusals == []


def test_a_document_is_read_with_its_age() -> None:
    diff = read_changes([document("Route", "r", edge_route(to("books")), created_at="2026-01-01T00:00:00Z")])
    entry = diff.documents["Route", "default", "r"]
    assert entry is not None
    assert (entry.age, entry.title, entry.spec.rules[0].destinations[0].service) == (
        "2026-01-01T00:00:00Z",
        "default/r",
        "books",
    )


def test_what_cannot_be_read_is_refused_with_its_place_and_the_rest_is_read() -> None:
    broken = msgspec.Raw(b"\xc1")
    diff = read_changes(
        [
            document("Route", "wrong", edge_route(to("books"), priority="high")),
            document("Route", "good", edge_route(to("books"))),
            document("Weather", "w", {}),
            Change("put", "Route", "default", "broken", broken),
            Change("put", "Instance", "default", "books/1", broken),
        ]
    )
    assert [(refusal.kind, refusal.name, refusal.path) for refusal in diff.refusals] == [
        ("Route", "wrong", "spec.priority"),
        ("Weather", "w", "kind"),
        ("Route", "broken", ""),
        ("Instance", "books/1", ""),
    ]
    assert list(diff.documents) == [("Route", "default", "good")]
    assert diff.instances == {}


def test_what_follows_an_earlier_part_replaces_and_mends_it() -> None:
    diff = read_changes([running("books", "1"), document("Route", "r", edge_route(to("books"), priority="high"))])
    assert len(diff.refusals) == 1
    again = read_changes([left("books", "1"), document("Route", "r", edge_route(to("books")))], diff)
    assert again is diff
    assert diff.instances == {("default", "books"): {"1": None}}
    assert (diff.refusals, diff.unread) == ([], {})
