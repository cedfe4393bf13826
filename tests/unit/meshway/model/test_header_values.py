import pytest

from meshway.model.header_values import UnprovenVariable, Variable, has_variables, parse_value, path_variables


def test_a_value_is_texts_and_variables() -> None:
    assert parse_value("plain") == ("plain",)
    assert parse_value("") == ("",)
    assert parse_value("${request_id}") == (Variable("request_id"),)
    assert parse_value("a ${path.id}-${request_id}!") == ("a ", Variable("path.id"), "-", Variable("request_id"), "!")
    assert parse_value("$5 and {braces}") == ("$5 and {braces}",)


def test_the_names_of_the_path_that_values_want() -> None:
    assert path_variables({"a": "${path.id}/${path.kind}", "b": "${request_id}", "c": "${path.id}"}) == {"id", "kind"}
    assert path_variables({}) == frozenset()
    assert Variable("path.id").captured == "id"


def test_whether_there_is_any() -> None:
    assert has_variables("a${request_id}")
    assert not has_variables("$request_id")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${requestid}", "did you mean request_id"),
        ("${path.}", "is no variable"),
        ("${}", "is no variable"),
        ("${request_id", "ends with a brace"),
        ("a ${request_id} ${path.id", "ends with a brace"),
    ],
)
def test_what_is_no_variable_says_why(value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_value(value)


@pytest.mark.parametrize("name", ["principal", "consumer", "source.service", "source.namespace"])
def test_who_calls_is_not_known_without_a_proof(name: str) -> None:
    with pytest.raises(UnprovenVariable, match="proved"):
        parse_value(f"${{{name}}}")
