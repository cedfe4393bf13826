"""Instances of the echo service as real processes, registered by the test itself."""

from pathlib import Path

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python


class EchoInstance(Process):
    """One running copy. port: where it listens."""

    def __init__(self, folder: Path, identity: str, port: int = 0) -> None:
        self.identity = identity
        port_file = folder / f"{identity}.port"
        port_file.unlink(missing_ok=True)
        super().__init__(
            python(
                "-m",
                "tests.parts.echo_service",
                "--id",
                identity,
                "--port",
                str(port),
                "--port-file",
                str(port_file),
            ),
            folder / f"{identity}.out",
        )
        wait_until(port_file.exists, 20, what=f"{identity} listens")
        self.port = int(port_file.read_text())
