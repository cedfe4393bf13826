"""What an apply changes, as people read it."""

from meshway.cli.changes import applied_line, change_marks, diff_text

APPLIED = {
    "revision": 812,
    "documents": [
        {
            "kind": "RateLimit",
            "namespace": "shop",
            "name": "search",
            "result": "changed",
            "changes": [
                {"path": "spec.token_bucket.rate", "from": "200/s", "to": "100/s"},
                {"path": "spec.key", "to": ["source_ip"]},
            ],
        },
        {"kind": "Route", "namespace": "shop", "name": "cart", "result": "created", "changes": []},
        {"kind": "Route", "namespace": "shop", "name": "old", "result": "deleted"},
        {"kind": "Route", "namespace": "shop", "name": "same", "result": "unchanged"},
    ],
}


def test_a_diff_shows_each_field_and_counts() -> None:
    assert diff_text(APPLIED, color=False) == (
        "~ RateLimit shop/search\n"
        "    spec.token_bucket.rate   200/s -> 100/s\n"
        '    spec.key                 (not set) -> ["source_ip"]\n'
        "+ Route shop/cart\n"
        "- Route shop/old\n"
        "1 created, 1 changed, 1 unchanged, 1 deleted"
    )


def test_marks_leave_out_what_stays() -> None:
    assert change_marks(APPLIED) == "~ RateLimit shop/search\n+ Route shop/cart\n- Route shop/old"
    assert change_marks({"documents": []}) == "unchanged"


def test_the_last_line_says_what_became_of_it() -> None:
    assert applied_line(APPLIED, dry_run=False) == "✓ revision 812"
    assert applied_line(APPLIED, dry_run=True) == "dry run: nothing was published"
    assert applied_line({"revision": 7, "documents": []}, dry_run=False) == "✓ nothing to change, revision 7"
