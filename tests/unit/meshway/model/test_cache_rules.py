"""What a rule may say of answers that it keeps."""

from typing import Any

import pytest

from meshway.model.cache import Cache
from meshway.model.decode import decode_spec
from meshway.model.route import Route


def read(cache: dict[str, Any], **rule: Any) -> tuple[Cache | None, list[tuple[str, str]]]:
    """The block, and path and code of what is wrong with it."""
    written = {"destinations": [{"service": "a"}], "cache": cache} | rule
    spec, errors = decode_spec("Route", {"rules": [written]})
    found = [(error.path.removeprefix("spec.rules[0].cache"), error.code) for error in errors]
    return (spec.rules[0].cache if isinstance(spec, Route) else None), found


def test_nothing_need_be_written() -> None:
    cache, wrong = read({})
    assert wrong == []
    assert cache is not None
    assert (cache.query, float(cache.max_ttl), int(cache.max_total), cache.coalesce) == ("all", 86400.0, 64 << 20, True)
    assert read({"query": ["id"], "max_object": "16MiB", "statuses": [200, 302]})[1] == []


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"methods": ["HEAD"]}, ".methods", "forbidden_combination"),
        ({"methods": ["POST"]}, ".methods[0]", "out_of_bounds"),
        ({"methods": ["GET", "GET"]}, ".methods[1]", "duplicate"),
        ({"statuses": [206]}, ".statuses[0]", "forbidden_combination"),
        ({"statuses": [304]}, ".statuses[0]", "forbidden_combination"),
        ({"statuses": [100]}, ".statuses[0]", "out_of_bounds"),
        ({"statuses": [200, 200]}, ".statuses[1]", "duplicate"),
        ({"query": "some"}, ".query", "out_of_bounds"),
        ({"query": ["a", "a"]}, ".query[1]", "duplicate"),
        ({"headers": ["a b"]}, ".headers[0]", "bad_name"),
        ({"headers": ["X-A", "x-a"]}, ".headers[1]", "duplicate"),
        ({"cookies": ["a;b"]}, ".cookies[0]", "bad_name"),
        ({"default_ttl": "25h"}, ".default_ttl", "out_of_bounds"),
        ({"stale_if_error": "25h"}, ".stale_if_error", "out_of_bounds"),
        ({"coalesce_wait": "2m"}, ".coalesce_wait", "out_of_bounds"),
        ({"max_object": "17MiB"}, ".max_object", "out_of_bounds"),
        ({"max_object": "2MiB", "max_total": "1MiB"}, ".max_object", "forbidden_combination"),
        ({"max_tll": "1s"}, ".max_tll", "unknown_field"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(fields: dict[str, Any], path: str, code: str) -> None:
    assert read(fields)[1] == [(path, code)]


def test_a_cookie_by_which_a_rule_chooses_needs_answers_apart() -> None:
    match = [{"cookies": {"beta": "1"}}]
    assert read({}, match=match)[1] == [("spec.rules[0].match[0].cookies", "forbidden_combination")]
    assert read({"per_principal": True}, match=match)[1] == []
    assert read({}, sticky={"key": "cookie", "name": "s"})[1] == [("spec.rules[0].sticky", "forbidden_combination")]
    assert read({}, sticky={"key": "header", "name": "s"})[1] == []


def test_it_has_no_use_where_no_service_is_called() -> None:
    spec, errors = decode_spec("Route", {"rules": [{"respond": {"status": 200}, "cache": {}}]})
    assert [(error.path, error.code) for error in errors] == [("spec.rules[0].cache", "forbidden_combination")]
    assert spec is None
