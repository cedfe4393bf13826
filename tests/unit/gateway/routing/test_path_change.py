import pytest

from gateway.routing.path import PathError
from gateway.routing.path_change import compile_path_change
from meshway.model.route import PathRewrite


def test_another_prefix_takes_the_place_of_the_matched_segments_only() -> None:
    change = compile_path_change(PathRewrite(prefix="/v2/books"), [b"/books", b"/books/old"])
    assert change(b"/books") == b"/v2/books"
    assert change(b"/books/1") == b"/v2/books/1"
    assert change(b"/books/old/1") == b"/v2/books/1"
    assert change(b"/bookshop") == b"/bookshop"


def test_a_prefix_can_be_taken_off_and_put_on() -> None:
    assert compile_path_change(PathRewrite(prefix="/"), [b"/api"])(b"/api") == b"/"
    assert compile_path_change(PathRewrite(prefix="/"), [b"/api"])(b"/api/x/") == b"/x/"
    assert compile_path_change(PathRewrite(prefix="/api/"), [b""])(b"/x") == b"/api/x"


def test_a_full_path_takes_the_place_of_every_path() -> None:
    assert compile_path_change(PathRewrite(full="/a//b"), [])(b"/anything") == b"/a/b"


def test_paths_are_written_as_people_do_and_hold_no_query() -> None:
    assert compile_path_change(PathRewrite(full="/é"), [])(b"/a") == b"/%C3%A9"
    assert compile_path_change(PathRewrite(prefix="/é"), [b"/a"])(b"/a/b") == b"/%C3%A9/b"
    with pytest.raises(PathError):
        compile_path_change(PathRewrite(full="/a?b=c"), [])


def test_a_changed_path_is_made_canonical_again() -> None:
    change = compile_path_change(PathRewrite(prefix="/x/.."), [b"/a"])
    assert change(b"/a/b") == b"/b"
    with pytest.raises(PathError):
        compile_path_change(PathRewrite(full="/a%2fb"), [])
