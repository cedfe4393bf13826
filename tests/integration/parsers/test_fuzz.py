"""Every parser of ours that reads what others wrote, on damaged input; `make fuzz` gives each ten minutes.

Not here: TLS and X.509 below `meshway/certificates.py`, which are OpenSSL's.
"""

import base64
import binascii
import hashlib
import ipaddress
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import pytest

from gateway.access.readings import MOST_READ, readings
from gateway.authentication.message_signature import Unsigned, digest_holds, read_signed
from gateway.exchange import EDGE, Exchange
from gateway.plan import STRICT, Slashes
from gateway.relay.forwarding import Forwarding
from gateway.relay.trace import begin_trace
from gateway.routing.path import PathError, canonical
from meshway.certificates import CertificateFault, read_bundle, read_pair
from meshway.formats.conversion import convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents
from meshway.http1.b3 import b3_trace
from meshway.http1.cookies import cookie_value, cookie_values
from meshway.http1.fields import pairs
from meshway.http1.framing import ChunkedReader
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.http1.query import first_value, first_values
from meshway.identity import IdentityFault, parse_spiffe_id
from meshway.jwt import TokenFault, TokenRules, issuer_of, verify
from meshway.jwt_keys import KeyFault, KeySet, read_keys
from meshway.log_lines import LogLine
from meshway.model.decode import decode_document
from meshway.model.header_values import parse_value
from meshway.model.instance import Instance
from meshway.model.path_rewrite import parse_rewrite, parse_substitution
from meshway.model.path_template import parse_template
from meshway.model.regex import compile_regex
from meshway.otlp.log_reading import LogsFault, read_json, read_protobuf
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs
from meshway.problem import Problem
from meshway.snapshot import Change, Delta, FrameError, FrameReader, Hello, Snapshot, Tick, encode_frame
from meshway.units import parse_duration, parse_rate, parse_size
from registry.dns.message import NOERROR, PLAIN_LIMIT, answer, read_query, record, record_set, refuse
from registry.logs.lines import MOST_VALUE, judge
from registry.logs.words import words_of
from tests.parts.authority import Authority
from tests.parts.dns_queries import question
from tests.parts.fuzzing import fuzz
from tests.parts.jwt_attacks import Issuer
from tests.parts.processes import ROOT
from tests.parts.raw_reader import in_pieces, read_answer, read_requests
from tests.parts.tokens import AUDIENCE, ISSUER

pytestmark = pytest.mark.fuzz
Target = tuple[list[bytes], Callable[[bytes], object]]

REQUESTS: Final = [
    b"GET /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nCookie: s=1\r\nConnection: keep-alive, x-a\r\nX-A: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    b"GET http://a.example/ HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nTE: trailers\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\ntraceparent: 00-%b-%b-01\r\n\r\n"
    % (b"a" * 32, b"b" * 16),
]  # fmt: skip
ANSWERS: Final = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: timeout=5\r\n\r\nabc",
    b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"HTTP/1.0 304 Not Modified\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nxyz",
]
PATHS: Final = [
    b"/a/b;v=1/../c",
    b"/caf%C3%A9/%2e%2e/x",
    b"//a%2Fb/%5c..",
    b"http://a.example/x?y",
    b"*",
    b"/a.%20/b%3Bc",
    b"/%252e",
]


_ID: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


def heads() -> Target:
    def parse(data: bytes) -> None:
        whole = read_requests([data])
        split = read_requests(in_pieces(data, range(0, len(data), 7)))
        assert (whole.status is None) == (split.status is None), "of two faults either may be told"
        assert [one.head.block for one in whole.requests] == [one.head.block for one in split.requests]
        assert [one.body for one in whole.requests] == [one.body for one in split.requests]
        for one in whole.requests:
            assert b"\n" not in one.head.block.replace(b"\r\n", b"")
            names = {name for name, _ in pairs(one.head.block)}
            assert not names & {b"content-length", b"transfer-encoding", b"host", b"connection"}

    return REQUESTS, parse


def answers() -> Target:
    def parse(data: bytes) -> None:
        whole, split = read_answer([data]), read_answer(in_pieces(data, range(0, len(data), 5)))
        assert (whole.error is None, whole.is_whole) == (split.error is None, split.is_whole)
        if whole.error is None:
            assert (whole.head is None, whole.body) == (split.head is None, split.body)

    return ANSWERS, parse


