"""The file of contexts: read whole or refused with what is wrong, written whole, for its owner alone."""

from pathlib import Path

import pytest

from meshway.cli.config_file import Config, Context, chosen, config_path, read_config, write_config
from meshway.cli.failure import INVALID, NOT_FOUND, CliError

PROD = Context(name="prod", url="http://prod:8500", namespace="shop")
LAB = Context(name="lab", url="http://lab:8500")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHWAY_CONFIG", str(tmp_path / "own" / "config.yaml"))
    return config_path()


def test_without_a_file_nothing_is_said() -> None:
    assert read_config() == Config()
    assert (chosen("").url, chosen("").namespace) == ("", "")


def test_what_is_written_is_read_back_and_is_its_owners_alone(path: Path) -> None:
    config = Config().with_context(PROD).with_context(LAB)
    write_config(config)
    assert read_config() == config
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["config.yaml"]


def test_the_first_context_is_the_current_one_until_another_is_named() -> None:
    write_config(Config().with_context(PROD).with_context(LAB))
    assert chosen("") == PROD
    assert chosen("lab") == LAB


def test_a_context_that_is_set_again_keeps_its_place_and_one_that_goes_is_current_no_more() -> None:
    config = Config().with_context(PROD).with_context(LAB).with_context(Context(name="prod", url="http://new"))
    assert [(one.name, one.url) for one in config.contexts] == [("prod", "http://new"), ("lab", "http://lab:8500")]
    left = config.without("prod")
    assert (left.current, left.contexts) == ("", (LAB,))
    assert config.without("lab").current == "prod"


def test_an_unknown_context_is_told_with_the_nearest(path: Path) -> None:
    write_config(Config().with_context(PROD))
    with pytest.raises(CliError, match=r"no context 'prd' in .*did you mean prod") as refused:
        chosen("prd")
    assert refused.value.code == NOT_FOUND


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("current: lab\ncontexts:\n- nam: x\n", ":3:3: contexts[0].nam: unknown field (did you mean name?)"),
        ("contexts: [{name: -x}]", ":1:13: contexts[0].name: "),
        ("current: 5", ":1:1: current: 5 is a number, not text"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: Path, text: str, told: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CliError) as refused:
        read_config()
    assert refused.value.code == INVALID
    assert any(f"{path}{told}" in line for line in refused.value.details), refused.value.details


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe"])
def test_what_is_no_yaml_is_told(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(CliError, match="is no YAML"):
        read_config()


def test_what_cannot_be_put_in_place_leaves_nothing_behind(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CliError, match="cannot write"):
        write_config(Config().with_context(PROD))
    assert [each.name for each in path.parent.iterdir()] == ["config.yaml"]
