"""What AccessLogs and Telemetries say of telling calls, at real sockets."""

import asyncio
import json
import socketserver
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.channel import Told, encode
from gateway.exchange import EDGE, MESH
from gateway.telemetry.counters import CALL, read_counters
from gateway.telemetry.tap import Tap
from meshway.call_lines import MOST_TAPPED, MOST_TEXT, TapQuestion
from meshway.otlp.log_reading import read_protobuf
from meshway.snapshot import MAX_FRAME, SecretContents, SecretFrame
from meshway.spans import Span
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, token
from tests.parts.upstream import Received, RecordingUpstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"traceparent: 00-{TRACE}-{PARENT}-01\r\n"


def answering(received: Received) -> list[bytes]:
    status = b"503 Broken" if received.target == b"/broken" else b"200 OK"
    return [b"HTTP/1.1 %b\r\nX-Version: v7\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nhi" % status]


@asynccontextmanager
async def shop(folder: Path, *documents: Any, face: int = EDGE) -> AsyncIterator[CompiledGateway]:
    """A service behind a route of two rules, `beta` for paths below /beta and `rest`."""
    upstream = RecordingUpstream(pieces_of=answering)
    rules = [to("books", {"prefix": "/beta"}, name="beta"), to("books", name="rest")]
    route = document("Route", "r", edge_route(*rules))
    async with (
        upstream.running(),
        compiled_gateway(
            running("books", "1", port=upstream.port), route, *documents, log_folder=folder, face=face
        ) as gateway,
    ):
        yield gateway


def log(spec: dict[str, Any], name: str = "log", namespace: str = "default") -> Any:
    return document("AccessLog", name, spec, namespace)


def lines(folder: Path, file: str = "access.jsonl") -> list[dict[str, Any]]:
    path = folder / file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def logged(folder: Path, spec: dict[str, Any], *asked: tuple[str, str]) -> list[dict[str, Any]]:
    """asked: target and header fields of calls."""
    async with shop(folder, log(spec)) as gateway:
        for target, fields in asked:
            await gateway.ask(target, fields=fields)
        await until(lambda: len(gateway.lines) == len(asked))
        gateway.told()
    return lines(folder)


@pytest.mark.proves("AccessLog.rules", "LogRule.match", "LogRule.percent")
@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"status": ["500-599"]}, ("/broken", ""), ("/", "")),
        ({"status": [200]}, ("/", ""), ("/broken", "")),
        ({"path": {"prefix": "/a"}}, ("/a/b", ""), ("/b", "")),
        ({"headers": {"x-team": "web"}}, ("/", "X-Team: web\r\n"), ("/", "")),
        ({"query": {"q": "1"}}, ("/?q=1", ""), ("/?q=2", "")),
        ({"cookies": {"kind": "a"}}, ("/", "Cookie: kind=a\r\n"), ("/", "Cookie: kind=b\r\n")),
    ],
)
async def test_the_first_rule_that_matches_says_which_calls_have_a_line(
    tmp_path: Path, match: dict[str, Any], yes: tuple[str, str], no: tuple[str, str]
) -> None:
    spec = {"rules": [{"match": match, "percent": 0}, {"match": match, "percent": 100}]}
    found = await logged(tmp_path, spec, yes, no, no)
    assert len(found) == 2


@pytest.mark.proves(
    "LogMatch.status",
    "LogMatch.path",
    "LogMatch.headers",
    "LogMatch.query",
    "LogMatch.cookies",
    "LogMatch.methods",
    "LogMatch.source",
    "LogMatch.scheme",
    "LogMatch.slower_than",
)
@pytest.mark.parametrize(
    ("match", "other"),
    [
        ({"status": [200]}, {"status": [404]}),
        ({"path": {"exact": "/"}}, {"path": {"exact": "/a"}}),
        ({"headers": {"x-a": {"present": False}}}, {"headers": {"x-a": {"present": True}}}),
        ({"query": {"a": {"present": False}}}, {"query": {"a": {"present": True}}}),
        ({"cookies": {"a": {"present": False}}}, {"cookies": {"a": {"present": True}}}),
        ({"methods": ["GET"]}, {"methods": ["POST"]}),
        ({"source": {"cidr": ["127.0.0.0/8"]}}, {"source": {"cidr": ["10.0.0.0/8"]}}),
        ({"scheme": "http"}, {"scheme": "https"}),
        ({"slower_than": "0s"}, {"slower_than": "1h"}),
    ],
)
async def test_a_match_asks_for_each_of_its_fields(
    tmp_path: Path, match: dict[str, Any], other: dict[str, Any]
) -> None:
    async with shop(tmp_path, log({"rules": [{"match": match, "percent": 0}]})) as gateway:
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 1)
        gateway.apply(log({"rules": [{"match": other, "percent": 0}]}))
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 2)
        gateway.told()
    assert len(lines(tmp_path)) == 1


