"""A collector of OpenTelemetry, told by OTLP over HTTP (protobuf)."""

import logging
import re
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple

from meshway.outbound.connection import Dial, PlainError
from meshway.outbound.fetch import post

CONTENT_TYPE: Final = b"application/x-protobuf"
MAX_ANSWER: Final = 64 << 10
# OTLP 1.x, "Failures": these may be sent again.
AGAIN: Final = frozenset({429, 502, 503, 504})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE: Final = re.compile(r"[\x20-\x7e\x80-\xff]*\Z")
_OURS: Final = frozenset({"host", "content-length", "content-type", "connection", "transfer-encoding"})


class Credentials(NamedTuple):
    """What a collector wants to see. fields: of each request. ca: PEM of who is believed; None: whom this machine
    believes. missing: what is not known, so that nothing is sent; "": all is there."""

    fields: bytes = b""
    ca: str | None = None
    missing: str = ""


class Sent(NamedTuple):
    """is_over: nothing is gained by sending it again. is_taken: the collector has it."""

    is_over: bool
    is_taken: bool


class Collector:
    """One that is told of `what` (`spans`), in people's words."""

    def __init__(self, what: str, dial: Dial, log: logging.Logger) -> None:
        self._what = what
        self._dial = dial
        self._log = log
        self._tls: tuple[str | None, ssl.SSLContext] | None = None
        self._has_failed = False

    async def send(self, endpoint: str, body: bytes, credentials: Credentials, timeout_s: float) -> Sent:
        if credentials.missing:
            self._say(f"{self._what} are not sent to {endpoint}: {credentials.missing}")
            return Sent(False, False)
        try:
            status, _ = await post(
                endpoint,
                body,
                CONTENT_TYPE,
                self._dial,
                self._context(credentials.ca) if endpoint.startswith("https:") else None,
                limit=MAX_ANSWER,
                timeout_s=timeout_s,
                fields=credentials.fields,
            )
        except (PlainError, ssl.SSLError) as error:
            self._say(f"{endpoint} does not take {self._what}: {error}")
            return Sent(False, False)
        if 200 <= status < 300:
            self._has_failed = False
            return Sent(True, True)
        self._say(f"{endpoint} answers {status} to {self._what}")
        return Sent(status not in AGAIN, False)

    def _context(self, ca: str | None) -> ssl.SSLContext:
        if self._tls is None or self._tls[0] != ca:
            self._tls = ca, ssl.create_default_context(cadata=ca)
        return self._tls[1]

    def _say(self, what: str) -> None:
        """Once, until it works again."""
        if not self._has_failed:
            self._has_failed = True
            self._log.error("%s", what)


def header_fields(named: Mapping[str, str]) -> bytes:
    """Of an opaque Secret: each of its texts is a header. What could be no header, or would break the request, is left
    out."""
    return b"".join(
        f"{name}: {value}\r\n".encode("latin-1")
        for name, value in named.items()
        if _NAME.match(name) and name.lower() not in _OURS and _VALUE.match(value)
    )
