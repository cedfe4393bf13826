"""Ports that are free, and who holds those that are not."""

import errno
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from meshway.cli.failure import CONFLICT, USAGE, CliError

_LISTEN: Final = "0A"  # linux/include/net/tcp_states.h
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]\Z")
_BACKLOG: Final = 1024
_PAIR_TRIES: Final = 20


class Holder(NamedTuple):
    """The process that listens. command: its whole line, as far as we may read it."""

    pid: int
    name: str
    command: str


def listen_on(bind: str, port: int, flag: str) -> socket.socket:
    """A listening, inheritable socket; port 0 takes a free one. Raises CliError naming the holder and the flag."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise cannot_bind(bind, port, flag, error) from error
    listener.set_inheritable(True)
    return listener


def datagrams_and_streams_on(bind: str, port: int, flag: str) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on one port, for DNS; inheritable, the TCP one listening. Port 0: one that is free for both.

    Raises CliError naming the holder and the flag.
    """
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    for left in range(_PAIR_TRIES if port == 0 else 1, 0, -1):
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        try:
            datagrams.bind((bind, port))
            streams = listen_on(bind, datagrams.getsockname()[1], flag)
        except OSError as error:
            datagrams.close()
            raise cannot_bind(bind, port, flag, error) from error
        except CliError:
            datagrams.close()
            if left > 1:  # the free UDP port is somebody's TCP port: take another
                continue
            raise
        datagrams.set_inheritable(True)
        return datagrams, streams
    raise AssertionError("the last try returns or raises")


def dns_sockets(bind: str, port: str) -> tuple[socket.socket, socket.socket] | None:
    """As `--dns-port` says: datagrams and streams, None for `off`. Raises CliError."""
    if port == "off":
        return None
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise CliError(USAGE, f'--dns-port: "{port}" is no port', mend="write 0 to 65535, or off")
    return datagrams_and_streams_on(bind, int(port), "--dns-port")


def refuse_taken(bind: str, ports: Sequence[tuple[int, str]]) -> None:
    """ports: each with its flag. Raises CliError naming all where somebody listens already. Port 0 is never taken."""
    refused: list[tuple[str, CliError]] = []
    for port, flag in ports:
        try:
            if port:
                listen_on(bind, port, flag).close()
        except CliError as error:
            refused.append((flag, error))
    if len(refused) == 1:
        raise refused[0][1]
    if refused:
        raise CliError(
            CONFLICT,
            f"{len(refused)} ports cannot be had",
            details=tuple(error.what for _, error in refused),
            mend=f"stop what holds them, or choose others: {' '.join(f'{flag} N' for flag, _ in refused)} "
            "(0 takes a free one)",
        )


def cannot_bind(bind: str, port: int, flag: str, error: OSError) -> CliError:
    """The words for a port that could not be had. flag: the one that chooses it, `--edge-port`."""
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        by = f" by {holder.name} (pid {holder.pid})" if holder else ""
        return CliError(
            CONFLICT,
            f"port {port} on {bind} is taken{by}",
            why=f"{holder.pid} runs: {holder.command}" if holder and holder.command else None,
            mend=f"stop it, or choose another port: {flag} N (0 takes a free one)",
        )
    if error.errno == errno.EACCES:
        return CliError(
            CONFLICT,
            f"port {port} on {bind} is not ours to take: {error.strerror}",
            mend=f"choose one above 1023: {flag} N",
        )
    return CliError(CONFLICT, f"cannot listen on {bind}:{port}: {error.strerror}", mend=f"see --bind and {flag}")


def holder_of(port: int) -> Holder | None:
    """The process that listens on the port, as far as /proc tells us: others' processes may be hidden."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            try:
                name = (process / "comm").read_text().strip()
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            except OSError:
                continue
            return Holder(int(process.name), name, line)
    return None


def _listening_inodes(port: int) -> set[str]:
    """Inodes of the listening sockets, from columns 2, 4 and 10 of /proc/net/tcp (proc(5))."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(columns[9])
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        for descriptor in (process / "fd").iterdir():
            try:
                found = _SOCKET.match(str(descriptor.readlink()))
            except OSError:
                continue
            if found and found[1] in inodes:
                return True
    except OSError:
        return False
    return False
