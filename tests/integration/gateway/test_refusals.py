"""Every answer of the gateway's own names the policy that says so, in its problem document and in the access log.

The reasons are gathered from the source, so whoever adds a refusal adds the call that meets it here.
"""

import ast
import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE, MESH
from gateway.plan import Parts
from gateway.wire.connection_limits import ConnectionLimits
from gateway.worker.unready import unready_tables
from meshway.http1.head import HeadLimits
from meshway.snapshot import Change
from tests.integration.gateway.test_authentication import people
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.processes import ROOT
from tests.parts.secrets import api_key, kept
from tests.parts.wire import Caller, Handler, ScriptedUpstream

KEY: Final = api_key("acme0001")
BOOKS: Final = "service default/books"
ROUTE: Final = "Route default/r"
POLICY: Final = "TrafficPolicy default/p"
EDGE_FACE: Final = "listener edge"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# What is no refusal: answers that a Route or a Listener itself is for, and what callers are told of a worker without
# tables, below.
ANSWERS: Final = frozenset({"redirect", "redirect_https", "respond", "cors_preflight", "not_ready"})
# What a call by HTTP/1.1 and without TLS cannot meet, and the test of a file beside this one that does.
ELSEWHERE: Final = {
    "bad_client_hello": "test_tls_routes::test_a_hello_that_is_none_or_does_not_come_ends_the_connection",
    "certificate_void": "test_mtls::test_a_revoked_certificate_is_refused_at_the_next_request_and_the_next_handshake",
    "not_implemented": "test_websocket_streams::test_a_handshake_on_a_stream_is_judged_as_any_other",
    "route_changed": "test_tcp_routes::test_a_newer_revision_ends_what_it_does_not_allow_and_nothing_else",
    "too_many_connections": "test_tcp_routes::test_a_route_bounds_its_connections",
    "too_many_sessions": "test_udp_routes::test_the_route_bounds_its_sessions_and_refusals_name_it",
    "upgrade_unsupported": "test_websocket_http2_services::test_a_service_that_does_not_take_it_is_not_asked",
    "upstream_unreachable": "test_udp_routes::test_what_must_be_encrypted_is_not_sent_as_it_is",
}


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SMTP ready\r\n\r\n")
    await reader.read()


async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


async def stopping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins an answer and says no more."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    await reader.read()


def get(target: str = "/", fields: str = "", host: str = "shop.example") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()


@dataclass
class Case:
    """before: calls that are made first, whose answers do not count. held: calls under way meanwhile. rule: beside its
    destination. cut: the answer has begun, so only the log can tell. no_instance: nobody is registered. rest: sent once
    the call is under way. face: the listener that is called."""

    reason: str
    policy: str
    request: bytes = field(default_factory=get)
    rule: dict[str, Any] = field(default_factory=dict)
    documents: tuple[Change, ...] = ()
    service: Handler | None = None
    before: int = 0
    held: int = 0
    limits: ConnectionLimits | None = None
    cut: bool = False
    no_instance: bool = False
    rest: bytes = b""
    face: int = EDGE


def limited(**fields: Any) -> Change:
    return document("RateLimit", "l", {"targets": [{"route": "r"}], "scope": "gateway"} | fields)


def policy(**blocks: Any) -> Change:
    return document("TrafficPolicy", "p", {"targets": [{"service": "books"}]} | blocks)


