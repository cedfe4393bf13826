import pytest

from meshway.http_template import Variable, parse_http_template


def test_variables_know_their_segments() -> None:
    found = parse_http_template("/v1/{name=shelves/*/books/*}/parts/{part.id}:open")
    assert found.segments == ("v1", "shelves", "*", "books", "*", "parts", "*")
    assert found.verb == "open"
    assert found.variables == (Variable(("name",), 1, 5), Variable(("part", "id"), 6, 7))
    assert found.pattern == "/v1/shelves/*/books/*/parts/*:open"


def test_what_fits_the_same_paths_has_the_same_pattern() -> None:
    assert parse_http_template("/a/{b}").pattern == parse_http_template("/a/*").pattern == "/a/*"
    rest = parse_http_template("/a/{b=c/**}")
    assert (rest.segments, rest.variables) == (("a", "c", "**"), (Variable(("b",), 1, -1),))
    assert parse_http_template("/a/{b=**}:undo").verb == "undo"


@pytest.mark.parametrize(
    "text",
    ["a", "", "/", "/a//b", "/a/", "/{a", "/a}", "/{a=**}/b", "/{a}/{a}", "/{1}", "/{a.}", "/a b", "/a:", "/{a={b}}"],
)
def test_what_is_no_template_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_http_template(text)
