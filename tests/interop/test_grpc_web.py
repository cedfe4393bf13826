"""gRPC-Web by Google's own client of npm, in a browser's page of another origin, through the gateway to a service of
grpcio. Wants npm and Chromium; `make interop`."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue
from playwright.async_api import async_playwright

from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.console import ARGUMENTS, CHROMIUM
from tests.parts.processes import ROOT
from tests.parts.wire import read_head
from tools.console import BuildFailed, install_packages, npm

PROGRAM: Final = Path(__file__).parent / "grpc_web"
WALK_S: Final = 60.0
PAGE: Final = b"<!doctype html><title>a page</title>"
# As Node's, of these files by name.
REQUIRE: Final = """async ([sources, place, mode]) => {
  const made = {}
  const require = (name) => {
    if (!(name in made)) {
      const module = { exports: {} }
      new Function('module', 'exports', 'require', sources[name])(module, module.exports, require)
      made[name] = module.exports
    }
    return made[name]
  }
  return await require('walk')(place, mode)
}"""
WRAPPERS: Final = "google-protobuf/google/protobuf/wrappers_pb.js"

pytestmark = pytest.mark.interop


class Words:
    """A service of well-known messages. seen: metadata of calls. asked: that the stream which waits goes on. cancelled:
    streams that were given up."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.cancelled = 0
        self.port = 0

    async def upper(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
        if request.value == "go":
            self.asked.set()
        await context.send_initial_metadata((("x-head", "first"),))
        context.set_trailing_metadata((("x-sum", str(len(request.value))),))
        return StringValue(value=request.value.upper())

    async def double(self, request: Any, context: Any) -> Any:
        return BytesValue(value=request.value * 2)

    async def count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(request.value):
            yield Int32Value(value=number)
        if request.value < 0:
            yield Int32Value(value=7)
            await context.abort(grpc.StatusCode.DATA_LOSS, "in the middle")
        context.set_trailing_metadata((("x-sum", "all"),))

    async def waited(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            if request.value != "late":
                yield StringValue(value="first")
            await self.asked.wait()
            yield StringValue(value="rest")
            if request.value == "cancel":
                await asyncio.sleep(WALK_S)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def fail(self, request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-why", "asked"),))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked: 100 % grün")

    def handlers(self) -> dict[str, Any]:
        def unary(run: Any, kind: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(run, kind.FromString, lambda each: each.SerializeToString())

        def stream(run: Any, kind: Any) -> Any:
            return grpc.unary_stream_rpc_method_handler(run, kind.FromString, lambda each: each.SerializeToString())

        return {
            "Upper": unary(self.upper, StringValue),
            "Double": unary(self.double, BytesValue),
            "Count": stream(self.count, Int32Value),
            "Waited": stream(self.waited, StringValue),
            "Fail": unary(self.fail, StringValue),
        }


@asynccontextmanager
async def other_origin() -> AsyncIterator[str]:
    """A page's, by its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(PAGE) + PAGE)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def shop(origin: str) -> AsyncIterator[tuple[Words, CompiledGateway]]:
    """origin: whose pages may call."""
    words = Words()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Words", words.handlers()),))
    words.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        service = document("Service", "words", {"ports": [{"protocol": "grpc"}]})
        cors = {"allow_origins": [origin], "allow_headers": ["x-team", "x-key-bin"], "expose_headers": ["x-head"]}
        route = document("Route", "r", edge_route(to("words", cors=cors), hosts=["*"]))
        async with compiled_gateway(running("words", "1", port=words.port), service, route) as gateway:
            yield words, gateway
    finally:
        await server.stop(None)


def sources() -> dict[str, str]:
    """The walk and its packages, by the names they call each other."""
    folder = ROOT / "build" / "grpc_web"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROGRAM / name, folder)
    try:
        npm()
        install_packages(str(folder))
    except BuildFailed as failed:
        pytest.skip(f"the client cannot be installed: {str(failed).splitlines()[0]}")
    files = {
        "walk": PROGRAM / "walk.js",
        "grpc-web": folder / "node_modules" / "grpc-web" / "index.js",
        "google-protobuf": folder / "node_modules" / "google-protobuf" / "google-protobuf.js",
        WRAPPERS: folder / "node_modules" / WRAPPERS,
    }
    return {name: path.read_text() for name, path in files.items()}


async def walk(gateway: CompiledGateway, origin: str, mode: str) -> dict[str, Any]:
    asked = [await asyncio.to_thread(sources), f"http://127.0.0.1:{gateway.port}", mode]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = await browser.new_page()
            await page.goto(origin)
            told: dict[str, Any] = await asyncio.wait_for(page.evaluate(REQUIRE, asked), WALK_S)
        finally:
            await browser.close()
    return told


@pytest.mark.parametrize("mode", ["binary", "text"])
@pytest.mark.skipif(CHROMIUM is None, reason="no browser here: apt install chromium")
async def test_the_client_of_npm_gets_messages_statuses_and_metadata(mode: str) -> None:
    async with other_origin() as origin, shop(origin) as (words, gateway):
        told = await walk(gateway, origin, mode)
        given_up = 2 if mode == "text" else 1
        await until(lambda: words.cancelled == given_up, what="what is late or given up is not served on")
    unary = told["unary"]
    assert (unary["messages"], unary["error"]) == (["GRÜN & 日本"], None)
    assert unary["metadata"]["x-head"] == "first"
    assert unary["status"]["code"] == 0
    assert unary["status"]["metadata"]["x-sum"] == "9"
    assert words.seen[0]["x-team"] == "shop"
    assert words.seen[0]["x-key-bin"] == b"\x01\x02\x03"
    assert told["large"]["error"] is None
    assert told["stream"]["messages"] == list(range(500))
    assert told["stream"]["status"]["metadata"]["x-sum"] == "all"
    assert (told["empty"]["messages"], told["empty"]["status"]["code"]) == ([], 0)
    failed = told["failed"]["error"]
    assert (failed["code"], failed["message"], failed["metadata"]["x-why"]) == (9, "as asked: 100 % grün", "asked")
    broken = told["broken"]
    assert (broken["messages"], broken["error"]["code"], broken["error"]["message"]) == ([7], 15, "in the middle")
    assert told["none"]["error"]["code"] == 12
    assert (told["late"]["messages"], told["late"]["error"]["code"]) == ([], 4)
    if mode == "text":
        assert (told["waited"]["messages"], told["waited"]["error"]) == (["first", "rest"], None)
        assert told["cancelled"] == "first"
