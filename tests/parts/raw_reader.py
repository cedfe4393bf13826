"""Runs the pure HTTP/1.1 readers over a whole stream, cut into pieces as told, the way a connection would."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from meshway.http1.field_lines import FieldLines
from meshway.http1.framing import ChunkedReader, LengthReader
from meshway.http1.head import HeadError, HeadLimits, RequestReader, ResponseReader
from meshway.http1.message import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead


@dataclass(slots=True)
class ReadRequest:
    """A request that was whole. trailers: the block after a chunked body."""

    head: RequestHead
    body: bytes
    trailers: bytes


@dataclass(slots=True)
class ReadStream:
    """What came out: whole requests, and the error that ended the stream. is_partial: the stream ended inside one."""

    requests: list[ReadRequest] = field(default_factory=list)
    error: HeadError | None = None
    is_partial: bool = False

    @property
    def status(self) -> int | None:
        return self.error.status if self.error else None


@dataclass(slots=True)
class ReadAnswer:
    """interim: 1xx heads before the answer. head None: no whole head. is_whole: the body ended as it announced.

    rest: bytes after the answer.
    """

    interim: list[ResponseHead] = field(default_factory=list)
    head: ResponseHead | None = None
    body: bytes = b""
    trailers: bytes = b""
    error: HeadError | None = None
    is_whole: bool = False
    rest: bytes = b""


def in_pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data cut at these offsets."""
    places = sorted({at for at in cuts if 0 < at < len(data)})
    return [data[at:end] for at, end in zip([0, *places], [*places, len(data)], strict=True)]


def read_requests(
    pieces: Iterable[bytes], *, limits: HeadLimits | None = None, lines: FieldLines | None = None, strip: bool = True
) -> ReadStream:
    """Until an error, the end of the pieces, or a request after which the connection closes."""
    reader = RequestReader(limits or HeadLimits(), lines=lines, strip=strip)
    out = ReadStream()
    buffer = bytearray()
    head: RequestHead | None = None
    body: ChunkedReader | LengthReader = LengthReader(0)
    payload = b""
    try:
        for piece in pieces:
            buffer += piece
            while True:
                if head is None:
                    head = reader.read(buffer)
                    if head is None:
                        break
                    del buffer[: head.head_size]
                    body, payload = ChunkedReader() if head.body == CHUNKED else LengthReader(head.body), b""
                if not body.ended:
                    payload += body.feed(bytes(buffer))
                    buffer = bytearray(body.rest)
                    if not body.ended:
                        break
                out.requests.append(ReadRequest(head, payload, body.trailers))
                if not head.keep_alive:
                    return out
                head = None
    except HeadError as error:
        out.error = error
    out.is_partial = head is not None or bool(buffer)
    return out


def read_answer(pieces: Iterable[bytes], method: bytes = b"GET", *, closes: bool = False) -> ReadAnswer:
    """One answer, interim ones before it; closes: the connection ended after the pieces."""
    reader = ResponseReader(HeadLimits())
    out = ReadAnswer()
    buffer = bytearray()
    body: ChunkedReader | LengthReader | None = None
    try:
        for piece in pieces:
            buffer += piece
            while out.head is None:
                head = reader.read(buffer, 0, method)
                if head is None:
                    break
                del buffer[: head.head_size]
                if head.status < 200:
                    out.interim.append(head)
                else:
                    out.head = head
                    if head.body != UNTIL_CLOSE:
                        body = ChunkedReader() if head.body == CHUNKED else LengthReader(head.body)
            if out.head is not None and body is not None and not body.ended:
                out.body += body.feed(bytes(buffer))
                buffer = bytearray(body.rest)
            elif out.head is not None and body is None:
                out.body += buffer
                buffer.clear()
    except HeadError as error:
        out.error = error
        return out
    if out.head is not None:
        out.is_whole = closes if body is None else body.ended
        out.trailers = body.trailers if body is not None else b""
        out.rest = bytes(buffer)
    return out
