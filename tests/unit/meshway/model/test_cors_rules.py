"""What a rule may say of pages of other origins."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.route import Route
from meshway.model.rule_actions import Cors

A = "https://a.example"


def read(cors: dict[str, Any]) -> tuple[Cors | None, list[tuple[str, str]]]:
    """The block, and path and code of what is wrong with it."""
    spec, errors = decode_spec("Route", {"rules": [{"destinations": [{"service": "a"}], "cors": cors}]})
    found = [(error.path.removeprefix("spec.rules[0].cors"), error.code) for error in errors]
    return (spec.rules[0].cors if isinstance(spec, Route) else None), found


def test_nothing_but_the_origins_is_needed() -> None:
    cors, wrong = read({"allow_origins": [A]})
    assert wrong == []
    assert cors is not None
    assert (float(cors.max_age), cors.allow_methods, cors.allow_credentials) == (3600.0, (), False)
    assert read({}) == (None, [(".allow_origins", "missing_field")])


@pytest.mark.parametrize(
    "origin",
    ["*", "null", A, "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abcd", "https://a_b.c"],
)
def test_what_browsers_send_is_taken(origin: str) -> None:
    assert read({"allow_origins": [origin]})[1] == []


@pytest.mark.parametrize(
    "origin",
    ["a.example", "https://a.example/", "https://A.example", "https://*.a.example", "https://a.example:443",
     "http://a.example:80", "https://", "https://a.example:x", ""],
)  # fmt: skip
def test_what_no_browser_sends_is_refused(origin: str) -> None:
    assert read({"allow_origins": [A, origin]})[1] == [(".allow_origins[1]", "out_of_bounds")]


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"allow_origins": []}, ".allow_origins", "out_of_bounds"),
        ({"allow_origins": [{"present": True}]}, ".allow_origins[0]", "forbidden_combination"),
        ({"allow_origins": [{"exact": A, "invert": True}]}, ".allow_origins[0]", "forbidden_combination"),
        ({"allow_methods": ["put"]}, ".allow_methods[0]", "out_of_bounds"),
        ({"allow_methods": ["A B"]}, ".allow_methods[0]", "out_of_bounds"),
        ({"allow_headers": ["x y"]}, ".allow_headers[0]", "bad_name"),
        ({"expose_headers": ["x:y"]}, ".expose_headers[0]", "bad_name"),
        ({"max_age": "400d"}, ".max_age", "bad_duration"),
        ({"max_age": "10ms"}, ".max_age", "out_of_bounds"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(fields: dict[str, Any], path: str, code: str) -> None:
    assert read({"allow_origins": [A], **fields})[1] == [(path, code)]


@pytest.mark.parametrize("field", ["allow_origins", "allow_methods", "allow_headers", "expose_headers"])
def test_credentials_are_for_who_and_what_is_named(field: str) -> None:
    block = {"allow_origins": [A], "allow_credentials": True, field: ["*"]}
    assert read(block)[1] == [(f".{field}[0]", "forbidden_combination")]
    assert read(block | {"allow_credentials": False})[1] == []


@pytest.mark.parametrize(
    "anybody",
    [{"regex": ".*"}, {"regex": "https?://.+"}, {"prefix": "http"}, {"prefix": "HTTPS://", "ignore_case": True},
     {"contains": "://"}, {"suffix": "d"}],
)  # fmt: skip
def test_a_pattern_that_takes_anybody_is_as_good_as_a_star(anybody: dict[str, Any]) -> None:
    block = {"allow_origins": [anybody], "allow_credentials": True}
    assert read(block)[1] == [(".allow_origins[0]", "forbidden_combination")]
    assert read(block | {"allow_credentials": False})[1] == []


@pytest.mark.parametrize(
    "some", [{"regex": r"https://[a-z]+\.a\.example"}, {"suffix": ".a.example"}, {"in": [A, "https://b.example"]}]
)
def test_a_pattern_that_takes_some_goes_with_credentials(some: dict[str, Any]) -> None:
    assert read({"allow_origins": [some], "allow_credentials": True})[1] == []


def test_a_bad_expression_is_told_once() -> None:
    block = {"allow_origins": [{"regex": "("}], "allow_credentials": True}
    assert read(block)[1] == [(".allow_origins[0].regex", "bad_regex")]