@pytest.mark.proves("LogMatch.flags")
@pytest.mark.parametrize(("flags", "kept"), [("any", 0), (["RL"], 0), (["UH", "UF"], 1)])
async def test_a_match_asks_for_the_flags_of_a_refused_call(tmp_path: Path, flags: Any, kept: int) -> None:
    limit = document("RateLimit", "none", {"targets": [{"namespace": "default"}], "token_bucket": {"rate": "1/h"}})
    spec = {"rules": [{"match": {"flags": flags}, "percent": 0}]}
    async with shop(tmp_path, log(spec), limit) as gateway:
        await gateway.ask("/")
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 2)
        gateway.told()
    assert len(lines(tmp_path)) == 1 + kept


@pytest.mark.proves("AccessLog.targets")
@pytest.mark.parametrize(
    ("target", "files"),
    [
        ({"route": "r", "rule": "beta"}, ["/beta"]),
        ({"route": "r"}, ["/beta", "/rest"]),
        ({"service": "books"}, ["/beta", "/rest"]),
        ({"namespace": "default"}, ["/beta", "/rest", "/none"]),
    ],
)
async def test_the_narrowest_document_holds_whole(tmp_path: Path, target: dict[str, Any], files: list[str]) -> None:
    wide = log({"sinks": [{"file": "wide.jsonl"}]}, "wide", "mesh")
    narrow = log({"sinks": [{"file": "narrow.jsonl"}], "targets": [target]})
    async with shop(tmp_path, wide, narrow) as gateway:
        for path in ("/beta", "/rest"):
            await gateway.ask(path)
        await gateway.ask("/none", host="nobody.example")
        await until(lambda: len(gateway.lines) == 3)
        gateway.told()
    assert [line["path"] for line in lines(tmp_path, "narrow.jsonl")] == [path for path in files if path != "/none"]
    assert lines(tmp_path, "access.jsonl") == []
    assert lines(tmp_path, "wide.jsonl")[-1]["path"] == "/none"


