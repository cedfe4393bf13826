"""Child processes that are started again when they die, with their output prefixed."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from meshway.cli import parent
from meshway.tasks import spawn

READY_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.05
_AT_ONCE_S: Final = 3.0
_STABLE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_LONGEST_LINE: Final = 64 << 10


class ChildFailed(Exception):
    """The child ended, or did not answer in time, before it was ever ready. code: its exit code, if it ended."""

    def __init__(self, name: str, reason: str, code: int | None) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.code = code


class Child:
    """One child. command: made anew for each start, so that a restart can name the ports of the first.

    is_ready: asked every 50 ms until it says so. say: takes a line for people. descriptors: sockets it inherits.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        is_ready: Callable[[], Awaitable[bool]],
        say: Callable[[str], None],
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self._command = command
        self._is_ready = is_ready
        self._say = say
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        assert self._process is not None, "a child has a pid once it was started"
        return self._process.pid

    async def start(self) -> None:
        """Returns when it answers. Raises ChildFailed."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=self._descriptors,
            # Its own group: Ctrl-C reaches `up` alone, which stops the children in order. No session: Linux shares
            # cores among sessions before processes (autogroup), and planes with one each are switched to more often.
            process_group=0,
            env=os.environ | {parent.VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"},
        )
        self._output = spawn(self._pass_on(self._process), name=f"output of {self.name}")
        until = time.monotonic() + READY_WITHIN_S
        while not await self._is_ready():
            if self._process.returncode is not None:
                await self._output
                raise ChildFailed(self.name, f"ended: {ending(self._process.returncode)}", self._process.returncode)
            if time.monotonic() > until:
                raise ChildFailed(self.name, f"did not answer within {READY_WITHIN_S:.0f} s", None)
            await asyncio.sleep(_POLL_S)

    async def keep(self, restarted: Callable[[], None]) -> None:
        """Starts it again whenever it dies, until `stop`; after each death soon after a start the pause doubles."""
        pause_s = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping:
                return
            pause_s = _FIRST_PAUSE_S if time.monotonic() - began > _STABLE_S else min(pause_s * 2, _LONGEST_PAUSE_S)
            self._say(f"{self.name} (pid {self.pid}) ended: {ending(code)}; starting it again")
            await asyncio.sleep(pause_s)
            try:
                await self.start()
            except ChildFailed as failure:
                self._say(f"{failure}; trying again")
                await self._end(signal.SIGKILL, 5.0)
                continue
            self._say(f"{self.name} answers again (pid {self.pid})")
            restarted()

    async def stop(self, within_s: float) -> None:
        """SIGTERM, which lets it finish what is under way; after within_s again, which means at once; then SIGKILL."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait([spawn(process.wait(), name=f"end of {self.name}")], timeout=within_s)
        await self._end(signal.SIGTERM, _AT_ONCE_S)

    async def _end(self, number: signal.Signals, within_s: float) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), within_s)
            except TimeoutError:
                self._say(f"{self.name} (pid {process.pid}) did not stop within {within_s:.0f} s; killing it")
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._output is not None:
            # A grandchild may hold the pipe open for longer than we care to listen.
            await asyncio.wait([self._output], timeout=1.0)

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while data := await process.stdout.read(_LONGEST_LINE):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines.append(rest)
                rest = b""
            for line in lines:
                self._say_line(line)
        if rest:
            self._say_line(rest)

    def _say_line(self, line: bytes) -> None:
        self._say(f"{self.name:<8} | {line.decode('utf-8', 'replace').rstrip()}")


def ending(code: int) -> str:
    """`exit code 1`, `SIGKILL`."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def meshway(*arguments: str) -> list[str]:
    """The command line of this very installation's `meshway`."""
    return [sys.executable, "-m", "meshway.cli.main", *arguments]
