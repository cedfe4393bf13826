"""Which registry a command asks."""

import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import Session, output_form, registry_url


def test_a_host_and_a_port_will_do() -> None:
    assert registry_url("registry:8500") == "http://registry:8500"
    assert registry_url("https://registry/") == "https://registry"


@pytest.mark.parametrize("written", ["http://a:8500,http://b:8500", "a:8500,b:8500", "http://a:8500 http://b:8500"])
def test_of_several_registries_one_is_to_be_named(written: str) -> None:
    with pytest.raises(CliError, match="--registry names 2 registries, and a command asks one") as refused:
        registry_url(written)
    assert refused.value.code == USAGE
    assert "meshway gateway serve" in (refused.value.mend or "")


@pytest.mark.parametrize("written", ["http://a:x", "http://", "ftp://a", "http://a:99999", ""])
def test_what_is_no_url_is_told(written: str) -> None:
    with pytest.raises(CliError, match="is no URL"):
        registry_url(written)


def test_a_form_of_answers_is_known_or_told_with_the_nearest() -> None:
    assert output_form("") == (None, None)
    assert output_form("yaml") == ("yaml", None)
    assert output_form("jsonpath={.items[0].name}") == ("json", ("items", 0, "name"))
    with pytest.raises(CliError, match=r"-o yml is no form .did you mean yaml") as refused:
        output_form("yml")
    assert refused.value.code == USAGE
    with pytest.raises(CliError, match="is no step of a path"):
        output_form("jsonpath={.items[}")


def test_a_jsonpath_picks_from_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(output="json", steps=("items", None, "name"))
    session.put('{"items": [{"name": "a"}, {"name": "b"}]}')
    assert capsys.readouterr().out == "a\nb\n"
    with pytest.raises(CliError, match="no JSON"):
        session.put("ready")
