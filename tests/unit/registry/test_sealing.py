"""What is sealed opens again for whom it was sealed, by who holds the key, and for nobody else."""

import base64
from pathlib import Path

import pytest

from registry.sealing import KEY_BYTES, SealBroken, Sealing, new_data_key, read_master_key, sealing_of
from registry.settings import StartRefused

MASTER = bytes(range(KEY_BYTES))
PLAIN = b"hunter2-canary"


def test_what_is_sealed_opens_for_whom_it_was_sealed() -> None:
    sealing = Sealing(MASTER)
    sealed = sealing.seal(PLAIN, "Secret shop/keys")
    assert PLAIN not in sealed
    assert sealing.unseal(sealed, "Secret shop/keys") == PLAIN
    assert sealing.seal(PLAIN, "Secret shop/keys") != sealed


@pytest.mark.parametrize("spoilt", ["owner", "key", "bit", "cut", "form", "empty"])
def test_what_was_moved_or_changed_does_not_open(spoilt: str) -> None:
    sealing = Sealing(MASTER)
    sealed = sealing.seal(PLAIN, "Secret shop/keys")
    opener = Sealing(bytes(KEY_BYTES)) if spoilt == "key" else sealing
    changed = {
        "bit": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "cut": sealed[:20],
        "form": b"\x02" + sealed[1:],
        "empty": b"",
    }.get(spoilt, sealed)
    with pytest.raises(SealBroken) as broken:
        opener.unseal(changed, "Secret bank/keys" if spoilt == "owner" else "Secret shop/keys")
    assert "hunter2" not in str(broken.value)


def test_a_fingerprint_tells_same_from_other_and_depends_on_the_key() -> None:
    one, other = Sealing(MASTER), Sealing(bytes(KEY_BYTES))
    assert one.fingerprint(PLAIN) == Sealing(MASTER).fingerprint(PLAIN)
    assert one.fingerprint(PLAIN) != one.fingerprint(PLAIN + b"!")
    assert one.fingerprint(PLAIN) != other.fingerprint(PLAIN)
    assert len(one.fingerprint(PLAIN)) == 8


def test_a_data_key_is_opened_by_its_master_key_alone() -> None:
    wrapped = new_data_key(MASTER)
    sealed = sealing_of(wrapped, MASTER).seal(PLAIN, "x")
    assert sealing_of(wrapped, MASTER).unseal(sealed, "x") == PLAIN
    with pytest.raises(StartRefused, match="MESHWAY_MASTER_KEY_FILE"):
        sealing_of(wrapped, bytes(KEY_BYTES))


def test_the_folder_s_own_master_key_is_made_once_and_is_nobody_else_s(tmp_path: Path) -> None:
    made = read_master_key(None, tmp_path / "data")
    assert len(made) == KEY_BYTES
    assert read_master_key(None, tmp_path / "data") == made
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]
    assert (tmp_path / "data" / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_named_master_key_must_be_one_and_be_kept_from_others(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(StartRefused, match="No such file"):
        read_master_key(file, tmp_path)
    for text in ("too short", base64.b64encode(b"short").decode(), ""):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(StartRefused, match="not 32 bytes in base64") as refused:
            read_master_key(file, tmp_path)
        assert not text or text not in str(refused.value)
    file.write_text(base64.b64encode(MASTER).decode() + "\n")
    assert read_master_key(file, tmp_path) == MASTER
    file.chmod(0o640)
    with pytest.raises(StartRefused, match="chmod 600"):
        read_master_key(file, tmp_path)