UPGRADE: Final = (
    "Connection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
POST: Final = b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 20\r\n\r\n"
CASES: Final = [
    Case("no_route", EDGE_FACE, get(host="other.example")),
    Case(
        "not_http",
        "Service default/books",
        documents=(document("Service", "books", {"ports": [{"name": "pg", "port": 5432, "protocol": "tcp"}]}),),
    ),
    Case("bad_request", EDGE_FACE, get("/%00")),
    Case("bad_request", EDGE_FACE, get(fields="a b: c\r\n")),
    Case("bad_request", EDGE_FACE, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    Case("http_version_not_supported", EDGE_FACE, b"GET / HTTP/3.9\r\nHost: a\r\n\r\n"),
    Case(
        "headers_too_large", EDGE_FACE, get(fields="a: " + "b" * 600 + "\r\n"), limits=ConnectionLimits(HeadLimits(500))
    ),
    Case("uri_too_long", EDGE_FACE, get("/" + "a" * 300), limits=ConnectionLimits(HeadLimits(target=200))),
    Case("method_not_allowed", EDGE_FACE, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    Case("loop_detected", EDGE_FACE, get(fields="Via: " + ", ".join(["1.1 meshway-test"] * 6) + "\r\n")),
    Case("overloaded", EDGE_FACE, service=silent, held=1, limits=ConnectionLimits(connections=1)),
    Case("egress_denied", "listener mesh", b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", face=MESH),
    Case("request_timeout", EDGE_FACE, b"GET / HT", limits=ConnectionLimits(head_s=0.05)),
    Case(
        "request_timeout", EDGE_FACE, POST, service=silent, limits=ConnectionLimits(body_rate=1000, body_grace_s=0.05)
    ),
    Case(
        "request_timeout",
        ROUTE,
        POST,
        rule={"request_body": {"min_rate": "1KiB"}},
        service=silent,
        limits=ConnectionLimits(body_grace_s=0.05),
    ),
    Case(
        "bad_request",
        EDGE_FACE,
        b"POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        rest=b"zz\r\n",
        service=silent,
    ),
    Case("request_timeout", POLICY, POST, service=silent, documents=(policy(timeouts={"idle": "50ms"}),)),
    Case("too_large", ROUTE, POST, rule={"request_body": {"max": "10"}}),
    Case(
        "rate_limited", "RateLimit default/l", documents=(limited(token_bucket={"rate": "1/h", "burst": 1}),), before=1
    ),
    Case("quota_exceeded", "RateLimit default/l", documents=(limited(quota={"limit": 1, "per": "month"}),), before=1),
    Case("fault_abort", ROUTE, rule={"fault": {"abort": {"status": 418}}}),
    Case(
        "denied",
        "AccessPolicy default/a",
        documents=(document("AccessPolicy", "a", {"rules": [{"name": "nobody", "action": "deny"}]}),),
    ),
    Case("unauthenticated", "Authentication default/people", documents=(people(),)),
    Case(
        "consumer_suspended",
        "Authentication default/partners",
        get(fields=f"X-API-Key: {KEY}\r\n"),
        documents=(
            document("Authentication", "partners", {"methods": [{"api_key": {}}]}),
            document("Consumer", "acme", {"credentials": [{"api_key": kept(KEY)}], "suspended": True}),
        ),
    ),
    Case(
        "cors_denied",
        ROUTE,
        b"OPTIONS / HTTP/1.1\r\nHost: shop.example\r\nOrigin: http://e\r\nAccess-Control-Request-Method: PUT\r\n\r\n",
        rule={"cors": {"allow_origins": ["http://a"]}},
    ),
    Case("no_endpoint", BOOKS, no_instance=True, documents=(document("Service", "books", {}),)),
    Case("connect_failed", BOOKS),
    Case("upstream_reset", BOOKS, service=resetting, request=POST + b"x" * 20),
    Case("upstream_protocol", BOOKS, service=babbling),
    Case("first_byte_timeout", POLICY, service=silent, documents=(policy(timeouts={"first_byte": "50ms"}),)),
    Case("first_byte_timeout", ROUTE, service=silent, rule={"timeouts": {"first_byte": "50ms"}}),
    Case("attempt_timeout", POLICY, service=silent, documents=(policy(timeouts={"attempt": "50ms"}),)),
    Case("idle_timeout", POLICY, service=stopping, documents=(policy(timeouts={"idle": "50ms"}),), cut=True),
    Case("deadline_exceeded", ROUTE, service=silent, rule={"timeouts": {"deadline": "50ms"}}),
    Case("deadline_exceeded", ROUTE, service=stopping, rule={"timeouts": {"deadline": "50ms"}}, cut=True),
    Case(
        "breaker_open",
        POLICY,
        service=failing,
        documents=(policy(breaker={"minimum_requests": 1, "failure_percent": 1}),),
        before=1,
    ),
    Case(
        "pending_full",
        POLICY,
        service=silent,
        documents=(policy(bulkhead={"max_requests": 1, "max_pending": 0}),),
        held=1,
    ),
    Case(
        "pending_timeout",
        POLICY,
        service=silent,
        documents=(policy(bulkhead={"max_requests": 1, "pending_timeout": "50ms"}),),
        held=1,
    ),
    Case(
        "overloaded",
        POLICY,
        service=silent,
        documents=(policy(adaptive_concurrency={"min_limit": 1, "max_limit": 1}),),
        held=1,
    ),
    Case("websocket_denied", ROUTE, get(fields=UPGRADE), rule={"websocket": {"allow": False}}),
    Case(
        "websocket_handshake",
        ROUTE,
        get(fields="Connection: upgrade\r\nUpgrade: websocket\r\n"),
        rule={"websocket": {}},
    ),
    Case("websocket_origin", ROUTE, get(fields=UPGRADE + "Origin: http://a.example\r\n"), rule={"websocket": {}}),
    Case(
        "websocket_subprotocol",
        ROUTE,
        get(fields=UPGRADE + "Sec-WebSocket-Protocol: b\r\n"),
        rule={"websocket": {"subprotocols": ["a"]}},
    ),
    Case(
        "only_if_cached",
        ROUTE,
        get(fields="Cache-Control: only-if-cached\r\n"),
        rule={"cache": {"client_control": True}},
    ),
]


@asynccontextmanager
async def gateway_of(case: Case) -> AsyncIterator[CompiledGateway]:
    async with AsyncExitStack() as stack:
        port = 1  # nobody listens there
        if case.service is not None:
            upstream = ScriptedUpstream(case.service)
            await stack.enter_async_context(upstream.running())
            port = upstream.port
        instances = () if case.no_instance else (running("books", "1", port=port),)
        route = document("Route", "r", edge_route(to("books") | case.rule))
        gateway = await stack.enter_async_context(
            compiled_gateway(*instances, *case.documents, route, face=case.face, limits=case.limits)
        )
        yield gateway


async def sent(gateway: CompiledGateway, request: bytes) -> Caller:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(request)
    return caller


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reason} by {case.policy}")
@pytest.mark.proves(
    "Rule.timeouts",
    "TrafficPolicy.timeouts",
    "Timeouts.deadline",
    "Timeouts.attempt",
    "Timeouts.first_byte",
    "Timeouts.idle",
    "Breaker.minimum_requests",
    "TrafficPolicy.targets",
)
async def test_a_refusal_names_its_policy_in_the_answer_and_in_the_log(case: Case) -> None:
    async with gateway_of(case) as gateway, AsyncExitStack() as stack:
        for _ in range(case.before):
            await gateway.ask()
        seen = len(gateway.lines)
        for _ in range(case.held):
            holding = await sent(gateway, get())
            stack.callback(holding.writer.close)
        if case.held:
            clusters = gateway.compiler.tables.clusters
            await until(lambda: any(each.in_flight for each in clusters["default/books"].endpoints))
        caller = await sent(gateway, case.request)
        stack.callback(caller.writer.close)
        if case.rest:
            endpoints = gateway.compiler.tables.clusters["default/books"].endpoints
            await until(lambda: any(each.in_flight for each in endpoints))
            caller.send(case.rest)
        if case.cut:
            await caller.rest()
        else:
            status, head, body = await caller.answer()
            assert re.search(rb"meshway-reason: (\w+)", head) is not None, head
            problem = json.loads(body)
            assert (problem["code"], problem.get("policy"), problem["status"]) == (case.reason, case.policy, status)
            assert problem["detail"]
        await until(lambda: len(gateway.lines) > seen)
        line = gateway.lines[-1]
        assert (line["reason"], line["policy"]) == (case.reason, case.policy)
        assert line["detail"]


async def test_a_policy_that_cannot_be_used_is_named() -> None:
    """At a first start: nobody knows what it kept away."""
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.5))
    broken = document("RateLimit", "l", {"token_bucket": {"rate": "often"}})
    compiler.snapshot(1, [running("books", "1"), broken, document("Route", "r", edge_route(to("books")))])
    async with compiled_gateway() as gateway:
        gateway.serve(compiler.tables)
        status, _, body = await gateway.ask()
        assert (status, json.loads(body)["policy"]) == (503, "RateLimit default/l")


async def test_a_gateway_that_knows_no_mesh_says_who_says_so() -> None:
    async with compiled_gateway() as gateway:
        gateway.serve(unready_tables(Parts(now=ManualClock(), random=lambda: 0.5)))
        status, _, body = await gateway.ask()
        assert (status, json.loads(body)["code"], json.loads(body)["policy"]) == (503, "not_ready", "built in")


def test_every_reason_in_the_source_is_met_here() -> None:
    tested = {case.reason for case in CASES} | ANSWERS | {"policy_unavailable"}
    assert set(_reasons()) == tested | ELSEWHERE.keys()
    assert not tested & ELSEWHERE.keys()
    for reason, place in ELSEWHERE.items():
        file, _, test = place.partition("::")
        assert _asserts(file, test, reason), f"{place} does not assert {reason}"


def test_a_test_that_only_speaks_of_a_reason_is_no_proof() -> None:
    assert not _asserts("test_tls_routes", "test_there_is_no_such_test", "bad_client_hello")
    assert not _asserts("test_tcp_routes", "test_a_route_bounds_its_connections", "bad_client_hello")


def _asserts(file: str, test: str, reason: str) -> bool:
    """Whether there is this test, and it holds an answer against this reason: in an assertion, or as a parameter."""
    tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text())
    for found in ast.walk(tree):
        if isinstance(found, ast.AsyncFunctionDef | ast.FunctionDef) and found.name == test:
            held = [node for node in ast.walk(found) if isinstance(node, ast.Assert)]
            return any(_has_text(node, reason) for node in [*held, *(found.decorator_list if held else ())])
    return False


def _has_text(tree: ast.AST, reason: str) -> bool:
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return any(reason in (text.decode() if isinstance(text, bytes) else str(text)) for text in texts)


def _reasons() -> Iterator[str]:
    """Of every Reply, Failure and HeadError that the source makes with a reason of its own."""
    places = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "meshway" / "http1").rglob("*.py")]
    for path in places:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in ("Reply", "Failure", "HeadError", "_refusal"):
                yield from _texts_of(path, node)


def _texts_of(path: Path, node: ast.Call) -> Iterator[str]:
    at = 0 if _name(node.func) == "_refusal" else 1
    if len(node.args) > at and isinstance(reason := node.args[at], ast.Constant) and isinstance(reason.value, str):
        if path.parts[-2:] == ("http1", "head.py") and reason.value == "upstream_protocol":
            return  # of an answer: it becomes the Failure of that name
        yield reason.value


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