@pytest.mark.proves("AccessLog.add", "AccessLog.drop", "AccessLog.mask", "AccessLog.query", "AccessLog.address")
async def test_a_line_tells_what_the_document_wants_and_no_secret(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnop"
    spec = {
        "add": {
            "team": "header.x-team",
            "version": "response_header.x-version",
            "q": "query.q",
            "site": "north",
            "shown": "header.x-shown",
            "missing": "header.x-none",
        },
        "drop": ["authority", "protocol"],
        "mask": ["[0-9]{4}"],
        "query": "full",
        "address": "prefix",
    }
    fields = f"X-Team: web 1234\r\nX-Shown: {token}\r\n"
    [line] = await logged(tmp_path, spec, (f"/a?q=hi&token=s3cret&x={token}", fields))
    assert (line["team"], line["version"], line["q"], line["site"]) == ("web ***", "v7", "hi", "north")
    assert line["path"] == "/a?q=hi&token=&x="
    assert line["peer"] == "127.0.0.0/24"
    assert line["shown"] == "***"
    assert not {"authority", "protocol", "missing"} & line.keys()
    assert token not in (tmp_path / "access.jsonl").read_text()


@pytest.mark.parametrize(("query", "path"), [("drop", "/a"), ("names", "/a?q&token"), ("full", "/a?q=1&token=")])
async def test_as_much_of_the_query_as_is_wanted(tmp_path: Path, query: str, path: str) -> None:
    [line] = await logged(tmp_path, {"query": query, "address": "drop"}, ("/a?q=1&token=2", ""))
    assert (line["path"], line["peer"]) == (path, "")


async def test_a_claim_of_a_proved_caller_is_told_and_his_credential_is_not(tmp_path: Path) -> None:
    key = SigningKey()
    jwks = {"keys": [key.jwk()]}
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": jwks, "from": [{"header": "X-Ticket"}]}
    people = document("Authentication", "people", {"methods": [{"jwt": jwt}]})
    spec = {"add": {"who": "claim.sub", "ticket": "header.x-ticket"}}
    async with shop(tmp_path, people, log(spec)) as gateway:
        assert (await gateway.ask("/", fields=f"X-Ticket: {token(key)}\r\n"))[0] == 200
        await until(lambda: len(gateway.lines) == 1)
        gateway.told()
    [line] = lines(tmp_path)
    assert (line["who"], line["ticket"]) == ("ada", "***")


@pytest.mark.proves("AccessLog.format")
async def test_combined_is_what_other_servers_write(tmp_path: Path) -> None:
    async with shop(tmp_path, log({"format": "combined"})) as gateway:
        await gateway.ask("/a", fields='User-Agent: curl "8"\r\nReferer: http://a.example/?token=1\r\n')
        await until(lambda: len(gateway.lines) == 1)
        gateway.told()
    [line] = (tmp_path / "access.jsonl").read_text().splitlines()
    assert line.startswith("127.0.0.1 - - [")
    assert line.endswith('] "GET /a HTTP/1.1" 200 2 "http://a.example/?token=" "curl \\x228\\x22"')


@pytest.mark.proves("AccessLog.sinks", "LogSink.file", "LogSink.socket", "AccessLog.buffer")
async def test_lines_go_to_each_place_that_is_named(tmp_path: Path) -> None:
    heard: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.extend(self.rfile)

    server = socketserver.ThreadingUnixStreamServer(str(tmp_path / "s"), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        spec = {"sinks": [{"file": "own/a.jsonl"}, {"socket": str(tmp_path / "s")}], "buffer": "64KiB"}
        async with shop(tmp_path, log(spec, namespace="mesh")) as gateway:
            await gateway.ask("/a")
            await until(lambda: len(gateway.lines) == 1)
            gateway.told()
            assert gateway.log is not None
            assert [sink.most for sink in gateway.log.sinks.values()] == [64 << 10, 64 << 10]
        await until(lambda: heard)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [json.loads(line)["path"] for line in heard] == ["/a"]
    assert [line["path"] for line in lines(tmp_path, "own/a.jsonl")] == ["/a"]
    assert lines(tmp_path) == []


class Collector:
    """heard: lines that came, by their fields. heads: of the requests."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.heads.append(head)
        for logs in read_protobuf(await reader.readexactly(length)):
            assert logs.resource["service.name"] == "meshway-gateway"
            self.heard += [record for scope in logs.scopes for record in scope.records]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()


@pytest.mark.proves("AccessLog.sinks", "LogSink.otlp", "Otlp.headers")
async def test_lines_go_to_a_collector_as_records_with_what_it_wants_to_see(tmp_path: Path) -> None:
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/logs"
    spec = {"sinks": [{"otlp": {"endpoint": url, "headers": "collector"}}, {"file": "a.jsonl"}]}
    async with server, shop(tmp_path, log(spec, namespace="mesh")) as gateway:
        await gateway.ask("/early")
        await until(lambda: len(gateway.lines) == 1)
        assert gateway.log is not None
        await gateway.log.say_goodbye()
        assert collector.heard == []  # what it wants to see is not known yet
        data = {"X-Scope-OrgID": "edge", "Host": "elsewhere"}
        gateway.secrets.take(
            SecretFrame(
                namespace="mesh",
                name="collector",
                type="opaque",
                share_with=[],
                versions=[SecretContents(None, data, b"")],
            )
        )
        await gateway.ask("/broken", fields=SAMPLED)
        await until(lambda: len(gateway.lines) == 2)

        def has_come() -> bool:
            assert gateway.log is not None
            gateway.log.beat()
            return len(collector.heard) == 2

        await until(has_come, 20)
        gateway.told()
    early, broken = collector.heard
    assert early.body["path"] == "/early"
    assert (broken.body["path"], broken.severity_text, broken.body["status"]) == ("/broken", "ERROR", 503)
    assert len(broken.trace_id) == 32
    assert all(b"X-Scope-OrgID: edge\r\n" in head and b"elsewhere" not in head for head in collector.heads)
    assert [line["path"] for line in lines(tmp_path, "a.jsonl")] == ["/early", "/broken"]


def mesh(**telemetry: Any) -> Any:
    return document("MeshSettings", "mesh", {"telemetry": telemetry}, "mesh")


@pytest.mark.proves("MeshTelemetry.access_log")
async def test_no_call_has_a_line_where_the_mesh_wants_none(tmp_path: Path) -> None:
    async with shop(tmp_path, log({"keep": {"rest_percent": 100}}), mesh(access_log=False)) as gateway:
        await gateway.ask("/broken")
        await until(lambda: len(gateway.lines) == 1)
        assert gateway.telling is not None
        assert gateway.telling.lines == []
        gateway.apply(mesh(access_log=True))
        await gateway.ask("/broken")
        await until(lambda: len(gateway.lines) == 2)
        gateway.told()
        assert len(gateway.telling.lines) == 1
    assert [line["path"] for line in lines(tmp_path)] == ["/broken"]


@pytest.mark.proves("MeshTelemetry.traces")
async def test_no_call_has_spans_where_the_mesh_wants_none_and_its_trace_goes_on_unsampled(tmp_path: Path) -> None:
    everything = document("Telemetry", "t", {"traces": {"head_percent": 100, "trust_incoming": "all"}})
    async with shop(tmp_path, everything, mesh(traces=False)) as gateway:
        for target in ("/", "/broken"):
            await gateway.ask(target, fields=SAMPLED)
        await until(lambda: len(gateway.lines) == 2)
        assert gateway.telling is not None
        assert gateway.telling.spans == []
        gateway.apply(mesh(traces=True))
        await gateway.ask("/", fields=SAMPLED)
        await until(lambda: len(gateway.lines) == 3)
        assert [span.trace_id for span in gateway.telling.spans] == [TRACE, TRACE]


@pytest.mark.proves("MeshTelemetry.metrics")
async def test_no_call_is_counted_where_the_mesh_wants_none(tmp_path: Path) -> None:
    def calls(gateway: CompiledGateway) -> float:
        assert gateway.counters is not None
        assert gateway.finisher is not None
        gateway.finisher.flush()
        return sum(values[0] for (kind, _), values in read_counters(gateway.counters.path).items() if kind == CALL)

    async with shop(tmp_path, mesh(metrics=False)) as gateway:
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 1)
        assert calls(gateway) == 0
        gateway.apply(mesh(metrics=True))
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 2)
        assert calls(gateway) == 1


@pytest.mark.proves("MeshTelemetry.max_series")
async def test_above_so_many_series_calls_are_counted_under_other(tmp_path: Path) -> None:
    async with shop(tmp_path, mesh(max_series=100)) as gateway:
        assert gateway.counters is not None
        for number in range(120):
            gateway.counters.series(CALL, (("route", f"r{number}"),))
        own = {labels for kind, labels in read_counters(gateway.counters.path) if kind == CALL}
        assert (("route", "other"),) in own
        assert len(own) <= 101
        gateway.apply(mesh(max_series=200))
        gateway.counters.series(CALL, (("route", "later"),))
        assert (CALL, (("route", "later"),)) in read_counters(gateway.counters.path)


@pytest.mark.proves("AccessLog.keep", "LogKeep.errors", "LogKeep.slower_than", "LogKeep.rest_percent")
@pytest.mark.parametrize(
    ("keep", "target", "count"),
    [
        ({}, "/broken", 1),
        ({"errors": 0}, "/broken", 0),
        ({"slower_than": "0s", "rest_percent": 0}, "/", 1),
        ({"slower_than": "1h", "rest_percent": 0}, "/", 0),
        ({"slower_than": "1h", "rest_percent": 100}, "/", 1),
    ],
)
async def test_the_registry_gets_what_the_document_keeps(
    tmp_path: Path, keep: dict[str, Any], target: str, count: int
) -> None:
    async with shop(tmp_path, log({"keep": keep})) as gateway:
        await gateway.ask(target)
        await until(lambda: len(gateway.lines) == 1)
        assert gateway.telling is not None
        assert len(gateway.telling.lines) == count


async def traced(folder: Path, spec: dict[str, Any], target: str, fields: str = "", face: int = EDGE) -> list[Span]:
    async with shop(folder, document("Telemetry", "t", spec), face=face) as gateway:
        await gateway.ask(target, fields=fields, host="shop.example" if face == EDGE else "books.default.mesh")
        await until(lambda: len(gateway.lines) == 1)
        assert gateway.telling is not None
        return gateway.telling.spans


@pytest.mark.proves(
    "Telemetry.traces",
    "Traces.head_percent",
    "Traces.tail",
    "TraceTail.errors",
    "TraceTail.slower_than",
    "Traces.trust_incoming",
    "Traces.attributes",
)
@pytest.mark.parametrize(
    ("traces", "target", "fields", "face", "count"),
    [
        ({"head_percent": 100}, "/", "", EDGE, 2),
        ({"head_percent": 0}, "/", "", EDGE, 0),
        ({"head_percent": 0}, "/broken", "", EDGE, 2),
        ({"head_percent": 0, "tail": {"errors": False}}, "/broken", "", EDGE, 0),
        ({"head_percent": 0, "tail": {"slower_than": "0s"}}, "/", "", EDGE, 2),
        ({"head_percent": 0}, "/", SAMPLED, EDGE, 0),
        ({"head_percent": 0, "trust_incoming": "all"}, "/", SAMPLED, EDGE, 2),
        ({"head_percent": 0}, "/", SAMPLED, MESH, 2),
        ({"head_percent": 0, "trust_incoming": "none"}, "/", SAMPLED, MESH, 0),
        ({"head_percent": 100, "max_per_second": 0}, "/", "", EDGE, 0),
    ],
)
async def test_a_document_says_which_calls_are_traced(
    tmp_path: Path, traces: dict[str, Any], target: str, fields: str, face: int, count: int
) -> None:
    spans = await traced(tmp_path, {"traces": traces | {"attributes": {"site": "north"}}}, target, fields, face)
    assert [span.kind for span in spans] == ["server", "client"][:count]
    assert all(span.attributes["site"] == "north" for span in spans)


@pytest.mark.proves("Telemetry.targets")
async def test_a_trace_is_sampled_by_the_route_of_its_call(tmp_path: Path) -> None:
    beta = {"traces": {"head_percent": 100}, "targets": [{"route": "r", "rule": "beta"}]}
    assert len(await traced(tmp_path, beta, "/beta")) == 2
    none = {"traces": {"head_percent": 0}}
    async with shop(tmp_path, document("Telemetry", "t", none, "mesh"), document("Telemetry", "b", beta)) as gateway:
        await gateway.ask("/rest")
        await until(lambda: len(gateway.lines) == 1)
        assert gateway.telling is not None
        assert gateway.telling.spans == []


async def test_a_refusal_is_an_event_of_the_span(tmp_path: Path) -> None:
    limit = document("RateLimit", "one", {"targets": [{"service": "books"}], "token_bucket": {"rate": "1/h"}})
    everything = document("Telemetry", "t", {"traces": {"head_percent": 100}})
    async with shop(tmp_path, limit, everything) as gateway:
        await gateway.ask("/")
        await gateway.ask("/")
        await until(lambda: len(gateway.lines) == 2)
        assert gateway.telling is not None
        last = gateway.telling.spans[2]
        assert (last.kind, last.error, last.attributes["http.response.status_code"]) == ("server", False, 429)
        assert [event.attributes["policy"] for event in last.events] == ["RateLimit default/one"]


async def test_long_paths_of_many_calls_go_in_frames_that_can_be_sent(tmp_path: Path) -> None:
    count, path = 110, "/".ljust(15_000, "x")
    traces = document("Telemetry", "t", {"traces": {"head_percent": 100, "max_per_second": 10_000}})
    async with shop(tmp_path, traces, log({"keep": {"slower_than": "0s"}})) as gateway:
        for _ in range(count):
            await gateway.ask(path + "?token=s3cret")
        await until(lambda: len(gateway.lines) == count)
        assert gateway.lines[0]["path"] == path
        assert gateway.telling is not None
        frames = list(gateway.telling.take())
    assert [len(encode(Told(lines=lines, spans=spans))) < MAX_FRAME for lines, spans in frames] == [True] * len(frames)
    told = [json.loads(line) for lines, _ in frames for line in lines]
    assert len(told) > 100
    assert {call["path"] for call in told} == {path[:MOST_TEXT]}
    assert {span.attributes["url.path"] for _, spans in frames for span in spans if span.kind == "server"} == {
        path[:MOST_TEXT]
    }


async def test_who_listens_hears_of_what_he_may_see_however_much_others_are_called(tmp_path: Path) -> None:
    async with shop(tmp_path) as gateway:
        assert gateway.log is not None
        assert gateway.finisher is not None
        tap = Tap(gateway.log.writer, lambda _: None, lambda: 0.0)
        gateway.finisher.listen(tap)
        for namespaces in (None, frozenset({"default"}), frozenset({"bank"})):
            tap.answer(TapQuestion(id=repr(namespaces), namespaces=namespaces), 0.0)
        await gateway.ask("/".ljust(15_000, "x"))
        for _ in range(MOST_TAPPED):
            await gateway.ask("/", host="nobody.example")
        await until(lambda: len(gateway.lines) == MOST_TAPPED + 1)
        everything = tap.answer(TapQuestion(id="None"), 1.0)
        assert (everything.seen, everything.left_out) == (MOST_TAPPED + 1, 1)
        own = TapQuestion(id=repr(frozenset({"default"})), namespaces=frozenset({"default"}))
        told = tap.answer(own, 1.0)
        assert (told.seen, [len(line.path) for line in told.lines]) == (1, [MOST_TEXT])
        bank = TapQuestion(id=repr(frozenset({"bank"})), namespaces=frozenset({"bank"}))
        assert tap.answer(bank, 1.0).seen == 0
