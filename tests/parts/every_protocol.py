"""The example of every protocol beside a mesh of one's own: at free ports, called again and again."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree
from typing import Final

from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python

FOLDER: Final = ROOT / "examples" / "every-protocol"
PORTS: Final = ("7070", "7777")
_PAUSE_S: Final = 1.0
_CALL_S: Final = 60.0


def elsewhere(text: str, ports: Mapping[str, str]) -> str:
    """With these ports in place of those that are written."""
    return re.sub(rf"\b({'|'.join(ports)})\b", lambda match: ports[match[1]], text)


def copied(folder: Path, ports: Mapping[str, str]) -> Path:
    """The example in a folder of its own, at other ports."""
    found = Path(copytree(FOLDER, folder / FOLDER.name))
    for name in ("mesh.yaml", "call.py"):
        (found / name).write_text(elsewhere((found / name).read_text(), ports))
    return found


class EveryProtocol:
    """NAMES: the services, of namespace `default`."""

    NAMES: Final = ("echo", "chat", "ledger", "world")

    def __init__(self, mesh: Mesh, folder: Path) -> None:
        self._mesh, self._folder = mesh, copied(folder, {port: str(free_port()) for port in PORTS})
        self._environment = {"MESHWAY_URL": mesh.registry, "MESHWAY_GATEWAY": mesh.mesh, "MESHWAY_EDGE": mesh.edge}
        self._services: Process | None = None
        self._stop = threading.Event()
        self._caller = threading.Thread(target=self._call, name="calls by every protocol")

    def start(self) -> None:
        program = python(str(self._folder / "services.py"))
        self._services = Process(program, self._folder / "services.out", self._environment)
        self._mesh.apply((self._folder / "mesh.yaml").read_text())
        self._caller.start()

    def _call(self) -> None:
        """One that does not come through is the caller's bad luck: services may not have joined yet."""
        command = [sys.executable, str(self._folder / "call.py")]
        while not self._stop.wait(_PAUSE_S):
            subprocess.run(
                command, env=os.environ | self._environment, capture_output=True, timeout=_CALL_S, check=False
            )

    def close(self) -> None:
        self._stop.set()
        if self._caller.ident is not None:
            self._caller.join(_CALL_S)
        if self._services is not None:
            self._services.stop()
