"""A change in words."""

from meshway.cli.proposals import COLUMNS, lines_of, texts_of_new

TOLD = {
    "id": "41",
    "state": "in_review",
    "title": "Limit search",
    "editors": ["user:lin", "user:pat"],
    "approvals_given": 1,
    "approvals_needed": 2,
    "words": [
        {"by": "user:kim", "verdict": "refuse", "text": "too much", "counts": False},
        {"by": "user:kim", "verdict": "approve", "text": "", "counts": True},
    ],
}


def test_a_change_tells_who_wrote_it_and_what_was_said_of_it() -> None:
    assert list(lines_of(TOLD)) == [
        "change 41 in review: Limit search",
        "  by user:lin, user:pat, 1 of 2 approve",
        "  ✗ refuses user:kim (of what it was before): too much",
        "  ✓ approves user:kim: -",
    ]
    published = TOLD | {"state": "published", "revision": 812, "publisher": "user:lin", "message": "noon"}
    assert "  r812 by user:lin: noon" in list(lines_of(published))


def test_a_row_tells_state_and_approvals() -> None:
    row = [show(TOLD) for show in COLUMNS.values()]
    assert row == ["41", "in review", "user:lin, user:pat", "1/2", "Limit search"]


def test_what_a_change_would_create_is_shown_as_it_is_written() -> None:
    search = {"kind": "RateLimit", "namespace": "shop", "name": "search", "base_revision": 0, "text": "spec:\n  a: 1\n"}
    changed = search | {"name": "changed", "base_revision": 7}
    deleted = search | {"name": "deleted", "text": None}
    told = TOLD | {"documents": [search, changed, deleted]}
    assert list(texts_of_new(told)) == ["RateLimit shop/search:", "  spec:", "    a: 1"]
