import pytest

from meshway.http1.query import decoded, first_value, first_values


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"?a=1", b"1"),
        (b"?b=2&a=1&a=3", b"1"),
        (b"?a", b""),
        (b"?a=", b""),
        (b"?%61=x%20y+z", b"x y z"),
        (b"?a=%2", b"%2"),
        (b"?a=b=c", b"b=c"),
        (b"", None),
        (b"?", None),
        (b"?ab=1&=a", None),
    ],
)
def test_the_first_value_of_a_name_is_decoded(query: bytes, value: bytes | None) -> None:
    assert first_value(query, b"a") == value
    assert first_values(query).get(b"a") == value


def test_all_names_have_their_first_value() -> None:
    assert first_values(b"?a=1&&b=2&a=3&c") == {b"a": b"1", b"b": b"2", b"c": b""}
    assert first_values(b"") == {}


def test_a_name_with_a_plus_is_a_name_with_a_space() -> None:
    assert decoded(b"a+b%2Bc") == b"a b+c"
    assert first_value(b"?a+b=1", b"a b") == b"1"


def test_between_two_ampersands_is_no_pair() -> None:
    assert first_value(b"?&&=x", b"") == first_values(b"?&&=x")[b""] == b"x"
    assert first_value(b"?&&a=x", b"") is None
