import pytest
import re2

from gateway.routing.path import PathError, canonical
from gateway.routing.path_change import compile_path_change
from meshway.model.match import PathMatch
from meshway.model.route import PathRewrite

BOOKS = PathMatch(prefix="/books")


def changed(change: PathRewrite, path: bytes, *paths: PathMatch, query: bytes = b"?q=a") -> bytes:
    """Path and query together."""
    return b"".join(compile_path_change(change, paths)(path, query))


def test_another_prefix_takes_the_place_of_the_matched_segments_only() -> None:
    paths = BOOKS, PathMatch(prefix="/books/old")
    for path, expected in (
        (b"/books", b"/v2/books"),
        (b"/books/1", b"/v2/books/1"),
        (b"/books/old/1", b"/v2/books/1"),
        (b"/bookshop", b"/bookshop"),
    ):
        assert changed(PathRewrite(prefix="/v2/books"), path, *paths, query=b"") == expected


def test_a_prefix_can_be_taken_off_and_put_on() -> None:
    api = PathMatch(prefix="/api")
    assert changed(PathRewrite(prefix="/"), b"/api", api) == b"/?q=a"
    assert changed(PathRewrite(prefix="/"), b"/api/x/", api) == b"/x/?q=a"
    assert changed(PathRewrite(prefix="/api/"), b"/x", PathMatch(prefix="")) == b"/api/x?q=a"


def test_a_full_path_takes_the_place_of_every_path() -> None:
    assert changed(PathRewrite(full="/a//b"), b"/anything") == b"/a/b?q=a"


def test_a_full_path_may_bring_its_query_or_drop_the_callers() -> None:
    assert changed(PathRewrite(full="/a?b=c"), b"/x") == b"/a?b=c"
    assert changed(PathRewrite(full="/a?"), b"/x") == b"/a"


def test_paths_are_written_as_people_do() -> None:
    assert changed(PathRewrite(full="/é"), b"/a", query=b"") == b"/%C3%A9"
    assert changed(PathRewrite(prefix="/é"), b"/a/b", PathMatch(prefix="/a"), query=b"") == b"/%C3%A9/b"


def test_a_changed_path_is_made_canonical_again() -> None:
    assert changed(PathRewrite(prefix="/x/.."), b"/a/b", PathMatch(prefix="/a"), query=b"") == b"/b"
    for bad in (PathRewrite(full="/a%2fb"), PathRewrite(template="/a%2f{id}")):
        with pytest.raises(PathError):
            compile_path_change(bad, [])


def test_a_template_takes_over_what_the_path_names() -> None:
    one = PathMatch(template="/shops/{shop}/items/{id}")
    assert changed(PathRewrite(template="/v2/{id}/of-{shop}.json"), b"/shops/a/items/7%20x", one) == (
        b"/v2/7%20x/of-a.json?q=a"
    )
    rest = PathMatch(template="/files/{rest=**}")
    assert changed(PathRewrite(template="/{rest}"), b"/files/a/b/", rest) == b"/a/b/?q=a"
    named = PathMatch(regex="/(?P<kind>[a-z]+)-(?P<id>[0-9]+)")
    assert changed(PathRewrite(template="/{kind}/{id}"), b"/book-12", named) == b"/book/12?q=a"


def test_the_first_path_that_fits_gives_the_names() -> None:
    paths = PathMatch(template="/{id}"), PathMatch(template="/books/{id}")
    assert changed(PathRewrite(template="/x/{id}"), b"/books/1", *paths) == b"/x/1?q=a"
    assert changed(PathRewrite(template="/x/{id}"), b"/books", *paths) == b"/x/books?q=a"


def test_a_part_of_the_path_stays_one_value_in_a_query() -> None:
    one = PathMatch(template="/items/{id}")
    assert changed(PathRewrite(template="/find?id={id}&full=1"), b"/items/a&b=c+d", one) == (
        b"/find?id=a%26b%3Dc%2Bd&full=1"
    )


def test_a_substitution_stands_wherever_the_expression_fits() -> None:
    swap = PathRewrite(regex="^/service/([^/]+)(/.*)$", substitution=r"\2/instance/\1")
    assert changed(swap, b"/service/foo/v1/api") == b"/v1/api/instance/foo?q=a"
    assert changed(swap, b"/other") == b"/other?q=a"
    assert changed(PathRewrite(regex="^/a|b", substitution="/c"), b"/a/b/b") == b"/c/c/c?q=a"
    assert changed(PathRewrite(regex="^/[a-z]+", substitution=r"\0x"), b"/a/b") == b"/ax/b?q=a"
    assert changed(PathRewrite(regex="one", substitution="two"), b"/xxx/one/yyy/one/zzz") == b"/xxx/two/yyy/two/zzz?q=a"
    assert changed(PathRewrite(regex="[0-9]+", substitution=r"<\0>"), b"/a/12/3") == b"/a/<12>/<3>?q=a"
    assert changed(PathRewrite(regex="(a)|(b)", substitution=r"\1x\2"), b"/b") == b"/xb?q=a"


@pytest.mark.parametrize("pattern", ["^/books/", "^/books", "/books/", "a", "aa", "^a", "/b", "%20", "^/-_~"])
@pytest.mark.parametrize("substitution", ["/v2/", r"\0x", r"<\0\0>", ""])
def test_an_expression_that_stands_for_itself_is_exchanged_as_re2_would(pattern: str, substitution: str) -> None:
    for path in (b"/books/1", b"/books", b"/x/books/books/1", b"/aaa/a", b"/b%20a", b"/-_~/"):
        told = re2.sub(pattern.encode(), substitution.replace(r"\0", r"\g<0>").encode(), path)
        if told.startswith(b"/"):
            expected = canonical(told)[0] + b"?q=a"
            assert changed(PathRewrite(regex=pattern, substitution=substitution), path) == expected


def test_a_substitution_that_leaves_no_path_is_an_error() -> None:
    with pytest.raises(PathError):
        changed(PathRewrite(regex="^/a", substitution="http://evil.example"), b"/a/b")
    with pytest.raises(PathError):
        changed(PathRewrite(regex="b", substitution="../../.."), b"/a/b")
