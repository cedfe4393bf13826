"""Some values of an answer, by a path."""

from typing import Any

import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.jsonpath import parse, values

ANSWER: dict[str, Any] = {
    "items": [
        {"metadata": {"name": "cart", "labels": {"app.team/x": "shop"}}, "ports": [80, 81]},
        {"metadata": {"name": "books"}, "ports": []},
    ],
    "a-b": {"c_d": None},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{.items[*].metadata.name}", ["cart", "books"]),
        ("$.items[*].metadata.name", ["cart", "books"]),
        ("items[1].metadata", ['{"name":"books"}']),
        ("{.items[-1].metadata.name}", ["books"]),
        ("{.items[0].ports[*]}", ["80", "81"]),
        ("{.items[*].ports}", ["[80,81]", "[]"]),
        ('{.items[0].metadata.labels["app.team/x"]}', ["shop"]),
        ("{.items[0]['metadata'].labels.*}", ["shop"]),
        ("{.a-b.c_d}", ["null"]),
        ("{.items[7].metadata.name}", []),
        ("{.items.metadata}", []),
        ("{.items[0].metadata.name.x}", []),
    ],
)
def test_what_the_path_leads_to_is_told(path: str, found: list[str]) -> None:
    assert list(values(ANSWER, parse(path))) == found


@pytest.mark.parametrize("path", [".", "{}", "$", "{.}"])
def test_without_a_step_all_of_it_is_meant(path: str) -> None:
    assert list(values({"a": 1}, parse(path))) == ['{"a":1}']


@pytest.mark.parametrize("path", ["", " "])
def test_no_path_at_all_is_an_empty_variable_of_a_script(path: str) -> None:
    with pytest.raises(CliError, match="names no path") as refused:
        parse(path)
    assert refused.value.code == USAGE


@pytest.mark.parametrize("path", ["{.items[}", "a..b", "items[?(@.x)]", "a b", "{.items[*]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(CliError, match="is no step of a path") as refused:
        parse(path)
    assert refused.value.code == USAGE
