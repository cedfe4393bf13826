"""A service reads where its mesh is, and starts whatever stands there."""

import pytest

from meshway.client.settings import REGISTRY, MeshSettings
from meshway.settings import SettingError


@pytest.mark.parametrize("written", ["http://a:8500,http://b:8500/", " http://a:8500 http://b:8500 http://a:8500/"])
def test_of_several_registries_all_are_known_in_their_order(written: str) -> None:
    settings = MeshSettings.from_env({"MESHWAY_URL": written})
    assert settings.registry == "http://a:8500"
    assert settings.registries == ("http://a:8500", "http://b:8500")


@pytest.mark.parametrize("written", ["http://a:8500/", " ", ","])
def test_one_registry_or_none_named_is_one(written: str) -> None:
    url = "http://a:8500" if "a" in written else REGISTRY
    assert MeshSettings.from_env({"MESHWAY_URL": written}).registries == (url,)


def test_a_url_that_nobody_can_use_is_named() -> None:
    for wrong in ("http://a:x", "http://", "a:8500", "http://a:8500,b:8500"):
        with pytest.raises(SettingError, match="MESHWAY_URL='"):
            MeshSettings.from_env({"MESHWAY_URL": wrong})
