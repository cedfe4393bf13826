"""Settings come from variables, and a wrong one is named."""

from pathlib import Path

import pytest

from meshway.settings import SettingError, http_url, read_secret, variable


def test_an_empty_variable_counts_as_absent() -> None:
    assert variable("X", "default", {"X": "  "}) == "default"
    assert variable("X", "default", {"X": " a "}) == "a"


def test_a_url_without_a_scheme_is_refused_with_the_mend() -> None:
    assert http_url("MESHWAY_URL", "", {"MESHWAY_URL": "http://registry:8500/"}) == "http://registry:8500"
    with pytest.raises(SettingError, match=r"MESHWAY_URL='registry:8500'.*http://HOST:PORT"):
        http_url("MESHWAY_URL", "", {"MESHWAY_URL": "registry:8500"})


def test_a_token_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mwt_abc\n")
    assert read_secret(tmp_path / "token") == "mwt_abc"
    with pytest.raises(SettingError, match="other"):
        read_secret(tmp_path / "other")


def test_a_secret_is_never_part_of_the_message(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes("geheim-ü".encode())
    with pytest.raises(SettingError) as refused:
        read_secret(tmp_path / "token")
    assert "geheim" not in str(refused.value)
