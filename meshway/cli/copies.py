"""Copies of a service, started and ended as a deployment does it: registered before the old one is told to go."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Final

from meshway.cli.children import ending, meshway
from meshway.cli.demo import free_port
from meshway.cli.failure import FAILED, NOT_FOUND, CliError
from meshway.cli.registry_client import RegistryClient, document_path
from meshway.cli.session import Session

STARTS_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 60.0
_LOOK_S: Final = 0.1


class Copies:
    """command: starts one; `{port}` in it is the copy's port. registers: the command does not register itself.

    listener: where a copy finds the mesh.
    """

    def __init__(
        self, session: Session, service: str, command: Sequence[str], listener: str, *, registers: bool
    ) -> None:
        self._session = session
        self._service = service
        self._command = command
        self._listener = listener
        self._registers = registers
        self._client = RegistryClient(session)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started = 0

    @property
    def names(self) -> list[str]:
        """Ids of those that run, the oldest first."""
        return list(self._running)

    def start(self) -> str:
        """Until the registry has it as passing; its id. Raises CliError when it ends or does not come up."""
        self._started += 1
        name, port = f"{self._service}-check-{os.getpid()}-{self._started}", free_port()
        command = [word.replace("{port}", str(port)) for word in self._command]
        if self._registers:
            own = ("register", self._service, "--port", str(port), "--id", name, "-n", self._session.namespace)
            command = meshway(*own, "--", *command)
        environment = os.environ | {
            "MESHWAY_URL": self._session.registry,
            "MESHWAY_GATEWAY": self._listener,
            "MESHWAY_NAMESPACE": self._session.namespace,
            "MESHWAY_INSTANCE": name,
            "PORT": str(port),
        }
        try:
            process = subprocess.Popen(
                command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except OSError as error:
            raise CliError(NOT_FOUND, f"cannot start {shlex.join(command)}: {error.strerror}") from error
        self._running[name] = process
        self._wait_passing(name, process)
        return name

    def end(self, name: str) -> None:
        """SIGTERM, and until it has ended by itself. Raises CliError when it does not."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise CliError(
                FAILED, f"{name} did not end within {ENDS_WITHIN_S:.0f} s of SIGTERM", why="it was killed then"
            ) from error

    def close(self) -> None:
        """Whatever still runs; those that do not go are killed."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _wait_passing(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        path = document_path(self._session.namespace, "services", self._service) + f"/instances/{name}"
        until = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until:
            answer = self._client.answer("GET", path)
            if answer.status_code == 200 and answer.json().get("status") == "passing":
                return
            if process.poll() is not None:
                raise CliError(
                    FAILED,
                    f"a copy ended with {ending(process.returncode)}",
                    why="its words stand above",
                )
            time.sleep(_LOOK_S)
        raise CliError(
            FAILED,
            f"{name} did not register within {STARTS_WITHIN_S:.0f} s",
            mend="CMD must register itself under MESHWAY_INSTANCE (the SDK does), or pass --register",
        )
