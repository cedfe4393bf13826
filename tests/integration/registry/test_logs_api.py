"""Logs of services over the registry's own surface: shipped as OpenTelemetry does, searched and followed."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from meshway.otlp.log_reading import read_protobuf
from meshway.otlp.log_records import LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of
from registry.machine.surface import _LIMITS
from tests.parts.authority import Authority
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import Answer, RawClient

PROTOBUF = "Content-Type: application/x-protobuf"
JSON = "Content-Type: application/json"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in."""
    async with running_registry(tmp_path, trusts_loopback=False) as running:
        yield running


def logs(*texts: str, service: str = "books", namespace: str = "shop", severity: int = 9) -> LogsOfResource:
    now_ns = time.time_ns()
    records = [LogRecord(now_ns + at * 1_000, text, severity, trace_id=TRACE) for at, text in enumerate(texts)]
    return LogsOfResource(resource_of(service, namespace, "b-1"), [LogsOfScope("app", records)])


async def ship(registry: RunningRegistry, *sent: LogsOfResource, lines: tuple[str, ...] = ()) -> Answer:
    return await registry.call("POST", "/v1/logs", export_logs(sent), PROTOBUF, *lines)


async def found(registry: RunningRegistry, query: str = "", *lines: str) -> list[str]:
    answer = await registry.call("GET", f"/v1/logs?{query}", None, *lines)
    assert answer.status == 200, answer.body
    return [item["text"] for item in answer.json["items"]]


async def test_what_is_shipped_is_found_as_soon_as_it_is_answered(registry: RunningRegistry) -> None:
    answer = await ship(registry, logs("opened", "shelf is full"), logs("card declined", service="pay", severity=17))
    assert (answer.status, answer.body) == (200, b"")  # the message without a field
    assert await found(registry, "service=shop/books") == ["shelf is full", "opened"]
    assert await found(registry, "service=books&namespace=shop&text=shel*+full") == ["shelf is full"]
    assert await found(registry, "severity=error") == ["card declined"]
    assert sorted(await found(registry, f"trace_id={TRACE}")) == ["card declined", "opened", "shelf is full"]
    assert await found(registry, f"at={time.time() - 60}&window_s=60") == []
    assert len(await found(registry, "window_s=60")) == 3
    item = (await registry.call("GET", "/v1/logs?service=pay")).json["items"][0]
    assert item.items() >= {"service": "shop/pay", "instance": "b-1", "severity": "error", "logger": "app"}.items()


async def test_json_and_gzip_are_taken_and_pages_go_on_at_their_cursor(registry: RunningRegistry) -> None:
    records = [{"timeUnixNano": str(5_000_000 + at * 1_000), "body": {"stringValue": f"n{at}"}} for at in range(5)]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    answer = await registry.call("POST", "/v1/logs", gzip.compress(body), JSON, "Content-Encoding: gzip")
    assert (answer.status, answer.json) == (200, {})
    first = (await registry.call("GET", "/v1/logs?limit=3")).json
    rest = (await registry.call("GET", f"/v1/logs?limit=3&cursor={first['next']}")).json
    assert [item["text"] for item in first["items"] + rest["items"]] == ["n4", "n3", "n2", "n1", "n0"]
    assert "next" not in rest


async def test_a_service_ships_its_own_lines_and_no_others(strict: RunningRegistry) -> None:
    service = await bearer(strict, "of-books", service="shop/books")
    viewer = await bearer(strict, "viewer", "viewer@shop")
    other = await bearer(strict, "other", "viewer@bank")
    answer = await ship(strict, logs("mine"), logs("a", "b", service="pay"), lines=(service,))
    told = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, told.rejected_log_records) == (200, 2)
    assert "shop/pay" in told.error_message
    admin = await bearer(strict, "admin", "admin")
    metrics = (await strict.call("GET", "/metrics", None, admin)).body.decode()
    assert "\nmeshway_logs_taken_total 1\n" in metrics
    assert "\nmeshway_logs_rejected_total 2\n" in metrics
    answer = await ship(strict, logs("theirs", service="pay"), lines=(service,))
    assert (answer.status, answer.headers["content-type"]) == (403, "application/x-protobuf")
    assert b"logs:write" in answer.body
    assert (await ship(strict, logs("x"), lines=(viewer,))).status == 403
    assert (await ship(strict, logs("x"))).status == 401
    assert await found(strict, "", viewer) == ["mine"]
    assert await found(strict, "", other) == []
    assert (await strict.call("GET", "/v1/logs", None, service)).status == 403


