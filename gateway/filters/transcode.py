"""Calls of HTTP and JSON become calls of gRPC for the service, its answers JSON, as the rule's DescriptorSet says.

Calls of gRPC, and of gRPC-Web, pass as they are. Paths that no `google.api.http` rule has are refused. A single message
is answered as one body; a stream of them as lines, or as events; google.api.HttpBody as the bytes that it holds. A
status that is not OK becomes the HTTP status that google/rpc/code.proto names, with google.rpc.Status as its body.
"""

import struct
from typing import Final

from gateway.exchange import Exchange, Reply, WholeBody
from gateway.grpc.http_body import USUAL_TYPE
from gateway.grpc.http_paths import Binding
from gateway.grpc.status import http_status, read_code
from gateway.grpc.transcoding import BadAnswer, BadRequest, TooLong, TooMany, Transcoder
from gateway.plan import AnswerEncoding, Encode, RequestFilter
from gateway.verdict import AnswerTranslation
from meshway.grpc_message import CONTENT_TYPE, INTERNAL, PREFIX_SIZE, RESOURCE_EXHAUSTED, framed
from meshway.http1.fields import find, remove
from meshway.http1.message import CHUNKED, ResponseHead

NDJSON: Final = "ndjson"
_BINDING: Final = b":binding"  # in a head's `named`: by which rule; no caller sends such a name
_NOT_SENT_ON: Final = frozenset({b"content-type", b"accept", b"accept-encoding", b"content-encoding", b"range"})
_NOT_ANSWERED: Final = frozenset(
    {
        b"content-type", b"content-length", b"trailer", b"grpc-status", b"grpc-message", b"grpc-status-details-bin",
        b"grpc-encoding", b"grpc-accept-encoding",
    }
)  # fmt: skip
_JSON: Final = b"application/json"
_TYPES: Final = {"ndjson": b"application/x-ndjson", "sse": b"text/event-stream"}
_ENDS: Final = {"ndjson": (b"", b"\n"), "sse": (b"data: ", b"\n\n")}
_AS_IT_IS: Final = (b"", b"")


def is_transcoded(exchange: Exchange) -> bool:
    return not exchange.head.named.get(b"content-type", b"").lower().startswith(CONTENT_TYPE)


def compile_filter(transcoder: Transcoder, rule: str, max_message: int) -> RequestFilter:
    """rule: how messages speak of it. max_message: bytes of a body."""

    def judge(exchange: Exchange, body: bytes) -> Reply | bytes:
        found = _found(exchange)
        if isinstance(found, Reply):
            return found
        binding, values = found
        try:
            content_type = exchange.head.named.get(b"content-type", b"")
            message = transcoder.message(binding, values, exchange.query, body, content_type)
        except TooMany as error:
            return Reply(413, "too_large", "DPE", f"{rule}: {error}")
        except (BadRequest, UnicodeDecodeError) as error:
            return Reply(400, "bad_request", "DPE", f"{rule}: {error}")
        method = binding.method
        exchange.method, exchange.path = b"POST", f"/{method.service}/{method.name}".encode()
        exchange.query = b""
        exchange.block = remove(exchange.block, _NOT_SENT_ON) + b"Content-Type: %b\r\n" % CONTENT_TYPE
        sent = framed(message)
        head = exchange.head = exchange.head.copy()
        head.body, head.te_trailers, head.expect_continue = len(sent), True, False
        head.named = {**head.named, _BINDING: b"%d" % binding.number}
        return sent

    def _found(exchange: Exchange) -> "tuple[Binding, dict[tuple[str, ...], str]] | Reply":
        try:
            found = transcoder.paths.find(exchange.method, exchange.path)
        except UnicodeDecodeError:
            return Reply(400, "bad_request", "DPE", f"{rule}: a part of the path is not UTF-8")
        if found is not None:
            return found
        allowed = transcoder.paths.allowed(exchange.path)
        if allowed:
            fields = f"Allow: {', '.join(allowed)}\r\n".encode()
            return Reply(405, "method_not_allowed", "NR", f"{rule} has no such method for this path", fields=fields)
        return Reply(404, "no_route", "NR", f"{rule} transcodes no call with this path")

    wanted = WholeBody(max_message, judge)

    def transcode(exchange: Exchange) -> Reply | WholeBody | None:
        if not is_transcoded(exchange):
            return None
        found = _found(exchange)
        return found if isinstance(found, Reply) else wanted

    return transcode


