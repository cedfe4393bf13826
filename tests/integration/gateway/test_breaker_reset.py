"""Breakers that somebody closes by hand, in every worker of every gateway."""

import asyncio
from pathlib import Path

from tests.parts.command import meshway
from tests.parts.conditions import until
from tests.parts.gateway_process import GatewayProcess
from tests.parts.registry import running_registry
from tests.parts.upstream import RecordingUpstream

POLICY = b"""
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: sick}
spec:
  targets: [{service: sick}]
  retry: {max_retries: 0}
  outlier_detection: {enabled: false}
  breaker: {minimum_requests: 2, failure_percent: 1, open_for: 60s, half_open_requests: 1}
"""


async def test_a_reset_lets_calls_through_again_and_names_what_was_open(tmp_path: Path) -> None:
    status = 503
    sick = RecordingUpstream(pieces_of=lambda _: [b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status])
    async with sick.running(), running_registry(tmp_path / "registry") as registry:
        await registry.register("sick", "s1", sick.port)
        applied = await registry.call("POST", "/v1/apply", POLICY, "Content-Type: application/yaml")
        url = f"http://127.0.0.1:{registry.port}"
        async with GatewayProcess(tmp_path, url, workers=2) as gateway:
            await gateway.wait_for_revision(applied.json["revision"])

            async def is_kept_away() -> bool:
                return "breaker_open" in (await gateway.call("sick")).headers.get_list("meshway-reason")

            while not await is_kept_away():  # each failure counts in the worker that saw it
                pass
            await until(lambda: bool(registry.gateways.states()[0].open_breakers), what="the report of it")
            status = 200
            reached = len(sick.requests)
            assert await is_kept_away()
            assert len(sick.requests) == reached

            async def reset(service: str) -> tuple[int, str]:
                ended = await asyncio.to_thread(meshway, "breaker", "reset", service, env={"MESHWAY_URL": url})
                return ended.code, ended.err

            assert await reset("sick") == (0, "✓ gateway gw-1: default/sick\n")
            assert [(await gateway.call("sick")).status_code for _ in range(8)] == [200] * 8
            assert await reset("sick") == (0, "✓ gateway gw-1: none was open\n")
            code, said = await reset("nobody")
            assert (code, said.splitlines()[0]) == (4, "error: service default/nobody does not exist")