async def test_what_is_no_log_is_refused_in_the_form_it_came_in(
    registry: RunningRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await registry.call("POST", "/v1/logs", b"\x0a\x05abc", PROTOBUF)
    assert (answer.status, answer.body[:2]) == (400, b"\x08\x03")  # google.rpc.Status, INVALID_ARGUMENT
    answer = await registry.call("POST", "/v1/logs", b"{", JSON)
    assert (answer.status, answer.json["code"]) == (400, "malformed_logs")
    assert (await registry.call("POST", "/v1/logs", b"a", "Content-Type: text/plain")).status == 415
    assert (await registry.call("POST", "/v1/logs", b"a", PROTOBUF, "Content-Encoding: br")).status == 415
    too_large = b"x" * (_LIMITS["/v1/logs"] + 1)
    assert (await registry.call("POST", "/v1/logs", too_large, PROTOBUF)).status == 413
    assert "Traceback" not in caplog.text  # no fault of ours


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("severity=loud", "out_of_bounds"),
        ("text=%22open", "bad_search"),
        ("cursor=x", "bad_cursor"),
        ("cursor=9223372036854775808.1", "bad_cursor"),
        ("servce=books", "unknown_field"),
        ("service=shop/books&namespace=bank", "forbidden_combination"),
    ],
)
async def test_a_search_that_means_nothing_is_refused(registry: RunningRegistry, query: str, code: str) -> None:
    answer = await registry.call("GET", f"/v1/logs?{query}")
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, code)


async def test_lines_are_followed_as_they_come(registry: RunningRegistry) -> None:
    await ship(registry, logs("before"))
    async with RawClient(registry.port) as client:
        client.send("GET", "/v1/logs/follow?service=shop/books", None)
        assert (await client.head()).status == 200
        assert b'"items":[]' in await client.piece()  # from now on
        await ship(registry, logs("one"), logs("other", service="pay"))
        await ship(registry, logs("two"))
        texts: list[str] = []
        while len(texts) < 2:
            event = await client.piece()
            assert event.startswith(b"event: lines\n"), event
            texts += [item["text"] for item in json.loads(event.split(b"data: ")[1])["items"]]
        assert texts == ["one", "two"]


async def settings(registry: RunningRegistry, **spec: Any) -> None:
    answer = await registry.call("PUT", "/v1/namespaces/mesh/mesh-settings/mesh", {"spec": spec})
    assert answer.status in (200, 201), answer.body


@pytest.mark.proves("Retention.logs")
async def test_lines_are_forgotten_when_the_settings_say(tmp_path: Path) -> None:
    wall = [time.time()]
    async with running_registry(tmp_path) as registry:
        registry.core.watching.logs._wall = lambda: wall[0]
        await ship(registry, logs("a"))
        wall[0] += 600.0
        await registry.core.watching.logs.prune()
        assert await found(registry) == ["a"]
        await settings(registry, retention={"logs": "5m"})
        await registry.core.watching.logs.prune()
        assert await found(registry) == []


@pytest.mark.proves("Retention.logs_max")
async def test_the_oldest_lines_go_above_what_the_settings_allow(registry: RunningRegistry) -> None:
    async def fill() -> None:
        for at in range(9):
            assert (await ship(registry, logs(*(f"{at} " + "abcdefgh " * 100 for _ in range(1_000))))).status == 200

    await fill()
    await registry.core.watching.logs.prune()
    assert registry.core.watching.logs.dropped == 0
    await settings(registry, retention={"logs_max": "8MiB"})
    await fill()
    await registry.core.watching.logs.prune()
    assert registry.core.watching.logs.dropped > 0


