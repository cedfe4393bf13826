"""The listening sockets of a host: one SO_REUSEPORT socket per worker slot and face, opened by the supervisor.

Workers inherit them, so a socket and the connections in its queue outlive the worker that reads it: a reload resets
nothing. All slots of a face share one port; the kernel spreads new connections over them (socket(7), SO_REUSEPORT), and
datagrams by their addresses, so that one caller's come to one slot.
"""

import errno
import socket
import time
from typing import Final

from meshway.problem import Problem

BACKLOG: Final = 4096
# Bytes of a connection that the system holds beside those that are under way; a fast caller's are sent at once.
MOST_UNSENT: Final = 64 * 1024
# A supervisor that was killed leaves workers behind, who let go of their sockets as soon as they notice.
TAKEN_WAIT_S: Final = 1.0
# Bytes of datagrams that wait in a slot's socket, as far as net.core.rmem_max lets it have them: while a worker is
# replaced nobody reads.
MOST_UNREAD: Final = 4 << 20


def open_slots(
    bind: str,
    port: int,
    count: int,
    flag: str,
    *,
    is_shared: bool = False,
    is_udp: bool = False,
    is_listening: bool = True,
) -> list[socket.socket]:
    """Listening sockets, one a slot, all on the same port. port 0: the first takes a free one. is_udp: of datagrams.

    Raises Problem when the port is taken or may not be bound. flag: the option that names another port. is_shared: the
    port is ours already, at another address or by sockets of other slots. is_listening: else the worker has it listen.
    """
    sockets: list[socket.socket] = []
    family = _family(bind, flag)
    kind = socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM
    if port and not is_shared:
        _refuse_taken(family, kind, bind, port, flag)
    try:
        for _ in range(count):
            listener = socket.socket(family, kind)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if is_udp:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_UNREAD)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                _bound_unsent(listener)
            listener.bind((bind, port))
            port = listener.getsockname()[1]
        # Only now: a listening socket of a half-opened set would take connections nobody answers.
        for listener in sockets:
            if is_listening and not is_udp:
                listener.listen(BACKLOG)
            listener.setblocking(False)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise _refused(error, bind, port, flag) from error
    return sockets


def filled(known: list[socket.socket], count: int, flag: str) -> list[socket.socket]:
    """known, and sockets of further slots beside them: callers come to these when a worker has them listen. Raises
    Problem."""
    bind, port = known[0].getsockname()[:2]
    is_udp = known[0].type == socket.SOCK_DGRAM
    further = max(count - len(known), 0)
    return known + open_slots(bind, port, further, flag, is_shared=True, is_udp=is_udp, is_listening=False)


def _bound_unsent(listener: socket.socket) -> None:
    """Of its connections: the system would take some four megabytes for a caller who reads none (tcp(7))."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # not everywhere
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)


def open_one(bind: str, port: int, flag: str) -> socket.socket:
    """One listening socket that nobody shares (admin)."""
    family = _family(bind, flag)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _refused(error, bind, port, flag) from error
    return listener


def take_queued(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait to be accepted, for a listener (non-blocking) that is about to be closed for good."""
    accepted: list[socket.socket] = []
    while len(accepted) < BACKLOG and listener.fileno() >= 0:
        try:
            connection, _ = listener.accept()
        except ConnectionAbortedError:
            continue
        except OSError:  # none is left, or no descriptor for it
            break
        connection.setblocking(False)
        accepted.append(connection)
    return accepted


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Where a caller on this host reaches it."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def address_of_bind(bind: str, flag: str) -> str:
    """By number, as a socket bound there says it. Raises Problem."""
    return _resolved(bind, flag)[1]


def _family(bind: str, flag: str) -> socket.AddressFamily:
    return _resolved(bind, flag)[0]


def _resolved(bind: str, flag: str) -> tuple[socket.AddressFamily, str]:
    try:
        family, _, _, _, address = socket.getaddrinfo(bind, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise _refused(error, bind, 0, flag) from error
    return family, str(address[0])


def _refuse_taken(family: socket.AddressFamily, kind: socket.SocketKind, bind: str, port: int, flag: str) -> None:
    """SO_REUSEPORT would quietly share the port with a second gateway of the same user: ask without it first."""
    give_up = time.monotonic() + TAKEN_WAIT_S
    while True:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:  # of datagrams it would share the port as well
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() >= give_up:
                    raise _refused(error, bind, port, flag) from error
            else:
                return
        time.sleep(0.05)


def _refused(error: OSError, bind: str, port: int, flag: str) -> Problem:
    if error.errno == errno.EADDRINUSE:
        return Problem(
            409,
            "port_taken",
            f"port {port} of {bind} is taken by another process, or by another listener of this gateway",
            mend=f"stop it, or pass {flag} with another port (0 takes a free one)",
        )
    reason = error.strerror or str(error)
    return Problem(400, "cannot_listen", f"cannot listen on {bind}:{port}: {reason}", mend=f"see --bind and {flag}")
