"""`meshway bridge`: what is refused before anything is copied."""

import importlib.util
from typing import Any

import pytest
from typer.testing import CliRunner

from meshway.cli.main import make_app


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(make_app(), ["bridge", "zookeeper", *arguments])


def test_without_kazoo_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "kazoo" else found(name, *more)
    )
    ended = _run("127.0.0.1:1")
    assert ended.exit_code == 1
    assert ended.output == "error: the bridge to ZooKeeper needs kazoo\nmend:  pip install 'meshway[zookeeper]'\n"


def test_a_bridge_ends_in_one_namespace_with_a_lease_there_can_be() -> None:
    for arguments, words in (
        (("-A",), "one namespace"),
        (("--ttl", "1"), "3 to 3600"),
        (("-n", "No_Label"), "is no name"),
    ):
        ended = _run("127.0.0.1:1", *arguments)
        assert ended.exit_code == 2
        assert words in ended.output
