"""Blocks of fields, read and changed."""

import pytest

from meshway.http1.fields import add, dashed, find, find_all, is_name, is_value, pairs, remove, remove_alike, set_

BLOCK = b"Accept: */*\r\nX-User:  ann \r\nx-user: bob\r\nX-Users: all\r\nY: x-user: eve\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"accept", b"*/*"),
        (b"x-user", b"ann"),
        (b"x-users", b"all"),
        (b"y", b"x-user: eve"),
        (b"user", None),
        (b"x", None),
    ],
)
def test_a_field_is_found_by_its_whole_name_in_any_case(name: bytes, value: bytes | None) -> None:
    assert find(BLOCK, name) == value


def test_nothing_is_found_in_an_empty_block() -> None:
    assert find(b"", b"a") is None
    assert find_all(b"", b"a") == []
    assert pairs(b"") == []


def test_all_values_of_a_name_come_in_order() -> None:
    assert find_all(BLOCK, b"x-user") == [b"ann", b"bob"]


def test_pairs_have_lower_case_names() -> None:
    assert pairs(BLOCK)[:2] == [(b"accept", b"*/*"), (b"x-user", b"ann")]


def test_removing_takes_every_field_of_the_name_and_nothing_else() -> None:
    assert remove(BLOCK, (b"x-user",)) == b"Accept: */*\r\nX-Users: all\r\nY: x-user: eve\r\n"
    assert remove(b"A: 1\r\n", (b"a",)) == b""
    assert remove(BLOCK, {b"accept", b"x-user", b"x-users", b"y"}) == b""


def test_what_others_read_as_the_same_name_goes_too() -> None:
    block = b"X_User-Id: a_b\r\nx-uSER_id: 2\r\nX-User-Id: 3\r\nX_User: x-user-id\r\n"
    assert remove_alike(block, dashed((b"x-user-id",))) == b"X_User: x-user-id\r\n"
    assert remove_alike(block, dashed((b"x_user_id",))) == b"X_User: x-user-id\r\n"
    assert remove_alike(block, dashed((b"x-other", b"a-b"))) is block


def test_a_block_without_the_name_stays_the_same_object() -> None:
    assert remove(BLOCK, (b"cookie", b"user")) is BLOCK


def test_setting_leaves_one_field_whatever_there_was() -> None:
    assert find_all(set_(BLOCK, b"X-User", b"zoe"), b"x-user") == [b"zoe"]
    assert set_(b"", b"A", b"1") == b"A: 1\r\n"
    assert add(b"A: 1\r\n", b"A", b"2") == b"A: 1\r\nA: 2\r\n"


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r", b"\xe9", b"a\x00"])
def test_what_is_no_token_is_no_name(name: bytes) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("value", [b" a", b"a ", b"a\rb", b"a\nb", b"\x00", b"\x7f", b"a\r\nb: c"])
def test_what_would_change_the_head_is_no_value(value: bytes) -> None:
    assert not is_value(value)


def test_usual_names_and_values_can_stand() -> None:
    assert is_name(b"X-Users_1")
    assert is_value(b"")
    assert is_value(b"a\tb \xe9")
