import pytest

from meshway.http1.cookies import cookie_value, cookie_values


@pytest.mark.parametrize(
    ("block", "values"),
    [
        (b"", {}),
        (b"X-Cookie: a=b\r\n", {}),
        (b"Cookie: a=b; c=d\r\n", {b"a": b"b", b"c": b"d"}),
        (b"cookie:a=b;c=d ;\te=f\r\n", {b"a": b"b", b"c": b"d", b"e": b"f"}),
        (b'Cookie: a="b c"; d=e=f==\r\n', {b"a": b'"b c"', b"d": b"e=f=="}),
        (b"Cookie: a=first; a=second\r\n", {b"a": b"first"}),
        (b"Cookie: a; =b; c=\r\n", {b"": b"b", b"c": b""}),
    ],
)
def test_names_and_values_as_they_stand(block: bytes, values: dict[bytes, bytes]) -> None:
    assert cookie_values(block) == values
    assert {name: cookie_value(block, name) for name in values} == values
    assert cookie_value(block, b"z") is None


def test_what_came_in_several_fields_is_one_list() -> None:
    block = b"Cookie: a=1\r\nX-A: b=2\r\nCOOKIE: b=3; a=4\r\n"
    assert cookie_values(block) == {b"a": b"1", b"b": b"3"}
    assert [cookie_value(block, name) for name in (b"a", b"b")] == [b"1", b"3"]
