"""Who fails an active check gets no calls: every field of `health_check`, by the checker of a running gateway."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.snapshot import Change
from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.grpc_health_server import NOT_SERVING, SERVING, grpc_health

OF_THE_HOST = "right.example"


class Asked:
    """A service that is asked for its health by path. statuses: by path; others get 500. count: asked so often."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = {f"/{name}": status for name, status in statuses.items()} | {"/call": 200}
        self.count: Counter[str] = Counter()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Asked"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                path = head.split(" ")[1]
                self.count[path] += 1
                if path == "/slow":
                    await asyncio.sleep(0.4)  # what it is to be slow
                status = self.statuses.get(path, 500)
                if path == "/hosted" and f"\r\nHost: {OF_THE_HOST}\r\n" not in head:
                    status = 421
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


OFTEN = {"interval": "1s", "timeout": "900ms"}


def checks(another_port: int, grpc_port: int) -> dict[str, tuple[dict[str, Any] | None, int]]:
    """By service: how it is checked, and what its calls get."""
    return {
        "unchecked": (None, 200),
        "checked": ({}, 503),
        "by-tcp": ({"type": "tcp"}, 200),
        "elsewhere": ({"path": "/up"}, 200),
        "on-a-port": ({"path": "/up", "port": another_port}, 503),
        "of-no-host": ({"path": "/hosted"}, 503),
        "of-a-host": ({"path": "/hosted", "host": OF_THE_HOST}, 200),
        "unexpected": ({"path": "/teapot"}, 503),
        "expected": ({"path": "/teapot", "expect": ["200-299", "418"]}, 200),
        "grpc-good": ({"type": "grpc", "port": grpc_port, "service": "good"}, 200),
        "grpc-bad": ({"type": "grpc", "port": grpc_port, "service": "bad"}, 503),
        "impatient": ({"path": "/slow", "timeout": "50ms"}, 503),
        "patient": ({"path": "/slow", "timeout": "9s"}, 200),
    }


# By path: how who is asked there is checked, what its calls get at first, and when the answers there have turned.
TURNING: dict[str, tuple[dict[str, Any], int, int]] = {
    "falls": (OFTEN | {"unhealthy_after": 1}, 200, 503),
    "falls-late": (OFTEN | {"unhealthy_after": 100}, 200, 200),
    "falls-unseen": ({"interval": "1h", "unhealthy_after": 1}, 200, 200),
    "rises": (OFTEN | {"healthy_after": 1}, 503, 200),
    "rises-late": (OFTEN | {"healthy_after": 100}, 503, 503),
}


def written(service: str, check: dict[str, Any] | None, port: int) -> list[Change]:
    """One instance that gets no call when it fails, as it would for want of others."""
    blocks: dict[str, Any] = {"panic": {"action": "fail"}} | ({} if check is None else {"health_check": check})
    policy = document("TrafficPolicy", service, {"targets": [{"service": service}]} | blocks)
    return [running(service, "1", port=port), policy]


async def reaches(
    fates: Callable[[], Awaitable[dict[str, int]]], wanted: dict[str, int], within_s: float = 15.0
) -> None:
    """Until calls fare so."""
    deadline = asyncio.get_running_loop().time() + within_s
    while (found := await fates()) | wanted != found:
        wrong = {name: found[name] for name, status in wanted.items() if found[name] != status}
        assert asyncio.get_running_loop().time() < deadline, wrong
        await asyncio.sleep(0.1)


@pytest.mark.proves(
    "TrafficPolicy.health_check",
    "HealthCheck.type",
    "HealthCheck.path",
    "HealthCheck.port",
    "HealthCheck.host",
    "HealthCheck.service",
    "HealthCheck.expect",
    "HealthCheck.interval",
    "HealthCheck.timeout",
    "HealthCheck.unhealthy_after",
    "HealthCheck.healthy_after",
)
async def test_who_fails_its_check_gets_no_calls(tmp_path: Path) -> None:
    books = Asked(up=200, teapot=418, hosted=200, slow=200)
    books.statuses |= {f"/{name}": 200 if first == 200 else 500 for name, (_, first, _) in TURNING.items()}
    async with (
        books.running(),
        Asked().running() as another,
        grpc_health(good=SERVING, bad=NOT_SERVING) as grpc,
        Feed() as feed,
        GatewayProcess(tmp_path, feed.url, workers=1) as gateway,
    ):
        cases = checks(another.port, grpc.port)
        changes = [change for name, (check, _) in cases.items() for change in written(name, check, books.port)]
        for name, (check, _, _) in TURNING.items():
            changes += written(name, check | {"path": f"/{name}"}, books.port)
        await gateway.wait_for_revision(feed.commit(*changes))

        async def fates() -> dict[str, int]:
            return {name: (await gateway.call(name, "/call")).status_code for name in [*cases, *TURNING]}

        await reaches(fates, {name: status for name, (_, status) in cases.items()})
        await reaches(fates, {name: first for name, (_, first, _) in TURNING.items()})
        await until(lambda: all(books.count[f"/{name}"] for name in TURNING), what="the first checks, which decide")
        books.statuses |= {f"/{name}": 500 if first == 200 else 200 for name, (_, first, _) in TURNING.items()}
        seen = dict(books.count)
        await reaches(fates, {name: last for name, (_, _, last) in TURNING.items()})
        await until(
            lambda: all(books.count[f"/{name}"] >= seen[f"/{name}"] + 2 for name in TURNING if name != "falls-unseen"),
            what="two checks of each",
        )
        assert await fates() == {name: status for name, (_, status) in cases.items()} | {
            name: last for name, (_, _, last) in TURNING.items()
        }
