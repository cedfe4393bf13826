"""Single calls at a running mesh: what the registry keeps, traces, tap, and a collector that takes spans."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshway.tasks import spawn
from tests.parts.conditions import until
from tests.parts.plain_service import PlainService
from tests.parts.planes import Gateway, Registry

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
COLLECTED = "5bf92f3577b34da6a3ce929d0e0e4737"
PARENT = "00f067aa0ba902b7"


@pytest.fixture
async def books() -> AsyncIterator[PlainService]:
    async with PlainService("books") as service:
        yield service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("telling")


@pytest.fixture(scope="module")
def registry(folder: Path) -> Iterator[Registry]:
    registry = Registry(folder)
    yield registry
    registry.close()


@pytest.fixture(scope="module")
def running(folder: Path, registry: Registry) -> Iterator[Gateway]:
    gateway = Gateway(folder, registry.url, 2)
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(running: Gateway, registry: Registry, books: PlainService) -> Gateway:
    registry.register("books", "b1", books.port)
    return running


async def call(gateway: Gateway, path: str = "/", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(
            f"http://127.0.0.1:{gateway.mesh_port}{path}", headers={"Host": "books.default.mesh", **headers}
        )


def items(registry: Registry, filter_: str) -> list[dict[str, Any]]:
    answer = registry.client.get("/v1/requests", params={"filter": filter_})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_failed_call_is_found_from_its_line_to_its_trace(
    registry: Registry, gateway: Gateway, books: PlainService
) -> None:
    await served(gateway)
    books.status = 503
    failed = await call(gateway, "/cart?token=s3cret", traceparent=f"00-{TRACE}-{PARENT}-00")
    assert failed.status_code == 503
    books.status = 200
    assert (await call(gateway, "/fine", traceparent=f"00-{TRACE[::-1]}-{PARENT}-00")).status_code == 200
    await until(lambda: items(registry, "status>=500"), 20, what="the kept request")
    [line] = items(registry, "service:books status>=500 path:/ca*")
    assert (line["trace_id"], line["instance"], line["path"]) == (TRACE, "b1", "/cart")
    assert items(registry, "service:books path:/fine") == []
    assert items(registry, "-service:books status>=500") == []
    one = registry.client.get(f"/v1/requests/{line['request_id']}").json()
    assert one["items"] == [line]
    assert registry.client.get("/v1/requests/none-such").status_code == 404
    assert (
        registry.client.get("/v1/requests", params={"filter": "latency>soon"}).json()["errors"][0]["code"]
        == "bad_filter"
    )

    await until(lambda: registry.client.get(f"/v1/traces/{TRACE}").json().get("spans"), 20, what="the trace")
    trace = registry.client.get(f"/v1/traces/{TRACE}").json()
    server, client = trace["spans"]
    assert (server["kind"], server["parent_id"], server["error"]) == ("server", PARENT, True)
    assert (client["kind"], client["parent_id"]) == ("client", server["span_id"])
    assert client["attributes"]["meshway.instance"] == "b1"
    assert server["attributes"]["http.response.status_code"] == 503
    assert trace["calls"] == [line]
    assert "s3cret" not in json.dumps(trace)
    assert registry.client.get(f"/v1/traces/{TRACE[::-1]}").status_code == 404

    asked = {"Accept": "application/openmetrics-text;version=1.0.0"}
    text = httpx.get(f"http://127.0.0.1:{gateway.admin_port}/metrics", headers=asked, trust_env=False).text
    shown = [each for each in text.splitlines() if f'trace_id="{TRACE}"' in each]
    assert len(shown) == 1
    assert shown[0].startswith("http_server_request_duration_seconds_bucket{")
    assert 'status_class="5xx"' in shown[0]


async def served(gateway: Gateway) -> None:
    """Until calls come to the service."""
    while (await call(gateway)).status_code != 200:
        assert gateway.process.is_running()
        await asyncio.sleep(0.05)


async def test_a_tap_shows_calls_as_they_end_and_only_what_is_asked_for(
    registry: Registry, gateway: Gateway, books: PlainService
) -> None:
    await served(gateway)
    heard: list[dict[str, Any]] = []
    seen = 0

    async def listen() -> None:
        nonlocal seen
        async with (
            httpx.AsyncClient(timeout=30.0, trust_env=False) as client,
            client.stream("GET", f"{registry.url}/v1/tap", params={"filter": "path:/wanted*"}) as answer,
        ):
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    heard.extend(event.get("items", ()))
                    seen += event.get("seen", 0)

    listening = spawn(listen(), name="tap")
    number = 0

    async def is_heard() -> bool:
        nonlocal number
        for _ in range(5):
            await call(gateway, f"/wanted/{number}")
            await call(gateway, f"/other/{number}")
            number += 1
        return bool(heard)

    while not await is_heard():
        assert gateway.process.is_running()
        await asyncio.sleep(0.05)
    before, made = seen, number
    await is_heard()
    await until(lambda: seen >= before + number - made, 20, what="the calls that were made meanwhile")
    assert {line["path"].partition("/")[2].partition("/")[0] for line in heard} == {"wanted"}
    assert {line["node"] for line in heard} != {""}
    listening.cancel()
    refused = registry.client.get("/v1/tap", params={"filter": "no_field:1"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "bad_filter")


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Not to stderr."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.mark.proves(
    "Telemetry.otlp",
    "Otlp.endpoint",
    "Otlp.timeout",
    "Otlp.batch",
    "Otlp.queue",
    "Traces.max_per_second",
)
async def test_a_collector_gets_the_spans_in_place_of_the_registry(
    registry: Registry, gateway: Gateway, books: PlainService, collector: Collector
) -> None:
    await served(gateway)
    document = {
        "traces": {"head_percent": 100, "max_per_second": 10_000, "attributes": {"site": "north"}},
        "otlp": {
            "endpoint": f"http://127.0.0.1:{collector.port}/v1/traces",
            "timeout": "5s",
            "batch": 1,
            "queue": 50,
        },
    }
    registry.apply(
        "apiVersion: meshway/v1\nkind: Telemetry\nmetadata: {name: all, namespace: mesh}\nspec: " + json.dumps(document)
    )
    assert (await call(gateway, "/traced", traceparent=f"00-{COLLECTED}-{PARENT}-01")).status_code == 200
    await until(lambda: len(collector.bodies) >= 2, 20, what="both spans, one a request")
    all_of = b"".join(collector.bodies)
    for wanted in (bytes.fromhex(COLLECTED), bytes.fromhex(PARENT), b"meshway.instance", b"north", b"/traced"):
        assert wanted in all_of
    assert registry.client.get(f"/v1/traces/{COLLECTED}").json().get("spans", []) == []
    registry.apply(
        "apiVersion: meshway/v1\nkind: Telemetry\nmetadata: {name: all, namespace: mesh}\nspec: "
        + json.dumps(document | {"traces": {"head_percent": 100, "max_per_second": 0}})
    )
    count = len(collector.bodies)
    assert (await call(gateway, "/silent", traceparent=f"00-{COLLECTED}-{PARENT}-01")).status_code == 200
    name = "meshway_traces_dropped_total"

    def dropped() -> bool:
        text = httpx.get(f"http://127.0.0.1:{gateway.admin_port}/metrics", trust_env=False).text
        return any(float(line.split()[-1]) > 0 for line in text.splitlines() if line.startswith(name))

    await until(dropped, 20, what="a trace that is above what is allowed")
    assert len(collector.bodies) == count