def compile_encode(transcoder: Transcoder, streaming: str, max_message: int, others: Encode | None) -> Encode:
    def encode(exchange: Exchange, head: ResponseHead) -> AnswerEncoding | AnswerTranslation | None:
        index = exchange.head.named.get(_BINDING)
        if index is not None:
            is_grpc = (find(head.block, b"content-type") or b"").startswith(CONTENT_TYPE)
            binding = transcoder.paths.bindings[int(index)]
            return JsonAnswer(transcoder, binding, streaming, max_message, head) if is_grpc else None
        return None if others is None else others(exchange, head)

    return encode


class JsonAnswer(AnswerTranslation):
    """The head waits for the end of a single message, and for the first one of a stream. _kind: its content type, of
    bodies that are not JSON the first one's."""

    __slots__ = (
        "_binding", "_buffer", "_fault", "_is_octets", "_is_stream", "_kind", "_most", "_said", "_text", "_transcoder",
        "_way", "is_cut",
    )  # fmt: skip

    def __init__(
        self, transcoder: Transcoder, binding: Binding, streaming: str, max_message: int, head: ResponseHead
    ) -> None:
        self.head = None
        self.is_cut = False
        self._said = head
        self._transcoder, self._binding = transcoder, binding
        self._way, self._most = streaming, max_message
        self._is_stream = binding.method.is_server_streaming
        self._is_octets = transcoder.is_octets(binding.method, binding.rule.response_body)
        self._kind = USUAL_TYPE if self._is_octets else _TYPES[streaming] if self._is_stream else _JSON
        self._buffer = bytearray()
        self._text: bytes | None = None
        self._fault: tuple[int, str] | None = None

    def feed(self, data: bytes) -> bytes:
        if self._fault is not None:
            return b""
        self._buffer += data
        out = b""
        while self._fault is None and len(self._buffer) >= PREFIX_SIZE:
            compressed, size = struct.unpack_from("!BI", self._buffer)
            if compressed:
                self._fail(INTERNAL, "the service compressed a message though nobody asked for it")
            elif size > self._most:
                self._fail(RESOURCE_EXHAUSTED, f"a message of {size} bytes is above max_message")
            elif len(self._buffer) < PREFIX_SIZE + size:
                break
            else:
                message = bytes(self._buffer[PREFIX_SIZE : PREFIX_SIZE + size])
                del self._buffer[: PREFIX_SIZE + size]
                out += self._take(message)
        return out

    def _take(self, message: bytes) -> bytes:
        try:
            text = self._read(message)
        except TooLong as error:
            self._fail(RESOURCE_EXHAUSTED, str(error))
            return b""
        except BadAnswer as error:
            self._fail(INTERNAL, str(error))
            return b""
        if not self._is_stream:
            self._text = text
            return b""
        if self.head is None:
            self.head = self._made(200, self._kind, CHUNKED)
        before, behind = _AS_IT_IS if self._is_octets else _ENDS[self._way]
        return before + text + behind

    def _read(self, message: bytes) -> bytes:
        """Raises BadAnswer."""
        method, response_body = self._binding.method, self._binding.rule.response_body
        if not self._is_octets:
            return self._transcoder.text(method, response_body, message)
        kind, text = self._transcoder.octets(method, response_body, message)
        if self.head is None:
            self._kind = kind
        return text

    def _fail(self, code: int, words: str) -> None:
        self._fault = code, words
        self._buffer.clear()

    def end(self, trailers: bytes) -> bytes:
        said = trailers if find(trailers, b"grpc-status") is not None else self._said.block
        code = read_code(find(said, b"grpc-status"))
        if self._fault is not None:
            code, words = self._fault
            failure = self._transcoder.failure(code, words.encode(), None)
        elif code < 0 or self._buffer or (code == 0 and self._text is None and not self._is_stream):
            code = INTERNAL
            failure = self._transcoder.failure(code, b"the service's answer is not whole", None)
        elif code:
            message, details = find(said, b"grpc-message"), find(said, b"grpc-status-details-bin")
            failure = self._transcoder.failure(code, message, details)
        elif self.head is None:
            body = self._text or b""
            self.head = self._made(200, self._kind, len(body))
            return body
        else:
            return b""
        if self.head is None:
            self.head = self._made(http_status(code), _JSON, len(failure))
            return failure
        if self._is_octets:
            self.is_cut = True
            return b""
        return b'{"error":%b}\n' % failure if self._way == NDJSON else b"event: error\ndata: %b\n\n" % failure

    def _made(self, status: int, content_type: bytes, body: int) -> ResponseHead:
        head = self._said.copy()
        head.status, head.reason = status, b""
        head.block = remove(head.block, _NOT_ANSWERED) + b"Content-Type: %b\r\n" % content_type
        head.body, head.content_length = body, body if body >= 0 else None
        return head
