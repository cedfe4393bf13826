"""The command `meshway` as forks of one process that has its modules already: its start is most of what it costs.

What runs is a process of its own, with its arguments, variables, folder, and stdin, stdout and stderr; only the
interpreter's start and the imports are shared. That the command also starts by itself, tests show that begin it so.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from typing import IO, Final, NoReturn

from tests.parts.processes import ROOT, python

NOBODY: Final = "http://127.0.0.1:1"
_STREAMS: Final = 3


class CommandForks:
    """One a process of tests; it ends with it, as its socket closes."""

    def __init__(self) -> None:
        self._asks, asked = socket.socketpair()
        with asked:
            self._process = subprocess.Popen(
                python("-m", __name__, str(asked.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[asked.fileno()],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith("MESHWAY_")},
            )

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, streams: Sequence[IO[bytes]], within_s: float
    ) -> int:
        """To its end; its exit code. streams: its stdin, stdout and stderr. Raises subprocess.TimeoutExpired."""
        talk, its_talk = socket.socketpair()
        with talk, its_talk:
            socket.send_fds(self._asks, [b"\0"], [*(stream.fileno() for stream in streams), its_talk.fileno()])
            its_talk.close()
            talk.settimeout(within_s)
            talk.sendall(json.dumps([list(arguments), dict(env), str(cwd)]).encode() + b"\n")
            with talk.makefile("r") as told:
                pid = int(told.readline())
                try:
                    return int(told.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(["meshway", *arguments], within_s) from None


@cache
def command_forks() -> CommandForks:
    return CommandForks()


def _serve(asked: socket.socket) -> None:
    """Returns in a fork, to become the command; ends when nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for commands are waited for by nobody
    while True:
        said, received, _, _ = socket.recv_fds(asked, 1, _STREAMS + 1)
        if not said:
            sys.exit()
        if os.fork() == 0:
            asked.close()
            _become(received[:_STREAMS], socket.socket(fileno=received[_STREAMS]))
            return
        for descriptor in received:
            os.close(descriptor)


def _become(streams: Sequence[int], talk: socket.socket) -> None:
    """Forks once more: the one waits for the other, which is the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with talk, talk.makefile("r") as asked:
        arguments, env, cwd = json.loads(asked.readline())
        if (command := os.fork()) != 0:
            for stream in streams:
                os.close(stream)
            talk.sendall(b"%d\n" % command)
            _, status = os.waitpid(command, 0)
            talk.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["meshway", *arguments]


def _end(command: Callable[[], None]) -> NoReturn:
    """As the interpreter ends, but that the modules are not taken apart: of a fork each page would be copied first."""
    code: int | str | None = 0
    try:
        command()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _main() -> None:
    from meshway.cli.main import main, make_app

    asked = socket.socket(fileno=int(sys.argv[1]))
    make_app()  # the modules of all commands, and by two of them what is imported as they run
    for words in (["--help"], ["get", "routes", "--registry", NOBODY]):
        sys.argv = ["meshway", *words]
        with suppress(SystemExit), redirect_stderr(StringIO()):
            main()
    gc.freeze()
    _serve(asked)
    _end(main)


if __name__ == "__main__":
    _main()
