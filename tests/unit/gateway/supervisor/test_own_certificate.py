import asyncio
import subprocess
import sys
from pathlib import Path

from gateway.channel import ChannelFrame
from gateway.supervisor.own_certificate import FOLDER, OwnCertificate

LOADED = """
import sys
from pathlib import Path
from gateway.supervisor import supervisor
from gateway.supervisor.own_certificate import OwnCertificate
own = OwnCertificate(Path(sys.argv[1]), ("http://127.0.0.1:1",), None, None, print, print)
own.load()
print("httpx" in sys.modules)
"""


def own_in(folder: Path, sent: list[ChannelFrame]) -> OwnCertificate:
    return OwnCertificate(folder, ("http://127.0.0.1:1",), None, None, sent.append, lambda _: None)


def loads_the_sdk(folder: Path) -> str:
    command = [sys.executable, "-c", LOADED, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_the_sdk_is_loaded_where_there_is_a_certificate_to_keep(tmp_path: Path) -> None:
    assert loads_the_sdk(tmp_path) == "False"
    (tmp_path / FOLDER).mkdir()
    assert loads_the_sdk(tmp_path) == "True"


async def test_without_a_token_and_a_certificate_there_is_nothing_to_do(tmp_path: Path) -> None:
    sent: list[ChannelFrame] = []
    own = own_in(tmp_path, sent)
    own.load()
    await asyncio.wait_for(own.run(), 10)
    (tmp_path / FOLDER).mkdir()
    emptied = own_in(tmp_path, sent)
    emptied.load()
    await asyncio.wait_for(emptied.run(), 10)
    assert (sent, own.frames(), own.end, emptied.pair) == ([], [], None, None)
