"""Rows of the failure matrix about Redis and about a registry that stands still: nobody who beats expires."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.replicas import Cluster, Replica

TTL_S = 4


class Beater:
    """Heartbeats of some leases twice a second, as a client sends them: to the next registry when one fails.

    refused: answers that were no renewal of all. slowest_s: from a heartbeat that was answered to the next one.
    """

    def __init__(self, ports: Sequence[int], lease_ids: Sequence[str]) -> None:
        self.ports = list(ports)
        self.refused: list[Any] = []
        self.slowest_s = 0.0
        self.answered = 0
        self._leases = {"leases": list(lease_ids)}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> "Beater":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(20)
        assert self.refused == []

    def _beat(self) -> None:
        at, last = 0, time.monotonic()
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while not self._is_over.is_set():
                ports = self.ports
                try:
                    answer = client.post(f"http://127.0.0.1:{ports[at % len(ports)]}/v1/heartbeats", json=self._leases)
                except httpx.TransportError:
                    at += 1
                    continue
                at += 1
                if answer.status_code == 503:
                    continue
                if answer.status_code != 200 or answer.json()["renewed"] != len(self._leases["leases"]):
                    self.refused.append(answer.text)
                self.answered += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - last)
                last = time.monotonic()
                self._is_over.wait(0.5)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, 2)
    yield running
    running.close()


def register(replica: Replica, *names: str, ttl_s: int = TTL_S) -> list[str]:
    rows = [{"service": "books", "id": name, "address": "127.0.0.1", "port": 9000, "ttl_s": ttl_s} for name in names]
    answer = replica.client.post("/v1/registrations", json={"instances": rows})
    assert answer.status_code == 200, answer.text
    return [row["lease_id"] for row in answer.json()["instances"]]


def status(replica: Replica, name: str) -> str:
    return str(replica.client.get(f"/v1/namespaces/default/services/books/instances/{name}").json()["status"])


def expired(replica: Replica) -> set[str]:
    """All that ever became critical, from the whole log: what was critical for a moment counts."""
    found: set[str] = set()
    with replica.client.stream("GET", "/v1/watch?since=0&service=books") as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                for change in json.loads(line[5:])["changes"]:
                    if change["op"] == "put" and change["value"].get("status") == "critical":
                        found.add(change["value"]["id"])
            elif line.startswith("id:") and int(line[3:]) >= replica.head():
                return found
    raise AssertionError("the watch ended before the head")


@pytest.mark.parametrize("stopped_s", [7.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_a_registry_that_stood_still_expires_nobody_and_the_other_sweeps(cluster: Cluster, stopped_s: float) -> None:
    names = [f"b{at}" for at in range(20)]
    leases = register(cluster.replicas[0], *names)
    with Beater([replica.port for replica in cluster.replicas], leases) as beater:
        for paused, awake in (cluster.replicas, reversed(cluster.replicas)):
            register(awake, f"silent-{paused.name}")
            beater.ports = [awake.port]
            paused.pause()
            stopped_at = time.monotonic()
            # The session of one that stands still ends after five seconds, and its lock with it.
            wait_until(lambda awake=awake, paused=paused: status(awake, f"silent-{paused.name}") == "critical", 12)  # type: ignore[misc]
            wait_until(lambda at=stopped_at: time.monotonic() > at + stopped_s, stopped_s + 1)  # type: ignore[misc]
            paused.go_on()
            beater.ports = [replica.port for replica in cluster.replicas]
            answered = beater.answered
            wait_until(lambda answered=answered: beater.answered > answered + 6, 10)  # type: ignore[misc]
            for replica in cluster.replicas:
                assert expired(replica).isdisjoint(names)
    assert beater.slowest_s < TTL_S


def test_redis_killed_emptied_stopped_and_cut_off_ends_no_lease_that_is_renewed(cluster: Cluster) -> None:
    names = [f"b{at}" for at in range(20)]
    leases = register(cluster.replicas[0], *names)
    valkey, (one, other) = cluster.valkey, cluster.replicas
    assert valkey is not None

    def is_shared() -> bool:
        return all(replica.client.get("/v1/health/ready").json()["status"] == "ready" for replica in (one, other))

    def is_degraded(replica: Replica) -> bool:
        ready = replica.client.get("/v1/health/ready")
        return ready.status_code == 200 and ready.json()["status"] == "degraded"

    def for_a_ttl(beater: Beater) -> None:
        end = time.monotonic() + TTL_S + 1
        wait_until(lambda: time.monotonic() > end, TTL_S + 2)
        assert beater.refused == []
        assert expired(one) == expired(other) == set()

    with Beater([one.port, other.port], leases) as beater:
        valkey.kill()
        wait_until(lambda: is_degraded(one) and is_degraded(other), 5)
        for_a_ttl(beater)
        valkey.start()
        wait_until(is_shared, 10)
        valkey.flush()
        for_a_ttl(beater)
        valkey.pause()
        wait_until(lambda: is_degraded(one) and is_degraded(other), 5)
        for_a_ttl(beater)
        valkey.go_on()
        wait_until(is_shared, 10)
        cluster.replicas[1].behind["valkey"].is_black_hole = True
        beater.ports = [other.port]  # who is cut off from Redis is the only one that hears of them
        wait_until(lambda: is_degraded(other), 5)
        for_a_ttl(beater)
        assert not is_degraded(one)
        cluster.replicas[1].behind["valkey"].is_black_hole = False
        wait_until(is_shared, 10)
        for_a_ttl(beater)
    assert beater.slowest_s < TTL_S
    silent_at = time.monotonic()
    wait_until(lambda: status(one, "b0") != "passing" or held(one), TTL_S + 4)
    assert time.monotonic() - silent_at < TTL_S + 3


def held(replica: Replica) -> bool:
    """Twenty of twenty at once: self-preservation has them."""
    items = replica.client.get("/v1/namespaces").json()["items"]
    return any(item["self_preservation"] for item in items)