def chunks() -> Target:
    def read(pieces: list[bytes]) -> tuple[bytes, bool, bool]:
        reader, body = ChunkedReader(), b""
        try:
            for piece in pieces:
                if reader.ended:
                    break
                body += reader.feed(piece)
        except HeadError:
            return b"", False, True
        return body, reader.ended, False

    def parse(data: bytes) -> None:
        whole, split = read([data]), read(in_pieces(data, range(0, len(data), 3)))
        assert whole == split

    return [
        b"3\r\nabc\r\n0\r\n\r\n",
        b'a;x="y"\r\n0123456789\r\n0\r\nX: 1\r\nY: 2\r\n\r\n',
        b"00000003\r\nabc\r\n0\r\n\r\n",
    ], parse


def paths() -> Target:
    def parse(data: bytes) -> None:
        for keeps in (STRICT, Slashes(True), Slashes(False, True), Slashes(True, True)):
            with suppress(PathError):
                path, _ = canonical(data, keeps)
                assert canonical(path, keeps)[0] == path, "idempotent"
                assert b"/../" not in path + b"/"
                assert not set(path) - set(range(0x21, 0x7F))

    return PATHS, parse


def path_readings() -> Target:
    def parse(data: bytes) -> None:
        with suppress(PathError):
            path, _ = canonical(data)
            if len(path) <= MOST_READ:
                found = readings(path)
                assert found[0] == path
                assert len(found) < 2_000

    return [*PATHS, b"/%EF%BD%81dmin%2525%25", b"/%C4%B0;x/%E2%84%AA."], parse


def forwarded() -> Target:
    networks = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::/0"))

    def parse(data: bytes) -> None:
        text = b"GET / HTTP/1.1\r\nHost: a\r\n" + data.replace(b"\n", b"\r\n") + b"\r\n\r\n"
        try:
            head = RequestReader(HeadLimits()).read(text)
        except HeadError:
            return
        if head is None:
            return
        for peer in ("10.1.2.3", "203.0.113.9", "::1"):
            client, lines = Forwarding(peer, b"http", 80, b"meshway-x", networks).fields(head)
            ipaddress.ip_address(client)
            assert lines.endswith(b"\r\n")
            assert b"\r\n\r\n" not in lines
            assert b"\n" not in lines.replace(b"\r\n", b"")

    return [
        b"X-Forwarded-For: 1.2.3.4, 10.0.0.1, [::1]:80\nX-Forwarded-Proto: https",
        b'Forwarded: for="[2001:db8::1]:80";proto=http;by=_x, for=unknown\nVia: 1.1 a',
        b"X-Forwarded-Host: a.example\nX-Forwarded-For: fe80::1%eth0\nX-Real-IP: 1.1.1.1",
    ], parse


def traces() -> Target:
    def parse(data: bytes) -> None:
        head = RequestReader(HeadLimits()).read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head is not None
        head.traceparent, _, head.request_id = data.partition(b"|")
        exchange = Exchange(head, EDGE, "127.0.0.1", 0.0)
        begin_trace(exchange)
        version, trace, parent, flags = exchange.traceparent.split(b"-")
        assert (version, len(trace), len(parent), len(flags)) == (b"00", 32, 16, 2)
        int(trace + parent + flags, 16)
        assert 8 <= len(exchange.request_id) <= 128
        assert not exchange.request_id.translate(None, _ID)

    good = b"00-" + b"0af7651916cd43dd8448eb211c80319c" + b"-b7ad6b7169203331-01"
    return [good + b"|request-1", b"cc" + good[2:] + b"-what|" + b"a" * 128, b"|0123456789abcdef"], parse


def dns() -> Target:
    found = record_set((record(b"\xc0\x0c", 1, 5, bytes((10, 0, 0, at))), b"") for at in range(3))

    def parse(data: bytes) -> None:
        query = read_query(data)
        if query is not None:
            reply = (
                answer(query, found, range(3), PLAIN_LIMIT) if query.rcode == NOERROR else refuse(query, query.rcode)
            )
            assert len(reply) <= PLAIN_LIMIT

    return [
        question("_http._tcp.reviews.default.mesh", "SRV", payload=1232),
        question("a.mesh"),
        question("mesh", "SOA"),
    ], parse


