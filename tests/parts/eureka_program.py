"""A program that joins by py-eureka-client as it is, in a process of its own: `python -m tests.parts.eureka_program`.

It obeys lines on stdin and answers each with a line of JSON, so that a test sees what the client itself believes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from py_eureka_client import eureka_client


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--app", default="")
    parser.add_argument("--port", type=int, default=1)
    parser.add_argument("--duration", type=int, default=90)
    arguments = parser.parse_args()
    fulls = _count_full_fetches()
    client: Any = eureka_client.EurekaClient(
        eureka_server=arguments.server,
        app_name=arguments.app,
        should_register=bool(arguments.app),
        instance_ip="127.0.0.1",
        instance_host="localhost",
        instance_port=arguments.port,
        renewal_interval_in_secs=1,
        duration_in_secs=arguments.duration,
        metadata={"colour": "blue & green"},
    )
    await client.start()
    print(json.dumps("started"), flush=True)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        print(json.dumps(await _obey(client, line, fulls)), flush=True)


async def _obey(client: Any, line: str, fulls: list[str]) -> Any:
    command, _, rest = line.partition(" ")
    if command == "status":
        await client.status_update(rest)
    elif command == "end-override":
        await client.delete_status_override()
    elif command == "cancel":
        await client.cancel()
    elif command == "stop":
        await client.stop()
    elif command == "apps":
        return {
            "fulls": len(fulls),
            "apps": {
                app.name: {instance.instanceId: _shown(instance) for instance in app.instances}
                for app in client.applications.applications
                if app.instances
            },
        }
    return "done"


def _shown(instance: Any) -> dict[str, Any]:
    return {"status": instance.status, "port": instance.port.port, "metadata": instance.metadata}


def _count_full_fetches() -> list[str]:
    fulls: list[str] = []
    fetch = eureka_client.get_applications

    async def counted(server: str, regions: list[str]) -> Any:
        fulls.append(server)
        return await fetch(server, regions)

    eureka_client.get_applications = counted
    return fulls


if __name__ == "__main__":
    asyncio.run(main())
