"""Real child processes with their output kept, ended by pid and never by name."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class Process:
    """A child in its own process group. output: a file that collects stdout and stderr."""

    def __init__(self, command: Sequence[str], output: Path, env: dict[str, str] | None = None) -> None:
        self.output = output
        with output.open("ab") as out:
            self.popen = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
                cwd=ROOT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def send(self, number: int) -> None:
        if self.is_running():
            self.popen.send_signal(number)

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM, then SIGKILL for the whole group; returns the exit code."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def stop_group(self, within_s: float = 20.0) -> None:
        """SIGTERM for the whole group, so that programs end what they started in sessions of their own; then `kill`."""
        until = time.monotonic() + within_s
        try:
            os.killpg(self.pid, signal.SIGTERM)
            while time.monotonic() < until:
                self.popen.poll()
                os.killpg(self.pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return
        self.kill()

    def kill(self) -> int:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.popen.wait(10)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