def frames() -> Target:
    value = json.dumps({"port": 9080}).encode()
    change = Change("put", "Instance", "shop", "cart/a", msgspec.Raw(msgspec.msgpack.encode({"a": value})))
    good = [encode_frame(frame) for frame in (Hello("e1", 7), Snapshot(7, [change]), Delta(8, [change]), Tick(8, 2))]

    def parse(data: bytes) -> None:
        with suppress(FrameError):
            list(FrameReader().feed(data))

    return [*good, b"".join(good)], parse


def texts() -> Target:
    """What people write into documents, each as its own little language."""
    readers: list[Callable[[str], object]] = [
        parse_template, parse_rewrite, parse_substitution, parse_value, parse_spiffe_id, parse_duration, parse_size,
        parse_rate,
    ]  # fmt: skip

    def parse(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for read in readers:
            with suppress(ValueError, IdentityFault):
                read(text)

    return [
        b"/reviews/{id}/{rest=**}", rb"/\1/\\2", b"${request_id}-${path.id}", b"1h2m3s4ms", b"64KiB", b"100/s",
        b"spiffe://mesh.internal/ns/shop/svc/cart/instance/a", b"spiffe://mesh.internal/meshway/gateway/gw-1",
    ], parse  # fmt: skip


def expressions() -> Target:
    """RE2 keeps its promise: linear, whatever is written."""

    def parse(data: bytes) -> None:
        with suppress(ValueError):
            compile_regex(data[:300].decode("utf-8", "replace")).search(b"a" * 2_000 + b"!")

    return [rb"^/a/(?P<id>[0-9]+)/.*$", rb"(a+)+$", rb"(?i)x|y{1,30}", rb"(\w*)*\.(com|net)"], parse


def documents() -> Target:
    """YAML, and what it says: our own kinds and those of Istio, Gateway API and Kubernetes."""
    good = [path.read_bytes()[:4_000] for path in sorted((ROOT / "examples").rglob("*.yaml"))]
    good.append(
        b"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [a]\n  http:\n"
        b"  - match: [{uri: {prefix: /a}}]\n    timeout: 5s\n"
        b"    route: [{destination: {host: b, subset: v1}, weight: 10}]\n"
    )
    good.append(b"kind: Route\nmetadata: &a {name: a}\nspec: {rules: [{destinations: [{service: *a}]}]}\n---\n- 1\n")

    def parse(data: bytes) -> None:
        try:
            written = read_documents(data.decode("utf-8", "replace"))
            for document in written:
                with suppress(Problem):
                    decode_document(document.raw)
            convert(written, "default", Options())
        except Problem:
            return

    return good, parse


def tokens() -> Target:
    issuer = Issuer()
    keys, rules = KeySet(read_keys(issuer.jwks)), TokenRules(ISSUER, frozenset({AUDIENCE}))
    good = {text.encode() for text in issuer.good()}

    def parse(data: bytes) -> None:
        issuer_of(data)
        try:
            verify(data, rules, keys, time.time())
        except TokenFault:
            return
        assert data in good, "another token than those that were issued"

    return sorted(good), parse


def key_sets() -> Target:
    def parse(data: bytes) -> None:
        try:
            read: Any = json.loads(data)
        except (ValueError, RecursionError):
            return
        with suppress(KeyFault):
            read_keys(read)

    return [json.dumps(Issuer().jwks).encode(), b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}'], parse


def certificates() -> Target:
    authority = Authority()
    issued = authority.issue("shop.example")

    def parse(data: bytes) -> None:
        for read in (
            lambda: read_pair(data, issued.key),
            lambda: read_pair(issued.certificate, data),
            lambda: read_bundle(data),
        ):
            with suppress(CertificateFault):
                read()

    return [issued.certificate, issued.key, authority.pem], parse


def signatures() -> Target:
    """Of requests (RFC 9421), with their digests; the body is what follows the head."""
    digest = base64.b64encode(hashlib.sha256(b"hello").digest())

    def parse(data: bytes) -> None:
        fields, _, body = data.partition(b"|")
        try:
            head = RequestReader(HeadLimits()).read(b"POST /a?b=1 HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % fields)
        except HeadError:
            return
        if head is None:
            return
        exchange = Exchange(head, EDGE, "127.0.0.1", 0.0)
        assert not digest_holds(exchange, body) or hashlib.sha256(body).digest() in _digests(fields)
        with suppress(Unsigned):
            signed = read_signed(exchange, (b"@method",))
            assert signed is None or (b'"@method": POST\n' in signed.base and signed.signature)

    return [
        b'Signature-Input: s=("@method" "@path" "content-digest");created=1;keyid="k";alg="ed25519"\r\n'
        b"Signature: s=:AAAA:\r\nContent-Digest: sha-256=:%b:|hello" % digest,
        b'signature-input: s=("@method" "@authority" "x-a");nonce="n"\r\nsignature: s=:AA==:\r\nX-A: 1|',
    ], parse


def _digests(fields: bytes) -> set[bytes]:
    found = set()
    for text in re.findall(rb"[A-Za-z0-9+/]{43,}", fields):
        for end in range(43, len(text) + 1):
            with suppress(binascii.Error):
                found.add(base64.b64decode(text[:end] + b"=" * (-end % 4)))
    return found


def requested() -> Target:
    """What is read of a request beside its path and its framing: query, cookies, traces of Zipkin's tracers."""

    def parse(data: bytes) -> None:
        values = first_values(b"?" + data)
        assert all(first_value(b"?" + data, name) == value for name, value in list(values.items())[:50])
        block = b"Cookie: %b\r\n" % data.translate(None, b"\r\n")
        cookies = cookie_values(block)
        assert all(cookie_value(block, name) == value for name, value in list(cookies.items())[:50])
        one, _, several = data.partition(b"|")
        trace_id, _, span_id = several.partition(b"-")
        for named in ({b"b3": one}, {b"x-b3-traceid": trace_id, b"x-b3-spanid": span_id, b"x-b3-sampled": one}):
            trace = b3_trace(named)
            assert trace is None or (len(trace.trace_id), len(trace.span_id)) == (32, 16)
            assert trace is None or int(trace.trace_id, 16) * int(trace.span_id, 16)

    return [
        b"a=1&b=%20&c&a=2&=x&%61=+",
        b"session=1; theme=dark;a = b; session=2",
        b"80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90|0af7651916cd43dd-b7ad6b7169203331",
        b"0|",
    ], parse


def instances() -> Target:
    decoder = msgspec.json.Decoder(Instance)

    def parse(data: bytes) -> None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            decoder.decode(data)

    return [
        b'{"namespace":"a","service":"b","id":"c","address":"::1","port":80,"weight":3,"tags":["x"],"metadata":{}}'
    ], parse


def logs() -> Target:
    record = LogRecord(5, {"a": [1, -2.5, None, True]}, 9, "INFO", {"b": "c", "d": 7}, "ab" * 16, "cd" * 8, 6)
    resource = LogsOfResource({"service.name": "books", "x": {"y": "z"}}, [LogsOfScope("s", [record, record])])

    def parse(data: bytes) -> None:
        for read in (read_protobuf, read_json):
            with suppress(LogsFault):
                resources = read(data)
                found = judge(resources, None, lambda namespace, service: True, 1)
                for row in found.rows:
                    msgspec.json.decode(row.value, type=LogLine)
                    assert len(row.value) <= MOST_VALUE
                    assert words_of(row.words) == row.words.split()
                assert read_protobuf(export_logs(resources)) is not None

    return [
        export_logs([resource]),
        b'{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"books"}}]},'
        b'"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"5","severityNumber":9,"traceId":"'
        + b"ab"
        * 16
        + b'","body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"},'
        b'{"doubleValue":2.5},{"boolValue":true},{"bytesValue":"AA=="}]}}}]}},"attributes":[]}]}]}]}',
    ], parse


TARGETS: Final = (
    heads, answers, chunks, paths, path_readings, forwarded, traces, dns, frames, texts, expressions, documents, tokens,
    key_sets, certificates, signatures, requested, instances, logs,
)  # fmt: skip


@pytest.mark.parametrize("make", TARGETS, ids=lambda make: make.__name__)
def test_damaged_input_is_read_or_refused(make: Callable[[], Target]) -> None:
    good, parse = make()
    for data in good:
        parse(data)
    assert fuzz(make.__name__, good, parse) > 20
