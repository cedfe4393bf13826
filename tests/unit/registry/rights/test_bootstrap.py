"""The file that signs the first admin in."""

from pathlib import Path

import msgspec
import pytest

from registry.rights.bootstrap import read_bootstrap
from registry.rights.token import Grant, Scope, mint
from registry.settings import StartRefused
from registry.store.interface import TokenRecord


def admin() -> TokenRecord:
    minted = mint()
    scope = msgspec.msgpack.encode(Scope((Grant("admin"),)))
    return TokenRecord(minted.id, "root", minted.digest, scope, 0.0, "bootstrap")


def test_it_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bootstrap.token"
    assert read_bootstrap(path, []) is not None
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    again = read_bootstrap(path, [])
    assert again is not None
    assert again.is_its_own(text.strip(), [], has_admin_user=False)
    assert not again.is_its_own(text.strip() + "x", [], has_admin_user=False)
    assert path.read_text() == text


def test_it_is_of_no_use_once_there_was_an_admin(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.token"
    bootstrap = read_bootstrap(path, [])
    assert bootstrap is not None
    assert not bootstrap.is_its_own(path.read_text().strip(), [admin()], has_admin_user=False)
    assert not bootstrap.is_its_own(path.read_text().strip(), [], has_admin_user=True)
    path.unlink()
    assert read_bootstrap(path, [admin()]) is None
    assert not path.exists()


def test_a_short_secret_is_refused_and_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bootstrap.token"
    path.write_text("admin\n")
    with pytest.raises(StartRefused, match="fewer than 32"):
        read_bootstrap(path, [])
    assert read_bootstrap(path / "below-a-file", []) is None
    assert "MESHWAY_BOOTSTRAP_TOKEN_FILE" in caplog.text
