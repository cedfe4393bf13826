"""Query strings and conditions."""

import pytest

from meshway.problem import Problem
from registry.manners.query import flag_of, limit_of, matches, next_link, number_of, query_of, revision_of_tag, time_of


def test_parameters_are_decoded() -> None:
    assert query_of("tag=a%20b&zone=", frozenset({"tag", "zone"})) == {"tag": "a b", "zone": ""}


def test_an_unknown_parameter_is_refused_with_the_nearest_one_and_a_double_one_too() -> None:
    with pytest.raises(Problem) as caught:
        query_of("statsu=x&tag=1&tag=2", frozenset({"status", "tag"}))
    assert [error.code for error in caught.value.errors] == ["unknown_field", "duplicate"]
    assert "status" in caught.value.errors[0].message


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "", "٣", "9" * 30])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        number_of({"since": text}, "since", None)
    assert caught.value.status == 422


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "301", "x"])
def test_times_are_bounded(text: str) -> None:
    with pytest.raises(Problem):
        time_of({"wait_s": text}, "wait_s", 1.0, high=300.0)


def test_limits_are_one_to_a_thousand() -> None:
    assert limit_of({}) == 100
    assert limit_of({"limit": "1000"}) == 1000
    for text in ("0", "1001"):
        with pytest.raises(Problem):
            limit_of({"limit": text})


def test_a_bare_flag_is_true() -> None:
    assert flag_of({"dry_run": ""}, "dry_run")
    assert not flag_of({}, "dry_run")
    with pytest.raises(Problem):
        flag_of({"dry_run": "yes"}, "dry_run")


@pytest.mark.parametrize("tag", ['"812"', 'W/"812"', "812", "r812"])
def test_a_revision_may_be_written_as_people_write_it(tag: str) -> None:
    assert revision_of_tag(tag) == 812


def test_a_condition_that_is_not_understood_is_refused_and_not_ignored() -> None:
    assert revision_of_tag(None) is None
    with pytest.raises(Problem) as caught:
        revision_of_tag('"812", "813"')
    assert caught.value.status == 400


def test_any_of_several_tags_matches() -> None:
    assert matches('"1", W/"2"', 2)
    assert matches("*", 2)
    assert not matches('"1"', 2)
    assert not matches(None, 2)


def test_the_link_to_the_next_page_keeps_the_filters() -> None:
    assert next_link("/v1/x", "limit=1&cursor=a", "b") == '</v1/x?limit=1&cursor=b>; rel="next"'
    assert next_link("/v1/x", "", None) is None
