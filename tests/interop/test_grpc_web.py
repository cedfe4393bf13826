"""gRPC-Web by Google's own client of npm, in binary and in text, through the gateway to a service of grpcio. Wants Node
and npm; `make interop`."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue

from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.processes import ROOT
from tools.console import BuildFailed, install_packages, npm

PROGRAM: Final = Path(__file__).parent / "grpc_web"
WALK_S: Final = 60.0

pytestmark = pytest.mark.interop


class Words:
    """A service of well-known messages. seen: metadata of calls. cancelled: streams that were given up."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.cancelled = 0
        self.port = 0

    async def upper(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
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
            yield StringValue(value="first")
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
async def shop() -> AsyncIterator[tuple[Words, CompiledGateway]]:
    words = Words()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Words", words.handlers()),))
    words.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        service = document("Service", "words", {"ports": [{"protocol": "grpc"}]})
        route = document("Route", "r", edge_route(to("words"), hosts=["*"]))
        async with compiled_gateway(running("words", "1", port=words.port), service, route) as gateway:
            yield words, gateway
    finally:
        await server.stop(None)


def installed() -> Path:
    """The program, beside its packages."""
    folder = ROOT / "build" / "grpc_web"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "walk.js"):
        shutil.copy(PROGRAM / name, folder)
    try:
        npm()
        install_packages(str(folder))
    except BuildFailed as failed:
        pytest.skip(f"the client cannot be installed: {str(failed).splitlines()[0]}")
    return folder / "walk.js"


async def walk(gateway: CompiledGateway, mode: str) -> dict[str, Any]:
    program = await asyncio.to_thread(installed)
    ran = await asyncio.create_subprocess_exec(
        "node", str(program), f"http://127.0.0.1:{gateway.port}", mode,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, said = await asyncio.wait_for(ran.communicate(), WALK_S)
    finally:
        if ran.returncode is None:
            ran.kill()
            await ran.wait()
    assert ran.returncode == 0, said.decode()
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.parametrize("mode", ["binary", "text"])
async def test_the_client_of_npm_gets_messages_statuses_and_metadata(mode: str) -> None:
    async with shop() as (words, gateway):
        told = await walk(gateway, mode)
        await until(lambda: words.cancelled == 1, what="a call that is late is not served on")
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
    assert (told["late"]["messages"], told["late"]["error"]["code"]) == (["first"], 4)
