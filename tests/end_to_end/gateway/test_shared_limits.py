"""One limit over several gateways and all their workers: never exceeded, nearly all used, whoever has the calls."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.fault_proxy import ProxyThread
from tests.parts.limited_mesh import HOST, LimitedMesh, load
from tests.parts.shared_limit import most_in_a_window, strict_places
from tests.parts.valkey import Valkey

RATE, BURST = 40, 40
SECONDS = 3.0


@pytest.fixture
def start_limited(tmp_path: Path) -> Iterator[Callable[..., LimitedMesh]]:
    running: list[LimitedMesh] = []

    def start(gateways: int, workers: int, *arguments: str, **fields: Any) -> LimitedMesh:
        running.append(LimitedMesh(tmp_path, gateways, workers, *arguments, **fields))
        return running[-1]

    yield start
    for mesh in running:
        mesh.close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    yield server
    server.close()


@pytest.mark.alone
def test_two_gateways_admit_together_what_one_limit_allows(start_limited: Callable[..., LimitedMesh]) -> None:
    mesh = start_limited(2, 2)
    mesh.limit(f"token_bucket: {{rate: {RATE}/s, burst: {BURST}}}")
    began = time.monotonic()
    ports = [gateway.edge_port for gateway in mesh.gateways]
    tally = asyncio.run(load(ports, 200, SECONDS))
    allowed = BURST + RATE * (time.monotonic() - began)
    assert tally.count(200) <= allowed
    assert tally.count(200) >= 0.85 * tally.exact(RATE, BURST)
    assert tally.count(200) + tally.count(429) == sum(len(moments) for moments in tally.moments.values())

    # The same gateways: eight places for calls of 0.2 s, so forty a second, and fewer than these come.
    mesh.limit("in_flight: {max: 8}", lasts="200ms")
    began = time.monotonic()
    tally = asyncio.run(load(ports, 30, SECONDS))
    assert tally.count(200) <= 8 + 8 * (time.monotonic() - began) / 0.2
    exact = strict_places(8, lambda: 0.2, sorted(tally.sent))
    assert tally.count(200) >= 0.85 * exact, f"{tally.count(200)} of {exact}"


@pytest.mark.alone
def test_with_redis_too_and_when_it_is_gone_each_host_counts_its_share_and_says_so(
    start_limited: Callable[..., LimitedMesh], valkey: Valkey
) -> None:
    mesh = start_limited(2, 2, "--redis-url", valkey.url)
    mesh.limit(f"token_bucket: {{rate: {RATE}/s, burst: {BURST}}}")
    only = [mesh.gateways[0].edge_port]
    began = time.monotonic()
    tally = asyncio.run(load(only, 150, SECONDS))
    allowed = BURST + RATE * (time.monotonic() - began)
    assert 0.85 * tally.exact(RATE, BURST) <= tally.count(200) <= allowed, "one gateway may have all of it"

    valkey.kill()
    wait_until(lambda: all("Redis" in each["limits_alone"] for each in mesh.states()), 10, what="gateways alone")
    assert mesh.metric(0, "meshway_limits_shared") == 0.0
    began = time.monotonic()
    alone = asyncio.run(load(only, 150, SECONDS))
    share = (BURST + RATE * (time.monotonic() - began)) / 2
    assert 0.5 * alone.exact(RATE / 2, BURST / 2) <= alone.count(200) <= share + 1, "half the workers have half of it"
    wait_until(
        lambda: mesh.metric(0, "meshway_rate_limit_alone_total") >= alone.count(200), 10, what="calls counted alone"
    )
    assert "limits are counted by this host's share" in mesh.gateways[0].process.text()

    valkey.start()
    mesh.wait_until_shared()
    assert mesh.metric(0, "meshway_limits_lost_total") == 1.0


def test_whoever_would_rather_refuse_than_count_alone_refuses_while_the_registry_is_gone(
    start_limited: Callable[..., LimitedMesh],
) -> None:
    mesh = start_limited(1, 1)
    mesh.limit("token_bucket: {rate: 100/s, burst: 100}", "on_store_failure: closed")
    port = [mesh.gateways[0].edge_port]
    assert asyncio.run(load(port, 20, 0.5)).count(429) == 0
    mesh.registry.process.kill()
    wait_until(lambda: mesh.metric(0, "meshway_limits_shared") == 0.0, 10, what="a gateway alone")
    tally = asyncio.run(load(port, 20, 0.5))
    assert set(tally.moments) == {503}
    log = mesh.gateways[0].access_log()
    assert log[-1]["reason"] == "policy_unavailable"
    assert log[-1]["policy"] == "RateLimit default/shared"


@pytest.fixture
def proxies() -> Iterator[ProxyThread]:
    thread = ProxyThread()
    yield thread
    thread.close()


def test_behind_a_slow_registry_a_small_quota_is_spent_to_the_last_call_before_anybody_is_refused(
    start_limited: Callable[..., LimitedMesh], proxies: ProxyThread
) -> None:
    slow = []

    def way(port: int) -> str:
        slow.append(proxies.proxy(port))
        return slow[0].url

    mesh = start_limited(2, 2, way=way)
    mesh.limit("quota: {limit: 12, per: month}")
    assert explained(mesh)["filters"][0]["verdict"] == "pass"
    slow[0].delay_s = 0.06  # each way: six times as long as a call used to wait for an answer
    answers = []
    for number in range(14):
        # A connection each, so that the calls go to all workers.
        port = mesh.gateways[number % 2].edge_port
        answers.append(httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": HOST}, trust_env=False, timeout=10.0))
    assert [answer.status_code for answer in answers] == [200] * 12 + [429] * 2
    spent = answers[-1]
    assert int(spent.headers["Retry-After"]) > 1, "no more of it comes before the month is over"
    assert spent.json()["code"] == "quota_exceeded"
    assert mesh.metric(0, "meshway_limits_lost_total") == 0.0
    slow[0].delay_s = 0.0
    for _ in range(8):  # whichever worker is asked, and also if it never had a call
        told = explained(mesh)
        assert (told["filters"][0]["verdict"], told["answered"]["status"]) == ("refuse", 429)
        assert told["filters"][0]["detail"].startswith("0 of 12 left in all gateways, whole again in ")


def explained(mesh: LimitedMesh) -> dict[str, Any]:
    answer = mesh.registry.client.post("/v1/explain", json={"url": f"http://{HOST}/"})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_reload_gives_nobody_a_full_limit_who_had_spent_his(start_limited: Callable[..., LimitedMesh]) -> None:
    mesh = start_limited(1, 2)
    mesh.limit("token_bucket: {rate: 1/m, burst: 40}")
    port = [mesh.gateways[0].edge_port]
    spent = asyncio.run(load(port, 100, 1.0)).count(200)
    assert 36 <= spent <= 40, "but for the last call on loan of each worker"
    (before,) = {state["workers"] for state in mesh.states()}
    restarts = mesh.metric(0, "meshway_worker_restarts_total")
    mesh.gateways[0].process.send(signal.SIGHUP)
    wait_until(lambda: mesh.gateways[0].process.text().count("takes over") == before, 30, what="both workers anew")
    assert asyncio.run(load(port, 100, 0.5)).count(200) <= 41 - spent
    assert mesh.metric(0, "meshway_worker_restarts_total") == restarts


@pytest.mark.soak
@pytest.mark.parametrize("with_redis", [False, True], ids=["registry", "redis"])
@pytest.mark.parametrize("busy", [4, 1], ids=["all gateways", "one gateway"])
def test_four_gateways_admit_98_percent_of_an_exact_limit_over_a_minute_and_never_more(
    start_limited: Callable[..., LimitedMesh], valkey: Valkey, busy: int, with_redis: bool
) -> None:
    """Eight workers; the exact bucket starts full and is asked for more than it has all the while."""
    mesh = start_limited(4, 2, *(["--redis-url", valkey.url] if with_redis else []))
    mesh.limit("token_bucket: {rate: 100/s, burst: 100}")
    ports = [gateway.edge_port for gateway in mesh.gateways[:busy]]
    began = time.monotonic()
    tally = asyncio.run(load(ports, 400, 60.0))
    took_s = time.monotonic() - began
    admitted = sorted(tally.moments[200])
    assert len(admitted) <= 100 + 100 * took_s
    exact = tally.exact(100, 100)
    assert exact >= 0.95 * (100 + 100 * 60.0), "there was no time to offer enough"
    assert len(admitted) >= 0.98 * exact, f"{len(admitted)} of {exact}"
    # Callers hear of an answer some milliseconds late, now more and now less.
    assert most_in_a_window(10.0, admitted) <= 100 + 100 * 10.25
    assert mesh.metric(0, "meshway_limits_lost_total") == 0.0
