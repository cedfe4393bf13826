"""gRPC-Web: messages as gRPC frames them, with the trailers as a last frame of the body, which browsers can read.

In text mode all of it is base64, in pieces each with a padding of its own. Source: gRPC's PROTOCOL-WEB.md.
"""

import binascii
import struct
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.grpc.status import code_of, read_code
from meshway.grpc_message import CONTENT_TYPE, message_field
from meshway.http1.fields import find, pairs, remove

WEB: Final = b"application/grpc-web"
_TEXT: Final = WEB + b"-text"
_TRAILERS: Final = 0x80  # a frame's flags: it holds these
# What a page's scripts have to send and to read, beside what is always allowed.
SENT: Final = ("content-type", "x-grpc-web", "x-user-agent", "grpc-timeout")
SHOWN: Final = ("grpc-status", "grpc-message", "grpc-status-details-bin")
STATUS_FIELDS: Final = frozenset(name.encode() for name in SHOWN)
_OF_A_BODY: Final = frozenset({b"content-type", b"content-length", b"content-encoding"})


class NotText(ValueError):
    """It is no base64."""


def media_type(content_type: bytes) -> bytes:
    """Lower-case, without its parameters."""
    return content_type.partition(b";")[0].strip().lower()


def is_web(kind: bytes) -> bool:
    """kind: a media type."""
    return kind in (WEB, _TEXT) or kind.startswith((WEB + b"+", _TEXT + b"+"))


def is_text(kind: bytes) -> bool:
    return kind.startswith(_TEXT)


def service_type(kind: bytes) -> bytes:
    """What the service is told of the same messages."""
    return CONTENT_TYPE + kind.removeprefix(_TEXT if is_text(kind) else WEB)


def answer_type(content_type: bytes, kind: bytes, block: bytes) -> bytes:
    """content_type: the service's. kind, block: of the request; its Accept says how the answer is wanted, else it is
    as was asked."""
    accepted = media_type(find(block, b"accept") or b"")
    as_text = is_text(accepted if is_web(accepted) else kind)
    messages = media_type(content_type).removeprefix(CONTENT_TYPE) or service_type(kind).removeprefix(CONTENT_TYPE)
    return (_TEXT if as_text else WEB) + messages


def trailers_frame(block: bytes) -> bytes:
    """block: the trailers, each `Name: value CRLF`."""
    lines = b"".join(b"%b: %b\r\n" % pair for pair in pairs(block))
    return struct.pack("!BI", _TRAILERS, len(lines)) + lines


def as_text(data: bytes) -> bytes:
    """One piece, readable by itself."""
    return binascii.b2a_base64(data, newline=False)


class TextReader:
    """Base64 that comes in pieces, in which each padding ends one. is_whole: nothing is missing after what came."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_whole(self) -> bool:
        return not self._rest

    def feed(self, data: bytes) -> bytes:
        """Raises NotText."""
        data = self._rest + data
        end = len(data) - len(data) % 4
        self._rest = data[end:]
        out, at = [], 0
        while at < end:
            padding = data.find(b"=", at, end)
            stop = end if padding < 0 else padding + 4 - padding % 4
            try:
                out.append(binascii.a2b_base64(data[at:stop], strict_mode=True))
            except binascii.Error as error:
                raise NotText(str(error)) from error
            at = stop
        return b"".join(out)


def refusal(exchange: Exchange, answer: Reply, kind: bytes) -> tuple[bytes, bytes]:
    """Of an answer of our own to such a call: further fields of its head, which is 200, and its body.

    kind: of the request.
    """
    fields = remove(answer.fields, _OF_A_BODY)
    own = find(fields, b"grpc-status")
    if own is not None:
        exchange.grpc_code = read_code(own)
        said = b"".join(b"%b: %b\r\n" % pair for pair in pairs(fields) if pair[0] in STATUS_FIELDS)
        fields = remove(fields, STATUS_FIELDS)
    else:
        words = answer.detail or answer.reason.replace("_", " ")
        code = exchange.grpc_code = code_of(answer.status)
        said = b"grpc-status: %d\r\ngrpc-message: %b\r\n" % (code, message_field(words))
    answered = answer_type(CONTENT_TYPE, kind, exchange.head.block)
    body = trailers_frame(said)
    return b"Content-Type: %b\r\n%b" % (answered, fields), as_text(body) if is_text(answered) else body
