"""What a process asks of servers outside the mesh while somebody waits: of OpenID providers, and of who decides."""

import ssl
from collections.abc import Awaitable
from typing import Final, TypeVar

from meshway.http1.message import ResponseHead
from meshway.outbound.connection import PlainError
from meshway.outbound.fetch import ask_at, post_form
from meshway.outbound.guard import guarded_dial

TIMEOUT_S: Final = 5.0
MOST_AT_ONCE: Final = 32
LONGEST_ANSWER: Final = 64 << 10  # bytes
_T = TypeVar("_T")


class IssuerLink:
    """allow_loopback: of a process that serves its own machine alone."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._dial = guarded_dial(allow_loopback=allow_loopback)
        self._tls: ssl.SSLContext | None = None
        self._running = 0
        self._apart: dict[str, IssuerLink] = {}

    def apart(self, purpose: str) -> "IssuerLink":
        """The one for this purpose, so that whoever waits there leaves others their places."""
        found = self._apart.get(purpose)
        if found is None:
            found = self._apart[purpose] = IssuerLink(allow_loopback=self._allow_loopback)
        return found

    async def post(self, url: str, form: bytes, fields: bytes, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
        """Status and body. Raises PlainError, also where too many are on the way already: nobody waits in line."""
        return await self._counted(
            post_form(url, form, fields, self._dial, self._context(), limit=LONGEST_ANSWER, timeout_s=timeout_s)
        )

    async def ask(
        self, url: str, method: bytes, target: bytes, fields: bytes, body: bytes | None, timeout_s: float
    ) -> tuple[ResponseHead, bytes]:
        """Head and body, as `ask_at`. Raises PlainError, as `post`."""
        tls = self._context()
        return await self._counted(
            ask_at(url, method, target, fields, body, self._dial, tls, limit=LONGEST_ANSWER, timeout_s=timeout_s)
        )

    def _context(self) -> ssl.SSLContext:
        if self._running >= MOST_AT_ONCE:
            raise PlainError("too many questions are on the way", "busy")
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def _counted(self, asking: Awaitable[_T]) -> _T:
        self._running += 1
        try:
            return await asking
        finally:
            self._running -= 1
