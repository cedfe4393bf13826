"""What is matched is what is forwarded: one spelling of a path, and none that two readers read differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import Slashes
from gateway.routing.path import PathError, canonical, has_slashes

PIECES = st.sampled_from(
    ["/", "//", ".", "..", "a", "B", "%41", "%2e", "%2E", "%7e", "%20", "%3B", ";", ";x", "%25", "%252e", "é", "*", "~"]
)
TARGETS = st.lists(PIECES, max_size=12).map(lambda pieces: ("/" + "".join(pieces)).encode())


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/books/1", "/books/1"),
        ("/%62ooks", "/books"),
        ("/a%2db", "/a-b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a//b///c", "/a/b/c"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/..;x/b", "/b"),
        ("/a/..%3bx/b", "/b"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/100%25", "/100%25"),
        ("/a%252fb", "/a%252fb"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("http://shop.example/a", "/a"),
        ("HTTP://shop.example", "/"),
        ("*", "*"),
    ],
)
def test_a_path_has_one_spelling(target: str, path: str) -> None:
    assert canonical(target.encode()) == (path.encode(), b"")


@pytest.mark.parametrize(
    "target",
    [
        "/a%2fb",
        "/a%5Cb",
        "/a\\b",
        "/%00",
        "/a%0d%0ab",
        "/%7f",
        "/a b",
        "/a#b",
        "/a%",
        "/a%4",
        "/a%zz",
        "/%u0041",
        "/%c0%af",
        "/%C1%9C",
        "/%e0%80%af",
        "/%F0%80%80%AF",
        "/..",
        "/a/../..",
        "/a/..;x/..;x",
        "books",
        "ftp://shop.example/a",
        "",
    ],
)
def test_what_others_may_read_differently_is_refused(target: str) -> None:
    with pytest.raises(PathError) as caught:
        canonical(target.encode())
    assert (caught.value.status, caught.value.code) == (400, "bad_request")


def test_raw_bytes_above_ascii_are_refused() -> None:
    with pytest.raises(PathError):
        canonical("/é".encode())


def test_the_query_is_never_rewritten() -> None:
    assert canonical(b"/a//b?q=%2f&x=//../%zz") == (b"/a/b", b"?q=%2f&x=//../%zz")
    assert canonical(b"/a?") == (b"/a", b"?")
    assert canonical(b"http://shop.example?q=1") == (b"/", b"?q=1")


@given(TARGETS)
def test_a_canonical_path_is_its_own(target: bytes) -> None:
    try:
        path, query = canonical(target)
    except PathError:
        return
    assert canonical(path + query) == (path, query)
    assert b"//" not in path
    assert not {b".", b".."} & {segment.partition(b";")[0] for segment in path.split(b"/")}


@given(st.binary(max_size=40))
def test_any_bytes_are_judged_and_what_passes_is_its_own(raw: bytes) -> None:
    try:
        path, query = canonical(b"/" + raw)
    except PathError:
        return
    assert canonical(path + query) == (path, query)
    assert not path.translate(None, bytes(range(0x21, 0x7F)))


BOTH = Slashes(True, True)


@pytest.mark.parametrize(
    ("target", "keeps", "path"),
    [
        ("/a%2fb", Slashes(encoded=True), "/a%2Fb"),
        ("/a%5Cb//c", Slashes(encoded=True), "/a%5Cb/c"),
        ("/a//b", Slashes(doubled=True), "/a//b"),
        ("//a%2db//", BOTH, "//a-b//"),
        ("/a%2F%2Fb", BOTH, "/a%2F%2Fb"),
        ("/a/./b/../c", BOTH, "/a/c"),
    ],
)
def test_slashes_stay_where_a_route_says_so(target: str, keeps: Slashes, path: str) -> None:
    assert canonical(target.encode(), keeps) == (path.encode(), b"")
    assert canonical(path.encode(), keeps) == (path.encode(), b"")


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/a%2F..",
            "/..%2Fb",
            "/a%5c.%2fb",
            "/a//../b",
            "//.",
            "/a//%2e%2e%2Fb",
            "/a//b%00",
            "/a//b%zz",
            "/%2e%2e%2f",
        ),
        *("/a;%2F..%2F..%2Fb", "/a%3Bx%2f.%2fb", "/a;x%5C..;y%5Cb"),
    ],
)
def test_what_climbs_beside_such_slashes_is_refused(target: str) -> None:
    with pytest.raises(PathError):
        canonical(target.encode(), BOTH)


def test_a_look_tells_whether_slashes_are_to_be_kept() -> None:
    assert all(map(has_slashes, (b"//", b"/a%2fb", b"/a%5Cb")))
    assert not has_slashes(b"/a/b%C3%A9")
