"""The shop of grpc_shop.py in a process of its own, which tells by reflection what it offers.

Run, with grpcio-reflection on its path: python -m tests.parts.reflected_shop PORT
"""

import asyncio
import sys

import grpc.aio
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from tests.parts.grpc_shop import SERVICE, Shop, shop_pool


async def serve(port: int) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, Shop().handlers()),))
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), server, pool=shop_pool())
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
