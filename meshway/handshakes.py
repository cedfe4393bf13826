"""Accepts callers by TLS: so many handshakes at once and no more, each bounded in time; who waits, waits in the queue.

uvloop's transport does the records below our Protocol (docs/decisions/2026-11-27-tls-by-the-loops-transport.md). We
accept by hand to know why a handshake failed, which a server of the loop tells nobody.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from meshway.tasks import spawn
from meshway.tls import TellingObject

HANDSHAKE_S: Final = 10.0
# Where all places are taken, who has had his for so long makes room: else so many silent callers would keep out the
# rest.
PATIENCE_S: Final = 1.0
SHUTDOWN_S: Final = 2.0
RETRY_S: Final = 0.1  # without a descriptor
LINES_PER_S: Final = 10

AT_ONCE: Final = 64

_log = logging.getLogger("meshway.tls")


Prelude = Callable[[socket.socket], Awaitable[Callable[[], asyncio.Protocol]]]


class Face(Protocol):
    """context: what handshakes begin with from now on; its objects are TellingObjects. at_once: how many."""

    context: ssl.SSLContext
    at_once: int


class _Overheard(ssl.SSLContext):
    """Stands before another context for one handshake, to have what the loop throws away when it fails: the alert."""

    base: ssl.SSLContext
    alert = b""

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        made = self.base.wrap_bio(incoming, outgoing, *args, **kwargs)
        assert isinstance(made, TellingObject)
        made.failed = lambda: self._keep(outgoing)
        return made

    def _keep(self, outgoing: ssl.MemoryBIO) -> None:
        self.alert = outgoing.read()


class Handshakes:
    """Of one listener and one socket. connection: makes the Protocol of a connection. count: told of each, and whether
    it failed. prelude: what comes on a connection before its handshake, None: nothing does; it answers what makes the
    Protocol, and raises OSError where the caller is not let in."""

    def __init__(
        self,
        name: str,
        face: Face,
        connection: Callable[[], asyncio.Protocol],
        count: Callable[[bool], None],
        *,
        handshake_s: float = HANDSHAKE_S,
        patience_s: float = PATIENCE_S,
        prelude: Prelude | None = None,
    ) -> None:
        self._name, self._face, self._connection, self._count = name, face, connection, count
        self._handshake_s, self._patience_s = handshake_s, patience_s
        self._prelude = prelude
        self._running: OrderedDict[asyncio.Task[Any], float] = OrderedDict()  # and since when
        self._free: list[_Overheard] = []  # making one costs a tenth of a handshake
        self._ended = asyncio.Event()
        self._accepting: asyncio.Task[None] | None = None
        self._lines = 0
        self._lines_since = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def open(self, listener: socket.socket) -> None:
        if hasattr(socket, "TCP_DEFER_ACCEPT"):  # a caller begins to speak; one that is silent waits with the kernel
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(self._handshake_s))
        self._accepting = spawn(self._accept(listener), name=f"accept on {self._name}")

    def close(self) -> None:
        """No further ones; those under way go on."""
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None

    def abort(self) -> None:
        self.close()
        for task in tuple(self._running):
            task.cancel()

    def begin(self, accepted: socket.socket) -> None:
        """With a caller who is accepted already."""
        task = spawn(self._shake(accepted), name=f"handshake on {self._name}")
        self._running[task] = time.monotonic()
        task.add_done_callback(self._is_over)

    def _is_over(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._ended.set()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while len(self._running) >= self._face.at_once:
                await self._make_room()
            try:
                accepted, _ = await loop.sock_accept(listener)
            except OSError as error:
                self._tell("", f"cannot accept: {error.strerror or error}")
                await asyncio.sleep(RETRY_S)
                continue
            self.begin(accepted)

    async def _make_room(self) -> None:
        self._ended.clear()
        oldest, since = next(iter(self._running.items()))
        rest_s = since + self._patience_s - time.monotonic()
        if rest_s > 0.0:
            try:
                async with asyncio.timeout(rest_s):
                    await self._ended.wait()
            except TimeoutError:
                pass
            return
        oldest.cancel("others wait")
        await self._ended.wait()

    async def _shake(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        peer, spare = _peer_of(accepted), accepted.dup()
        context = self._free.pop() if self._free else _Overheard(ssl.PROTOCOL_TLS_SERVER)
        context.base, context.alert = self._face.context, b""
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = self._connection if self._prelude is None else await self._before(accepted, self._prelude)
            await loop.connect_accepted_socket(
                connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._handshake_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except asyncio.CancelledError:
            self._fail(peer, "not done while others waited")
            raise
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            _send(spare, context.alert)
            self._fail(peer, reason_of(error))
        else:
            self._count(False)
        finally:
            spare.close()
            self._free.append(context)

    async def _before(self, accepted: socket.socket, prelude: Prelude) -> Callable[[], asyncio.Protocol]:
        try:
            async with asyncio.timeout(self._handshake_s):
                return await prelude(accepted)
        except BaseException:
            accepted.close()
            raise

    def _fail(self, peer: str, reason: str) -> None:
        self._count(True)
        self._tell(peer, reason)

    def _tell(self, peer: str, reason: str) -> None:
        """A flood of failures is counted whole, and told in part."""
        now = time.monotonic()
        if now - self._lines_since >= 1.0:
            self._lines_since, self._lines = now, 0
        self._lines += 1
        if self._lines <= LINES_PER_S:
            of = f" of {peer}" if peer else ""
            _log.info("%s: handshake%s: %s", self._name, of, reason)


def _send(spare: socket.socket, alert: bytes) -> None:
    """The loop has closed its copy; this one still leads to the caller."""
    try:
        spare.setblocking(False)
        if alert:
            spare.send(alert)
        spare.shutdown(socket.SHUT_WR)
    except OSError:
        return  # he has left, or takes nothing


def reason_of(error: Exception) -> str:
    """Why a handshake failed, in OpenSSL's words, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the caller's certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        if error.reason == "CALLBACK_FAILED":  # TlsFace's
            return "no certificate is for the host it named, or it named none"
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return "not done in time"
    return getattr(error, "strerror", "") or str(error) or type(error).__name__


def _peer_of(accepted: socket.socket) -> str:
    try:
        name = accepted.getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) and name else ""
