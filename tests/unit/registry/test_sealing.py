"""A data key opens by the master key that wrapped it, which is the folder's own or a named one."""

import base64
from pathlib import Path

import pytest

from meshway.sealing import KEY_BYTES
from registry.sealing import new_data_key, read_master_key, sealing_of
from registry.settings import StartRefused

MASTER = bytes(range(KEY_BYTES))
PLAIN = b"hunter2-canary"


def test_a_data_key_is_opened_by_its_master_key_alone() -> None:
    wrapped = new_data_key(MASTER)
    sealed = sealing_of(wrapped, MASTER).seal(PLAIN, "x")
    assert sealing_of(wrapped, MASTER).unseal(sealed, "x") == PLAIN
    with pytest.raises(StartRefused, match="MESHWAY_MASTER_KEY_FILE"):
        sealing_of(wrapped, bytes(KEY_BYTES))


def test_the_folder_s_own_master_key_is_made_at_the_first_start_alone(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="No such file"):
        read_master_key(None, tmp_path / "data", is_first=False)
    made = read_master_key(None, tmp_path / "data", is_first=True)
    for is_first in (True, False):
        assert read_master_key(None, tmp_path / "data", is_first=is_first) == made
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]


def test_a_named_master_key_is_made_with_its_store_and_must_be_there_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(StartRefused, match="No such file"):
        read_master_key(file, tmp_path, is_first=False)
    with pytest.raises(StartRefused, match="cannot write"):
        read_master_key(tmp_path / "no" / "folder", tmp_path, is_first=True)
    made = read_master_key(file, tmp_path, is_first=True)
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text(base64.b64encode(MASTER).decode())
    assert made != read_master_key(file, tmp_path, is_first=True) == MASTER
