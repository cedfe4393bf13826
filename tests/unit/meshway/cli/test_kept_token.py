"""Where what a sign-in got is kept."""

from pathlib import Path

import pytest

from meshway.cli.kept_token import token_path


def test_two_files_of_contexts_in_one_folder_keep_their_tokens_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for name in ("config.yaml", "ann.yaml", "bob.yaml"):
        monkeypatch.setenv("MESHWAY_CONFIG", str(tmp_path / name))
        kept.append(token_path("prod"))
    assert kept == [tmp_path / "prod.token", tmp_path / "ann.prod.token", tmp_path / "bob.prod.token"]
