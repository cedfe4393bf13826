"""A service reads where its mesh is, and starts whatever stands there."""

import logging

import pytest

from meshway.client.settings import MeshSettings
from meshway.settings import SettingError


@pytest.mark.parametrize("written", ["http://a:8500,http://b:8500/", " http://a:8500 http://b:8500"])
def test_of_several_registries_the_first_is_taken_and_that_is_logged(
    written: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "meshway.client"):
        assert MeshSettings.from_env({"MESHWAY_URL": written}).registry == "http://a:8500"
    assert [record.getMessage() for record in caplog.records] == [
        "MESHWAY_URL names 2 registries; http://a:8500 is asked: write one, or a name that leads to all of them"
    ]


def test_one_registry_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert MeshSettings.from_env({"MESHWAY_URL": "http://a:8500/"}).registry == "http://a:8500"
    assert caplog.records == []


def test_a_url_that_nobody_can_use_is_named() -> None:
    for wrong in ("http://a:x", "http://", "a:8500"):
        with pytest.raises(SettingError, match="MESHWAY_URL='"):
            MeshSettings.from_env({"MESHWAY_URL": wrong})
