"""docker-compose.yml as a test reads it: services with their defaults merged, and commands made ready to run here."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process

EXAMPLES_IN_IMAGE = "/opt/meshway/examples"
PORTS = (8500, 8580, 8581, 8590, 9080, 9500, 9580, 9581)


def read_compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


class Here:
    """Runs a service's entry point, command and health check as plain processes of this machine.

    What a container gives, this gives by replacement: ports of its own, a folder for /data, the places of others.
    Nothing else of the command is changed. database_url, redis_url: of the stores, whose images are not run here.
    """

    def __init__(self, folder: Path, *, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.services: dict[str, dict[str, Any]] = read_compose()["services"]
        self.ports = {(name, port): free_port() for name in self.services for port in PORTS}
        self.processes: dict[str, Process] = {}
        (folder / "keys").mkdir()
        self._places = {
            "postgresql://meshway@postgres:5432/meshway": database_url,
            "redis://valkey:6379/0": redis_url,
            EXAMPLES_IN_IMAGE: str(ROOT / "examples"),
            "/tokens": str(folder / "tokens"),
            "/keys": str(folder / "keys"),
        } | {
            f"{name}:{port}": f"127.0.0.1:{here}"
            for (name, port), here in self.ports.items()
        }  # fmt: skip

    def start(self, name: str) -> Process:
        service = self.services[name]
        entry = service.get("entrypoint", ["meshway"] if service["image"].startswith("meshway:") else [])
        command = [self._word(name, word) for word in (*entry, *service["command"])]
        (self.folder / name).mkdir(exist_ok=True)
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

    def url(self, name: str, port: int) -> str:
        """port: the container's."""
        return f"http://127.0.0.1:{self.ports[name, port]}"

    def replaced(self, text: str) -> str:
        """Places of other services become those here; longer names first, as `registry` begins `registry-2`."""
        for there in sorted(self._places, key=len, reverse=True):
            text = text.replace(there, self._places[there])
        return text

    def _environment(self, name: str) -> dict[str, str]:
        given = {key: self.replaced(value) for key, value in self.services[name].get("environment", {}).items()}
        flags = {"REGISTRY": 8500, "EDGE": 8580, "MESH": 8581, "ADMIN": 8590}
        own = {f"MESHWAY_{flag}_PORT": str(self.ports[name, port]) for flag, port in flags.items()}
        own |= {"MESHWAY_URL": self.url(name, 8500), "MESHWAY_ADMIN_URL": self.url(name, 8590), "MESHWAY_NODE": name}
        own |= {"MESHWAY_EDGE_TLS_PORT": "0", "MESHWAY_MESH_TLS_PORT": "0"}
        own |= {"MESHWAY_DATA": str(self.folder / name), "MESHWAY_WORKERS": "1"}
        return own | given | {"MESHWAY_RUNTIME_DIR": str(self.folder), "MESHWAY_ADDRESS": "127.0.0.1"}

    def _word(self, name: str, word: str) -> str:
        own = {
            "/data": str(self.folder / name),
            "0.0.0.0": "127.0.0.1",
            "9080": str(self.ports[name, 9080]),
            "/usr/local/etc/haproxy/haproxy.cfg": str(self.folder / "haproxy.cfg"),
        }
        flag, equals, value = word.partition("=")
        if equals and value in own:
            return f"{flag}={own[value]}"
        return own.get(word) or self.replaced(
            word.replace("127.0.0.1:9080", f"{name}:9080").replace(
                "127.0.0.1/9500", f"127.0.0.1/{self.ports[name, 9500]}"
            )
        )

    @staticmethod
    def _program(words: list[str]) -> list[str]:
        """The programs of this environment, as PATH finds them in the image."""
        folder = Path(sys.executable).parent
        program = shutil.which(words[0], path=f"{folder}{os.pathsep}{os.environ['PATH']}")
        assert program is not None, words[0]
        return [program, *words[1:]]
