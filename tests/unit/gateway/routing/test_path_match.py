import pytest

from gateway.routing.path_match import compile_path
from meshway.model.match import PathMatch


@pytest.mark.parametrize(
    ("path", "yes", "no"),
    [
        (PathMatch(exact="/a"), [b"/a"], [b"/a/", b"/A", b"/ab", b"/"]),
        (PathMatch(exact="/Ab", ignore_case=True), [b"/aB", b"/Ab"], [b"/a"]),
        (PathMatch(prefix="/a"), [b"/a", b"/a/", b"/a/b"], [b"/ab", b"/A/b", b"/"]),
        (PathMatch(prefix="/A", ignore_case=True), [b"/a/B", b"/A"], [b"/ab"]),
        (PathMatch(string_prefix="/a"), [b"/a", b"/ab", b"/a/b"], [b"/A", b"/"]),
        (PathMatch(string_prefix="/aB", ignore_case=True), [b"/Abc"], [b"/a"]),
        (PathMatch(regex="/a[0-9]+"), [b"/a1", b"/a12"], [b"/a", b"/a1/", b"/A1"]),
        (PathMatch(regex="/a[0-9]+", ignore_case=True), [b"/A1"], [b"/B1"]),
        (PathMatch(template="/a/{id}"), [b"/a/1"], [b"/a", b"/a/1/2", b"/b/1"]),
        (PathMatch(template="/a/{rest=**}"), [b"/a/1", b"/a/1/2"], [b"/b/1"]),
        (PathMatch(template="/A/{id}", ignore_case=True), [b"/a/X"], [b"/a/x/y"]),
    ],
    ids=str,
)  # fmt: skip
def test_it_fits_these_paths_and_not_those(path: PathMatch, yes: list[bytes], no: list[bytes]) -> None:
    fits = compile_path(path)
    assert fits is not None
    assert [asked for asked in yes if not fits(asked)] == []
    assert [asked for asked in no if fits(asked)] == []


@pytest.mark.parametrize("ignore_case", [False, True])
def test_a_prefix_that_every_path_has_asks_nothing(ignore_case: bool) -> None:
    assert compile_path(PathMatch(prefix="", ignore_case=ignore_case)) is None
