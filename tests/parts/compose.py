"""docker-compose.yml as a test reads it: services with their defaults merged, and commands made ready to run here."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.parts.planes import free_port
from tests.parts.processes import ROOT, Process

EXAMPLES_IN_IMAGE = "/opt/meshway/examples"


def read_compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


class Here:
    """Runs a service's entry point, command and health check as plain processes of this machine.

    What a container gives, this gives by replacement: a port of its own, a folder for /data, names of other services.
    Nothing else of the command is changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, dict[str, Any]] = read_compose()["services"]
        self.ports = {name: free_port() for name in (*self.services, "edge", "mesh", "admin")}
        self.processes: dict[str, Process] = {}

    def start(self, name: str) -> Process:
        service = self.services[name]
        entry = service.get("entrypoint", ["meshway"])
        command = [self._word(name, word) for word in (*entry, *service["command"])]
        data = self.folder / name
        data.mkdir(exist_ok=True)
        self.processes[name] = Process(self._program(command), self.folder / f"{name}.out", self._environment(name))
        return self.processes[name]

    def is_healthy(self, name: str) -> bool:
        """Runs the health check as the engine would: exit code 0 is healthy."""
        test = self.services[name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        words = [self._word(name, word) for word in test[1:]]
        check = Process(self._program(words), self.folder / f"{name}-health.out", self._environment(name))
        return check.popen.wait(10) == 0

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop(40)

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _environment(self, name: str) -> dict[str, str]:
        given = {key: self._word(name, value) for key, value in self.services[name].get("environment", {}).items()}
        ports = {"REGISTRY": "registry", "EDGE": "edge", "MESH": "mesh", "ADMIN": "admin"}
        published = {f"MESHWAY_{flag}_PORT": str(self.ports[port]) for flag, port in ports.items()}
        published |= {"MESHWAY_URL": self._url("registry"), "MESHWAY_ADMIN_URL": self._url("admin")}
        return published | given | {"MESHWAY_RUNTIME_DIR": str(self.folder), "MESHWAY_ADDRESS": "127.0.0.1"}

    def _word(self, name: str, word: str) -> str:
        for here, there in (
            ("http://registry:8500", self._url("registry")),
            ("http://gateway:8581", self._url("mesh")),
            ("http://127.0.0.1:9080", self._url(name)),
            (EXAMPLES_IN_IMAGE, str(ROOT / "examples")),
        ):
            word = word.replace(here, there)
        whole = {"/data": str(self.folder / name), "0.0.0.0": "127.0.0.1", "9080": str(self.ports[name])}
        return whole.get(word, word)

    @staticmethod
    def _program(words: list[str]) -> list[str]:
        """The programs of this environment, as PATH finds them in the image."""
        folder = Path(sys.executable).parent
        program = shutil.which(words[0], path=f"{folder}{os.pathsep}{os.environ['PATH']}")
        assert program is not None, words[0]
        return [program, *words[1:]]
