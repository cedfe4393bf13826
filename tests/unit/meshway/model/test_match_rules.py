"""What is wrong with a Match, each at its path and all at once."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.route import Route


def wrong(match: dict[str, Any]) -> list[tuple[str, str]]:
    _, errors = decode_spec("Route", {"rules": [{"match": [match], "redirect": {"scheme": "https"}}]})
    return [(error.path.removeprefix("spec.rules[0].match[0]"), error.code) for error in errors]


@pytest.mark.parametrize(
    ("match", "path", "code"),
    [
        ({"path": {}}, ".path", "forbidden_combination"),
        ({"path": {"exact": "/a", "prefix": "/b"}}, ".path", "forbidden_combination"),
        ({"path": {"ignore_case": True}}, ".path", "forbidden_combination"),
        ({"path": {"exact": "a"}}, ".path.exact", "out_of_bounds"),
        ({"path": {"exact": "/a?b"}}, ".path.exact", "out_of_bounds"),
        ({"path": {"prefix": "/a#b"}}, ".path.prefix", "out_of_bounds"),
        ({"path": {"string_prefix": "/a?"}}, ".path.string_prefix", "out_of_bounds"),
        ({"path": {"template": "/a/{b"}}, ".path.template", "bad_template"),
        ({"path": {"regex": "("}}, ".path.regex", "bad_regex"),
        ({"path": {"regex": "a" * 513}}, ".path.regex", "out_of_bounds"),
        ({"path": {"exact": "/" + "a" * 1024}}, ".path.exact", "out_of_bounds"),
        ({"path": {"exakt": "/a"}}, ".path.exakt", "unknown_field"),
        ({"methods": ["get"]}, ".methods[0]", "out_of_bounds"),
        ({"headers": {"a": None}}, ".headers.a", "wrong_type"),
        ({"cookies": {"a": None}}, ".cookies.a", "wrong_type"),
        ({"methods": ["GET", "A B"]}, ".methods[1]", "out_of_bounds"),
        ({"headers": {"a b": "1"}}, '.headers["a b"]', "bad_name"),
        ({"headers": {"x-a": "1", "X-A": "2"}}, ".headers.X-A", "duplicate"),
        ({"headers": {"x-a": {}}}, ".headers.x-a", "forbidden_combination"),
        ({"headers": {"x-a": {"exact": "1", "prefix": "1"}}}, ".headers.x-a", "forbidden_combination"),
        ({"headers": {"x-a": {"in": []}}}, ".headers.x-a", "forbidden_combination"),
        ({"headers": {"x-a": {"prefix": ""}}}, ".headers.x-a.prefix", "out_of_bounds"),
        ({"headers": {"x-a": {"present": True, "invert": True}}}, ".headers.x-a", "forbidden_combination"),
        ({"headers": {"x-a": {"present": False, "ignore_case": True}}}, ".headers.x-a", "forbidden_combination"),
        ({"headers": {"x-a": {"regex": "["}}}, ".headers.x-a.regex", "bad_regex"),
        ({"headers": {"x-a": 1}}, ".headers.x-a", "wrong_type"),
        ({"cookies": {"a b": "1"}}, '.cookies["a b"]', "bad_name"),
        ({"source": {"cidr": ["10.0.0.0/33"]}}, ".source.cidr[0]", "out_of_bounds"),
        ({"source": {"cidr": ["10.0.0.0/8", "10.0.0.1/8"]}}, ".source.cidr[1]", "out_of_bounds"),
        ({"source": {"cidr": ["::/0", "::ffff:10.0.0.0/104"]}}, ".source.cidr[1]", "out_of_bounds"),
        ({"source": {"cidr": []}}, ".source.cidr", "out_of_bounds"),
        ({"source": {"cidr": ["::/0"], "service": "a"}}, ".source.service", "unsupported"),
        ({"consumer": "a"}, ".consumer", "unsupported"),
        ({"scheme": "ftp"}, ".scheme", "out_of_bounds"),
    ],
)
def test_it_is_told_at_its_path(match: dict[str, Any], path: str, code: str) -> None:
    assert wrong(match) == [(path, code)]


def test_everything_wrong_is_told_at_once() -> None:
    found = wrong({"path": {"regex": "("}, "methods": ["get"], "headers": {"a b": "1"}, "scheme": "ftp"})
    assert {path for path, _ in found} == {".path.regex", ".methods[0]", '.headers["a b"]', ".scheme"}


def test_a_bare_text_and_its_long_form_are_the_same() -> None:
    read = [
        decode_spec("Route", {"rules": [{"match": [{"headers": {"a": text}}], "redirect": {"scheme": "https"}}]})[0]
        for text in ("1", {"exact": "1"})
    ]
    assert isinstance(read[0], Route)
    assert read[0] == read[1]
    assert read[0].rules[0].match[0].headers == {"a": "1"}
