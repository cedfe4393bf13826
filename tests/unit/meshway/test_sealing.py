"""What is sealed opens again for whom it was sealed, by who holds the key, and for nobody else."""

import base64
from pathlib import Path

import pytest

from meshway.sealing import KEY_BYTES, KeyFileRefused, SealBroken, Sealing, make_key_file, read_key_file

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


def test_a_key_file_is_made_once_whole_and_is_nobody_else_s(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key_file(file)
    made = read_key_file(file)
    make_key_file(file)
    assert read_key_file(file) == made
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_file_must_hold_a_key_and_be_kept_from_others(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(KeyFileRefused, match="No such file"):
        read_key_file(file)
    for text in ("too short", base64.b64encode(b"short").decode(), ""):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(KeyFileRefused, match="not 32 bytes in base64") as refused:
            read_key_file(file)
        assert not text or text not in str(refused.value)
    file.write_text(base64.b64encode(MASTER).decode() + "\n")
    assert read_key_file(file) == MASTER
    file.chmod(0o640)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        read_key_file(file)


def test_a_derived_key_is_of_one_purpose_and_one_data_key() -> None:
    keys = {Sealing(key).derive(purpose) for key in (MASTER, b"o" * 32) for purpose in ("sessions a", "sessions b")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert Sealing(MASTER).derive("sessions a") in keys
