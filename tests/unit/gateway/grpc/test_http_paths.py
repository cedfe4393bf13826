import pytest

from gateway.grpc.http_paths import HttpPaths
from meshway.descriptor_files import HttpRule, Method


def method(name: str, *rules: tuple[str, str]) -> Method:
    made = tuple(HttpRule(verb, path, "", "") for verb, path in rules)
    return Method("s.S", name, "s.In", "s.Out", False, False, made)


PATHS = HttpPaths(
    [
        method("Exact", ("GET", "/v1/books/first")),
        method("One", ("GET", "/v1/books/{id}"), ("DELETE", "/v1/books/{id}")),
        method("Open", ("GET", "/v1/books/{id}:open")),
        method("Deep", ("GET", "/v1/books/{id}/parts/{part.name}")),
        method("Rest", ("GET", "/v1/{name=files/**}")),
        method("Undo", ("POST", "/v1/{name=files/**}:undo")),
        method("Any", ("GET", "/v1/*/all")),
    ]
)


@pytest.mark.parametrize(
    ("verb", "path", "name", "values"),
    [
        (b"GET", b"/v1/books/first", "Exact", {}),
        (b"GET", b"/v1/books/2", "One", {("id",): "2"}),
        (b"DELETE", b"/v1/books/first", "One", {("id",): "first"}),
        (b"GET", b"/v1/books/a%20b", "One", {("id",): "a b"}),
        (b"GET", b"/v1/books/a%2Fb", "One", {("id",): "a/b"}),
        (b"GET", b"/v1/books/2:open", "Open", {("id",): "2"}),
        (b"GET", b"/v1/books/2:shut", "One", {("id",): "2:shut"}),
        (b"GET", b"/v1/books/2/parts/3", "Deep", {("id",): "2", ("part", "name"): "3"}),
        (b"GET", b"/v1/files", "Rest", {("name",): "files"}),
        (b"GET", b"/v1/files/a/b%2Fc", "Rest", {("name",): "files/a/b%2Fc"}),
        (b"POST", b"/v1/files/a/b:undo", "Undo", {("name",): "files/a/b"}),
        (b"GET", b"/v1/books/all", "One", {("id",): "all"}),
        (b"GET", b"/v1/shelves/all", "Any", {}),
    ],
)
def test_the_most_exact_rule_has_the_call(
    verb: bytes, path: bytes, name: str, values: dict[tuple[str, ...], str]
) -> None:
    found = PATHS.find(verb, path)
    assert found is not None
    assert (found[0].method.name, found[1]) == (name, values)


@pytest.mark.parametrize("path", [b"/", b"/v1", b"/v1/books", b"/v1/books/", b"/v1/books/2/parts", b"/v2/books/1"])
def test_other_paths_are_nobodys(path: bytes) -> None:
    assert PATHS.find(b"GET", path) is None


def test_a_path_knows_its_methods() -> None:
    assert PATHS.allowed(b"/v1/books/2") == ["DELETE", "GET"]
    assert PATHS.allowed(b"/v1/books") == []


def test_a_call_that_two_methods_claim_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"GET /a/\* stands for s.S.A and for s.S.B"):
        HttpPaths([method("A", ("GET", "/a/{b}")), method("B", ("GET", "/a/{c}"))])
