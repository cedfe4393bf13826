"""What a service may take a path for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.readings import Readings, folded, is_plain, readings
from gateway.routing.path import PathError, canonical


@pytest.mark.parametrize(
    "path",
    [
        "/admin", "/Admin", "/%41dmin", "/%2561dmin", "/%252561dmin", "/admin.", "/admin..", "/admin%20", "/admin;a=1",
        "/x/..;/admin", "/x/%252e%252e/admin", "/x%255c..%255cadmin", "/%255cadmin", "/admin%253fx", "/admin%2523x",
        "/admin%2500.html", "/%EF%BC%A1dmin", "/%EF%BC%8Fadmin", "/%E2%93%90dmin", "/ADMIN%20.", "/admin%3Bx",
        "/./admin", "/x/%25252e%25252e/admin",
    ],
)  # fmt: skip
def test_what_may_be_read_as_admin_is_read_as_admin(path: str) -> None:
    assert b"/admin" in readings(canonical(path.encode())[0])


@pytest.mark.parametrize("path", ["/administration", "/caf%C3%A9", "/a;v=1/b", "/100%25", "/user/admin", "/admi", "/"])
def test_what_is_something_else_stays_something_else(path: str) -> None:
    assert b"/admin" not in readings(canonical(path.encode())[0])


@pytest.mark.parametrize("path", [b"/", b"/a/b-c_d~e", b"/index.html", b"/a,b/c=d:e@f", b"/.well-known/x", b"/a/"])
def test_a_plain_path_has_one_reading(path: bytes) -> None:
    assert is_plain(path)
    assert set(readings(path)) == {path}


@pytest.mark.parametrize("path", [b"/A", b"/a%20", b"/a;b", b"/a.", b"/a./b"])
def test_a_path_is_not_plain_that_somebody_may_read_otherwise(path: bytes) -> None:
    assert not is_plain(path)


def test_the_path_itself_comes_first() -> None:
    assert readings(b"/A;x")[0] == b"/A;x"


@pytest.mark.parametrize(
    ("written", "spelled"), [("/Admin/x", "/admin/x"), ("/caf%C3%89", "/caf%c3%a9"), ("/100%25", "/100%25"), ("", "")]
)
def test_a_rules_path_is_folded_the_same_way(written: str, spelled: str) -> None:
    assert folded(written) == spelled


@given(text=st.text(st.characters(min_codepoint=0x20, blacklist_characters="?#%"), max_size=24))
def test_every_rule_is_found_by_the_readings_of_its_own_path(text: str) -> None:
    target = b"/" + b"".join(b"%%%02X" % byte for byte in text.encode("utf-8", "surrogatepass"))
    try:
        path = canonical(target)[0]
    except PathError:
        return
    assert folded(path.decode()).encode() in readings(path)


def test_readings_are_remembered_and_the_memory_is_bounded() -> None:
    known = Readings()
    assert known.of(b"/a;b") is known.of(b"/a;b")
    long = b"/" + b"a;" * 200
    assert known.of(long) is not known.of(long)
    for number in range(5000):
        known.of(b"/%d;" % number)
    assert known.of(b"/a;b") == readings(b"/a;b")
