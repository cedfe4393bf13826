"""Kept answers that somebody wants to be forgotten, in every worker of every gateway."""

import asyncio
from pathlib import Path

from tests.parts.answering_service import AnsweringService, Asked, answer
from tests.parts.command import meshway
from tests.parts.gateway_process import GatewayProcess
from tests.parts.registry import running_registry

ROUTE = b"""
apiVersion: meshway/v1
kind: Route
metadata: {name: books}
spec:
  listeners: [mesh]
  hosts: [books]
  rules: [{name: all, destinations: [{service: books}], cache: {}}]
"""


async def test_what_is_purged_is_asked_for_again_and_the_rest_is_not(tmp_path: Path) -> None:
    async def reply(asked: Asked) -> bytes:
        return answer(asked.target, "Cache-Control: max-age=600\r\n")

    service = AnsweringService(reply)
    async with service.running(), running_registry(tmp_path / "registry") as registry:
        await registry.register("books", "b1", service.port)
        applied = await registry.call("POST", "/v1/apply", ROUTE, "Content-Type: application/yaml")
        url = f"http://127.0.0.1:{registry.port}"
        async with GatewayProcess(tmp_path, url, workers=2) as gateway:
            await gateway.wait_for_revision(applied.json["revision"])

            async def asked_for(path: str) -> int:
                """How often the service was asked by a few calls, each on a connection of its own: of any worker."""
                before = len(service.asked)
                for _ in range(12):
                    headers = {"Host": "books.default.mesh", "Connection": "close"}
                    assert (await gateway.client.get(f"{gateway.mesh}{path}", headers=headers)).text == path
                return len(service.asked) - before

            async def purge(*arguments: str) -> tuple[int, str]:
                ended = await asyncio.to_thread(meshway, "cache", "purge", *arguments, env={"MESHWAY_URL": url})
                return ended.code, ended.err

            for path in ("/a/1", "/b/1"):
                asked = 0
                while asked < 2:  # once by each worker
                    asked += await asked_for(path)
                assert asked == 2
            code, said = await purge("books", "--path", "/a")
            assert (code, said.startswith("✓ gateway gw-1: ")) == (0, True)
            assert await asked_for("/a/1") >= 1
            assert await asked_for("/b/1") == 0
            assert (await purge("books", "--rule", "other"))[1] == "✓ gateway gw-1: 0 forgotten\n"
            assert await asked_for("/b/1") == 0
            assert (await purge("books"))[0] == 0
            assert await asked_for("/b/1") >= 1
            assert (await purge("nobody"))[0] == 4
            assert (await purge("books", "--path", "a"))[0] != 0
