"""Has the kernel give a new connection to the listening socket of the core on which it comes in.

SO_REUSEPORT spreads connections by a hash of their addresses, so that on a machine of two cores half of them run
between these. Steered, a caller on a core is served by the worker there. It is done from outside, to a program that
runs: it takes a copy of the listening socket (pidfd_getfd(2)) and gives its group a program of two instructions.
Source: socket(7), SO_ATTACH_REUSEPORT_CBPF; Linux Documentation/networking/filter.rst.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_PIDFD_GETFD: Final = 438  # the number of the system call, the same on all processors
_ATTACH: Final = 51  # SO_ATTACH_REUSEPORT_CBPF of asm-generic/socket.h: the socket module has none
_WORD, _RETURN_IT = 0x20, 0x16
_THIS_CORE: Final = 0x100000000 - 0x1000 + 36  # SKF_AD_OFF + SKF_AD_CPU
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def steer(pids: Iterable[int], port: int) -> None:
    """pids: of the processes of a program that listens on the port by a socket a worker, opened in the order of their
    cores from 0. Raises LookupError when none of them does, OSError when they may not be looked into."""
    for pid in pids:
        for listener in _listening(pid, port):
            with listener:
                steps = ctypes.create_string_buffer(
                    struct.pack("HBBI", _WORD, 0, 0, _THIS_CORE) + struct.pack("HBBI", _RETURN_IT, 0, 0, 0)
                )
                listener.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("HP", 2, ctypes.addressof(steps)))
            return  # it is of the whole group
    raise LookupError(f"no process listens on port {port}")


def _listening(pid: int, port: int) -> Iterable[socket.socket]:
    """Copies of those of a process, for whoever takes them to close."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if not str(entry.readlink()).startswith("socket:"):
                continue
        except FileNotFoundError:  # it has closed it
            continue
        found = socket.socket(fileno=_copied(pid, int(entry.name)))
        is_wanted = found.family == socket.AF_INET and found.getsockname()[1] == port
        if is_wanted and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            yield found
        else:
            found.close()


def _copied(pid: int, descriptor: int) -> int:
    """Raises OSError."""
    process = os.pidfd_open(pid)
    try:
        copy = int(_LIBC.syscall(_PIDFD_GETFD, process, descriptor, 0))
    finally:
        os.close(process)
    if copy < 0:
        raise OSError(ctypes.get_errno(), f"may not take copies of sockets of process {pid}")
    return copy
