import pytest

from gateway.routing.captures import compile_captures
from meshway.model.match import PathMatch


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("/reviews/{id}", b"/reviews/7", {"id": b"7"}),
        ("/reviews/{id}", b"/reviews/%C3%A9", {"id": b"%C3%A9"}),
        ("/reviews/{id}", b"/reviews/", {}),
        ("/reviews/{id}", b"/reviews/7/", {}),
        ("/reviews/{id}", b"/Reviews/7", {}),
        ("/{a}/x/{b}", b"/1/x/2", {"a": b"1", "b": b"2"}),
        ("/{a}/x/{b}", b"/1/y/2", {}),
        ("/files/{rest=**}", b"/files/a/b/", {"rest": b"a/b/"}),
        ("/files/{rest=**}", b"/files/", {"rest": b""}),
        ("/files/{rest=**}", b"/files", {}),
        ("/{a}/{rest=**}", b"//x", {}),
    ],
)
def test_a_template_names_segments(template: str, path: bytes, found: dict[str, bytes]) -> None:
    assert compile_captures([PathMatch(template=template)])(path) == found


def test_letters_may_not_count_and_values_stay_as_they_are() -> None:
    capture = compile_captures([PathMatch(template="/Shop/{id}", ignore_case=True)])
    assert capture(b"/sHOP/AbC") == {"id": b"AbC"}


def test_an_expression_names_groups_over_the_whole_path() -> None:
    capture = compile_captures([PathMatch(regex="/(?P<kind>[a-z]+)/(?P<id>[0-9]+)?")])
    assert capture(b"/book/12") == {"kind": b"book", "id": b"12"}
    assert capture(b"/book/") == {"kind": b"book", "id": b""}
    assert capture(b"/book/12/x") == {}


def test_of_several_paths_that_fit_the_one_asked_first_gives_the_values() -> None:
    paths = [
        PathMatch(regex="/books/(?P<id>.*)"),
        PathMatch(template="/{kind}/{id}"),
        PathMatch(template="/books/{id}"),
    ]
    capture = compile_captures(paths)
    assert capture(b"/books/1") == {"id": b"1"}
    assert capture(b"/films/1") == {"kind": b"films", "id": b"1"}
    assert capture(b"/books/1/2") == {"id": b"1/2"}
    assert capture(b"/") == {}


def test_paths_without_names_give_none() -> None:
    paths = [PathMatch(prefix="/a"), PathMatch(exact="/a"), PathMatch(regex="/(a)"), PathMatch(string_prefix="/a")]
    assert compile_captures(paths)(b"/a") == {}
