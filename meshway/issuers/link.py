"""What a process asks of OpenID providers while somebody waits: tokens for a code, and for a refresh token."""

import ssl
from typing import Final

from meshway.outbound.connection import PlainError
from meshway.outbound.fetch import post_form
from meshway.outbound.guard import guarded_dial

TIMEOUT_S: Final = 5.0
MOST_AT_ONCE: Final = 32
_LONGEST_ANSWER: Final = 64 << 10


class IssuerLink:
    """One a process. allow_loopback: of one that serves its own machine alone."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._dial = guarded_dial(allow_loopback=allow_loopback)
        self._tls: ssl.SSLContext | None = None
        self._running = 0

    async def post(self, url: str, form: bytes, fields: bytes) -> tuple[int, bytes]:
        """Status and body. Raises PlainError, also where too many are on the way already: nobody waits in line."""
        if self._running >= MOST_AT_ONCE:
            raise PlainError("too many logins are on the way", "busy")
        if self._tls is None:
            self._tls = ssl.create_default_context()
        self._running += 1
        try:
            return await post_form(url, form, fields, self._dial, self._tls, limit=_LONGEST_ANSWER, timeout_s=TIMEOUT_S)
        finally:
            self._running -= 1
