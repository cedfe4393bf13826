"""A gRPC server with the standard health service, from grpcio: what it says of each service may change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


class HealthAnswers:
    """says: the answer's bytes by service; others are NOT_FOUND. asked: services, in order."""

    def __init__(self, **says: bytes) -> None:
        self.says = dict(says)
        self.asked: list[str] = []
        self.port = 0

    async def check(self, request: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        service = request[2:].decode() if request else ""
        self.asked.append(service)
        if service not in self.says:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self.says[service]


@asynccontextmanager
async def grpc_health(**says: bytes) -> AsyncIterator[HealthAnswers]:
    """says: by service, `whole` for the server itself."""
    answers = HealthAnswers(**says)
    if "whole" in answers.says:
        answers.says[""] = answers.says.pop("whole")
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(answers.check)
    service = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
    server.add_generic_rpc_handlers((service,))
    answers.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield answers
    finally:
        await server.stop(None)
