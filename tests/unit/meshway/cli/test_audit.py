"""What the log's rows say to people, in few words."""

from typing import Any

import pytest

from meshway.cli.audit import _NOTED, _what


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"op": "put", "document": "Route shop/books", "fields": []}, "put Route shop/books"),
        ({"op": "revoke", "token": "ci", "id": "abcdefgh"}, "revoke token ci"),
        ({"op": "create", "enrolment": "spiffe://mesh.local/ns/shop/svc/books", "id": "1"}, "create enrolment spiffe:"),
        ({"op": "take", "root_key": "r1"}, "take root key r1"),
        ({"op": "create", "user": "ann"}, "create user ann"),
        ({"op": "bind", "user": "ann", "role": "editor", "namespace": "shop"}, "bind user ann as editor in shop"),
        (
            {"op": "unbind", "group": "corp:dev", "role": "viewer", "namespace": "*"},
            "unbind group corp:dev as viewer in *",
        ),
        ({"op": "sign_in", "session": "4782f936", "how": "password"}, "sign in session 4782f936"),
        ({"op": "change_password", "user": "ann", "session": "4782f936"}, "change password user ann"),
        ({"op": "of_tomorrow", "moon": "full"}, "of tomorrow"),
    ],
)
def test_each_change_is_named(change: dict[str, Any], told: str) -> None:
    assert _what({"action": "POST /v1/x", "detail": {"changes": [change]}}).startswith(f"POST /v1/x   {told}")


def test_a_refusal_and_moved_instances() -> None:
    assert _what({"action": "PUT /v1/x", "detail": {"status": 403}}) == "PUT /v1/x"
    moved = {"instances": [["put", f"shop/books/{at}", 1] for at in range(4)], "count": 4}
    assert (
        _what({"action": "instances", "detail": moved})
        == "instances shop/books/0, shop/books/1, shop/books/2 and 1 more"
    )


def test_what_is_no_row_and_hash_is_not_called_tampering() -> None:
    assert _NOTED.fullmatch("12:" + "0a" * 32)
    assert not [text for text in ("3:abc", "abc", "12", ":" + "0a" * 32) if _NOTED.fullmatch(text)]
