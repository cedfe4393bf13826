import pytest

from meshway.model.path_rewrite import Name, parse_rewrite, parse_substitution, rewrite_names


def test_a_template_is_texts_and_names() -> None:
    assert parse_rewrite("/v2/{id}/of-{shop}.json") == ("/v2/", Name("id"), "/of-", Name("shop"), ".json")
    assert parse_rewrite("{a}{b}") == (Name("a"), Name("b"))
    assert parse_rewrite("/a") == ("/a",)
    assert rewrite_names("/{a}/{b}/{a}") == {"a", "b"}


@pytest.mark.parametrize("text", ["/{}", "/{1a}", "/{rest=**}", "/{a", "/a}", "/{{a}}", "/{a b}"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name"):
        parse_rewrite(text)


def test_a_substitution_is_texts_and_groups() -> None:
    assert parse_substitution(r"\2/instance/\1") == (2, "/instance/", 1)
    assert parse_substitution(r"\0") == (0,)
    assert parse_substitution(r"\12") == (1, "2")
    assert parse_substitution(r"a\\1") == ("a", "\\", "1")
    assert parse_substitution("") == ()


@pytest.mark.parametrize("text", ["\\", r"\a", r"\g<id>", "/a\\"])
def test_a_backslash_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="backslash"):
        parse_substitution(text)
