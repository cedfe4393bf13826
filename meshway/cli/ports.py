"""Ports that are free, and who holds those that are not."""

import errno
import os
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from meshway.cli.failure import CONFLICT, USAGE, CliError

_LISTEN: Final = "0A"  # linux/include/net/tcp_states.h
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]\Z")
_BACKLOG: Final = 1024
_PAIR_TRIES: Final = 20
_DNS_FLAG: Final = "--dns-port"
_MAKE: Final = "MESHWAY_MAKE"  # set by `make up`


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
    return datagrams_and_streams_on(bind, _dns_port(port), _DNS_FLAG)


def _dns_port(written: str) -> int:
    """0 also for `off`."""
    return port_or_off(_DNS_FLAG, written) or 0


def port_or_off(flag: str, written: str) -> int | None:
    """None for `off`. Raises CliError."""
    if written == "off":
        return None
    if not written.isascii() or not written.isdigit() or int(written) > 65535:
        raise CliError(USAGE, f'{flag}: "{written}" is no port', mend="write 0 to 65535, or off")
    return int(written)


def refuse_taken(bind: str, ports: Sequence[tuple[int, str]], names: str = "off") -> None:
    """ports: each with its flag; names: what --dns-port says. Port 0 is never taken.

    Raises CliError naming all where somebody listens already, and two flags that name one port.
    """
    dns_port = _dns_port(names)
    _refuse_twice([*ports, (dns_port, _DNS_FLAG)])
    refused: list[tuple[str, CliError]] = []
    for port, flag in ports:
        try:
            if port:
                listen_on(bind, port, flag).close()
        except CliError as error:
            refused.append((flag, error))
    try:
        if dns_port:
            for sock in datagrams_and_streams_on(bind, dns_port, _DNS_FLAG):
                sock.close()
    except CliError as error:
        refused.append((_DNS_FLAG, error))
    if len(refused) == 1:
        raise refused[0][1]
    if refused:
        raise CliError(
            CONFLICT,
            f"{len(refused)} ports cannot be had",
            details=tuple(error.what for _, error in refused),
            mend=f"stop what holds them, or choose others: {flags_of(f'{flag} N' for flag, _ in refused)} "
            "(0 takes a free one)",
        )


def _refuse_twice(ports: Sequence[tuple[int, str]]) -> None:
    flags: dict[int, str] = {}
    for port, flag in ports:
        if port and (first := flags.setdefault(port, flag)) != flag:
            raise CliError(
                USAGE, f"{first} and {flag} are both {port}", mend=f"give each its own: {flags_of([f'{flag} N'])}"
            )


def flags_of(flags: Iterable[str], command: str = "") -> str:
    """How the person who started us says these flags. command: what stands before them, unless make does."""
    said = " ".join(flags)
    return f'make up UP="{said}"' if os.environ.get(_MAKE) else f"{command} {said}".strip()


def cannot_bind(bind: str, port: int, flag: str, error: OSError) -> CliError:
    """The words for a port that could not be had. flag: the one that chooses it, `--edge-port`."""
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        by = f" by {holder.name} (pid {holder.pid})" if holder else ""
        return CliError(
            CONFLICT,
            f"port {port} on {bind} is taken{by}",
            why=f"{holder.pid} runs: {holder.command}" if holder and holder.command else None,
            mend=f"stop it, or choose another port: {flags_of([f'{flag} N'])} (0 takes a free one)",
        )
    if error.errno == errno.EACCES:
        return CliError(
            CONFLICT,
            f"port {port} on {bind} is not ours to take: {error.strerror}",
            mend=f"choose one above 1023: {flags_of([f'{flag} N'])}",
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
