"""What a gateway keeps over its restart beside the snapshot."""

from collections.abc import Sequence
from pathlib import Path

from gateway.channel import KeySetFrame
from gateway.supervisor.kept_frames import FILE, KEY_FILE, KeptFrame, KeptFrames
from tests.parts.secrets import contents

CANARY = "canary-f00d-1d"
FRAMES: list[KeptFrame] = [
    contents("a", "opaque", {"k": CANARY}),
    KeySetFrame(url="https://a/", text=b"{}", confirmed_s=1.0),
]


def made(folder: Path, frames: Sequence[KeptFrame] = FRAMES) -> KeptFrames:
    return KeptFrames(folder, lambda: frames)


async def test_frames_are_kept_sealed_and_read_again(tmp_path: Path) -> None:
    keeping = made(tmp_path / "gateway")
    assert keeping.load() == []
    keeping.changed()
    assert await keeping.sync()
    assert made(tmp_path / "gateway").load() == FRAMES
    for file in (tmp_path / "gateway").iterdir():
        assert CANARY.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


async def test_a_damaged_file_or_another_key_gives_nothing_and_is_written_anew(tmp_path: Path) -> None:
    keeping = made(tmp_path)
    keeping.changed()
    await keeping.sync()
    whole = (tmp_path / FILE).read_bytes()
    for spoilt in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        (tmp_path / FILE).write_bytes(spoilt)
        assert made(tmp_path).load() == []
    (tmp_path / FILE).write_bytes(whole)
    (tmp_path / KEY_FILE).unlink()
    assert made(tmp_path).load() == []
    keeping.changed()
    assert await keeping.sync()
    assert made(tmp_path).load() == FRAMES


async def test_a_disk_that_refuses_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "gateway").write_text("a file where the folder should be")
    keeping = made(tmp_path / "gateway")
    keeping.changed()
    assert not await keeping.sync()
    (tmp_path / "gateway").unlink()
    assert await keeping.sync()
    assert made(tmp_path / "gateway").load() == FRAMES