class Collector:
    """heard: what came, read. heads: with what."""

    def __init__(self) -> None:
        self.heard: list[LogsOfResource] = []
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.heads.append(head)
        self.heard += read_protobuf(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()


@pytest.mark.proves("Retention.spans")
async def test_so_many_spans_are_kept_as_the_settings_say(registry: RunningRegistry) -> None:
    async def tell(first: int) -> None:
        spans = [
            {
                "trace_id": f"{at:032x}",
                "span_id": f"{at:016x}",
                "name": "a",
                "kind": "server",
                "began_s": 1,
                "ended_s": 2,
            }
            for at in range(first, first + 150)
        ]
        body = {"node": "gw-1", "boot": "b", "sequence": first, "spans": spans}
        assert (await registry.call("POST", "/v1/spans", body)).status == 204

    async def is_known(at: int) -> bool:
        return (await registry.call("GET", f"/v1/traces/{at:032x}")).status == 200

    await tell(1_000)
    assert await is_known(1_000)
    await settings(registry, retention={"spans": 100})
    await tell(2_000)
    assert [await is_known(at) for at in (1_000, 2_000, 2_049, 2_050, 2_149)] == [False, False, False, True, True]


@pytest.mark.proves("Otlp.ca")
async def test_a_collector_is_sent_lines_when_somebody_who_is_believed_vouches_for_it(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    authority = Authority("collectors")
    issued = authority.issue("127.0.0.1")
    (tmp_path / "pair.pem").write_bytes(issued.key + issued.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pair.pem")
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/logs"
    async with server:
        await settings(registry, telemetry={"forward_logs": {"endpoint": url}})
        await ship(registry, logs("kept waiting"))
        await registry.core.watching.logs.forwarding.flush()
        assert (registry.core.watching.logs.forwarding.sent, collector.heard) == (0, [])
        secret = {"type": "ca_bundle", "data": authority.pem.decode()}
        assert (await registry.call("PUT", "/v1/namespaces/mesh/secrets/ca", {"spec": secret})).status == 201
        await settings(registry, telemetry={"forward_logs": {"endpoint": url, "ca": "ca"}})
        await until(lambda: registry.core.watching.logs.forwarding.sent == 1)
    assert len(collector.heard) == 1


@pytest.mark.proves("MeshTelemetry.forward_logs", "Otlp.headers")
async def test_lines_are_sent_on_to_the_collector_that_the_settings_name(registry: RunningRegistry) -> None:
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/logs"
    async with server:
        await ship(registry, logs("before"))
        secret = {"type": "opaque", "data": {"X-Scope-OrgID": "shop-logs", "X-Other": "not asked for"}}
        path = "/v1/namespaces/mesh/secrets/collector"
        assert (await registry.call("PUT", path, {"spec": secret})).status == 201
        wanted = {"secret": "collector", "key": "X-Scope-OrgID"}
        await settings(registry, telemetry={"forward_logs": {"endpoint": url, "headers": wanted}})
        sent = logs("one", "two")
        await ship(registry, sent)
        await until(lambda: bool(collector.heard))
    assert collector.heard == [sent]
    assert b"X-Scope-OrgID: shop-logs" in collector.heads[0]
    assert b"X-Other" not in collector.heads[0]
    # It is the registry's: no gateway is told.
    registry.core.feed._secrets.refresh()
    assert ("mesh", "collector") not in registry.core.feed._secrets.frames


async def test_a_line_is_shown_as_it_was_kept(registry: RunningRegistry) -> None:
    record = LogRecord(
        time.time_ns(), {"code": 7}, 13, "WARN", {"order": "o-1", "took": 2.5}, TRACE, "00f067aa0ba902b7"
    )
    await ship(registry, LogsOfResource({"service.name": "books", "host.name": "h1"}, [LogsOfScope("", [record])]))
    (item,) = (await registry.call("GET", "/v1/logs")).json["items"]
    assert item.pop("time").endswith("Z")
    assert item == {
        "service": "default/books",
        "severity": "warn",
        "text": msgspec.json.encode({"code": 7}).decode(),
        "trace_id": TRACE,
        "span_id": "00f067aa0ba902b7",
        "attributes": {"order": "o-1", "took": 2.5},
        "resource": {"host.name": "h1"},
    }
