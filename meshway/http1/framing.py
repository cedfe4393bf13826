"""Bodies: where they end, and the bytes of chunked coding (RFC 9112 §6, §7).

Readers take pieces as they come and give the payload in them; they hold a partial line at most, never a body.
Chunk extensions are checked and dropped: what goes on is framed anew.
"""

from typing import Final

from meshway.http1.field_lines import HOP_BY_HOP, IDENTITY, IDENTITY_PREFIXES
from meshway.http1.head import HeadError
from meshway.http1.start_line import TOKEN

LAST_CHUNK: Final = b"0\r\n\r\n"
MAX_TRAILER_FIELDS: Final = 100
_MAX_SIZE_DIGITS: Final = 16
_HEX: Final = b"0123456789abcdefABCDEF"
_TEXT: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
# RFC 9110 §6.5.1: what frames, routes, authenticates or describes the message must not come after it.
_NEVER_TRAILERS: Final = frozenset(
    {
        *HOP_BY_HOP,
        *IDENTITY,
        *(b"content-length", b"transfer-encoding", b"connection", b"host", b"expect", b"max-forwards"),
        *(b"authorization", b"www-authenticate", b"proxy-authenticate", b"cookie", b"set-cookie", b"cache-control"),
        *(b"content-encoding", b"content-type", b"content-range", b"range", b"if-match", b"if-none-match", b"location"),
        *(b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via"),
        *(b"traceparent", b"x-request-id", b"retry-after", b"vary", b"date"),
    }
)
_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3
_ENDED: Final = 4


def chunk(data: bytes) -> bytes:
    """One chunk; b"" for no data, as an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: bytes = b"") -> bytes:
    """The end of a chunked body. trailers: a block of fields."""
    return b"0\r\n%b\r\n" % trailers if trailers else LAST_CHUNK


class LengthReader:
    """A body of a known length, in bytes."""

    __slots__ = ("_left", "ended", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = length == 0
        self.trailers = b""
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in this piece; what follows the body is in `rest`."""
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        self.ended = True
        if left == 0:
            self._left = 0
            return data
        taken, self._left = data[: self._left], 0
        self.rest += data[len(taken) :]
        return taken


class ChunkedReader:
    """A chunked body. ended: whole. trailers: its trailer fields, fit to forward. rest: bytes after its end.

    max_trailers, max_extensions: bytes per message. is_answer: names with `_` may go on. Errors are HeadError 400, or
    431 for trailers over their limit.
    """

    __slots__ = (
        "_extensions",
        "_is_answer",
        "_left",
        "_line",
        "_max_extensions",
        "_max_trailers",
        "_state",
        "_trailer_lines",
        "_trailers_size",
        "rest",
        "trailers",
    )

    def __init__(self, max_trailers: int = 8192, max_extensions: int = 4096, *, is_answer: bool = False) -> None:
        self._is_answer = is_answer
        self._max_trailers = max_trailers
        self._max_extensions = max_extensions
        self._state = _SIZE
        self._line = b""  # a line, or a chunk's CRLF, that is not whole yet
        self._left = 0
        self._extensions = 0
        self._trailer_lines: list[bytes] = []
        self._trailers_size = 0
        self.trailers = b""
        self.rest = b""

    @property
    def ended(self) -> bool:
        return self._state == _ENDED

    def feed(self, data: bytes) -> bytes:
        """The payload in this piece, b"" when there is none. Raises HeadError."""
        if self._line:
            data, self._line = self._line + data, b""
        payload: list[bytes] = []
        at, size = 0, len(data)
        while at < size:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                payload.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left == 0:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                end = data[at : at + 2]
                if end == b"\r\n":
                    at += 2
                    self._state = _SIZE
                elif end == b"\r":
                    self._line = end
                    break
                else:
                    raise _wrong("chunk data does not end with CRLF")
            elif self._state == _ENDED:
                self.rest += data[at:]
                break
            else:
                end_of_line = data.find(b"\r\n", at)
                if end_of_line < 0:
                    self._line = self._unfinished(data[at:])
                    break
                line = data[at:end_of_line]
                at = end_of_line + 2
                if self._state == _SIZE:
                    self._open_chunk(line)
                else:
                    self._take_trailer(line)
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _open_chunk(self, line: bytes) -> None:
        digits, semicolon, extension = line.partition(b";")
        if not digits or len(digits) > _MAX_SIZE_DIGITS or digits.translate(None, _HEX):
            raise _wrong(f"chunk size is not 1 to {_MAX_SIZE_DIGITS} hexadecimal digits")
        if semicolon:
            self._extensions += len(extension) + 1
            if self._extensions > self._max_extensions:
                raise _wrong(f"chunk extensions are longer than {self._max_extensions} bytes")
            if extension.translate(None, _TEXT):
                raise _wrong("a chunk extension holds a control")
        self._left = int(digits, 16)
        self._state = _DATA if self._left else _TRAILERS

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self.trailers = b"\r\n".join([*self._trailer_lines, b""]) if self._trailer_lines else b""
            self._state = _ENDED
            return
        self._trailers_size += len(line) + 2
        self._bound_trailers(self._trailers_size)
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, TOKEN) or value.translate(None, _TEXT):
            raise _wrong("a trailer line is not `name: value`")
        name = name.lower()
        if b"_" in name:  # of a caller, a program behind might read it as another name
            name = name.replace(b"_", b"-") if self._is_answer else b""
        if name and name not in _NEVER_TRAILERS and not name.startswith(IDENTITY_PREFIXES):
            if len(self._trailer_lines) == MAX_TRAILER_FIELDS:
                raise HeadError(431, "headers_too_large", f"more than {MAX_TRAILER_FIELDS} trailers")
            self._trailer_lines.append(line)

    def _bound_trailers(self, size: int) -> None:
        if size > self._max_trailers:
            raise HeadError(431, "headers_too_large", f"trailers are longer than {self._max_trailers} bytes")

    def _unfinished(self, line: bytes) -> bytes:
        """Judges a line without its end, so that none grows without bound or hides a bare LF; returns it."""
        text = line[:-1] if line.endswith(b"\r") else line
        if text.translate(None, _TEXT):
            raise _wrong("a chunk line or a trailer holds a control, a bare CR or a bare LF")
        if self._state == _TRAILERS:
            self._bound_trailers(self._trailers_size + len(text))
        else:
            digits, _, extension = text.partition(b";")
            if len(digits) > _MAX_SIZE_DIGITS or digits.translate(None, _HEX):
                raise _wrong(f"chunk size is not 1 to {_MAX_SIZE_DIGITS} hexadecimal digits")
            if self._extensions + len(extension) > self._max_extensions:
                raise _wrong(f"chunk extensions are longer than {self._max_extensions} bytes")
        return line


def _wrong(detail: str) -> HeadError:
    return HeadError(400, "bad_request", detail)
