"""PostgreSQL away, silent, slow, or another one: what registries promise meanwhile and after (real processes)."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.fault_proxy import ProxyThread
from tests.parts.feed_client import FeedClient
from tests.parts.planes import Registry
from tests.parts.postgres import Postgres
from tests.parts.valkey import Valkey

MOST_CONNECTIONS = 5
STALE = "Meshway-Stale"


@pytest.fixture
def server() -> Iterator[Postgres]:
    """One of the test's own, to be stopped."""
    server = Postgres(durable=True).start()
    yield server
    server.close()


class Pair:
    """Two registries over one database."""

    def __init__(self, folder: Path, url: str, valkey: Valkey) -> None:
        self.registries: list[Registry] = []
        stores = ("--database-url", url, "--redis-url", valkey.url)
        for name in ("one", "other"):
            (folder / name).mkdir()
            self.registries.append(Registry(folder / name, *stores, "--dns-port", "off"))

    @property
    def both(self) -> tuple[Registry, Registry]:
        one, other = self.registries
        return one, other

    def close(self) -> None:
        for registry in self.registries:
            registry.close()


def put(registry: Registry, instance: str) -> httpx.Response:
    return registry.client.put(f"/v1/namespaces/default/services/books/instances/{instance}", json={"port": 8000})


def listed(registry: Registry, **query: str) -> httpx.Response:
    return registry.client.get("/v1/namespaces/default/services/books/instances", params=query)


def ids(answer: httpx.Response) -> set[str]:
    return {item["id"] for item in answer.json()["items"]}


def ready(registry: Registry) -> httpx.Response:
    return registry.client.get("/v1/health/ready")


def are_whole(*registries: Registry) -> bool:
    return all(ready(registry).json() == {"status": "ready", "missing": []} for registry in registries)


def test_without_the_database_reads_and_heartbeats_go_on_and_writes_are_refused_at_once(
    tmp_path: Path, server: Postgres, valkey: Valkey
) -> None:
    pair = Pair(tmp_path, server.new_database(), valkey)
    try:
        one, other = pair.both
        lease = put(one, "b1").json()["lease_id"]
        wait_until(lambda: ids(listed(other)) == {"b1"}, 5)
        follower = FeedClient(other.port)
        follower.connect()
        wait_until(lambda: follower.revision == 1)
        server.stop()
        begun = time.monotonic()
        for registry in (one, other):
            refused = put(registry, "b2")
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            assert refused.headers["Retry-After"]
        assert time.monotonic() - begun < 2 * 2
        wait_until(lambda: STALE in listed(one).headers and STALE in listed(other).headers, 5)
        for registry in (one, other):
            shown = listed(registry)
            assert (shown.status_code, ids(shown)) == (200, {"b1"})
            assert int(shown.headers[STALE]) >= 2
            beaten = registry.client.post("/v1/heartbeats", json={"leases": [lease]})
            assert (beaten.status_code, beaten.json()["renewed"]) == (200, 1)
            degraded = ready(registry)
            assert (degraded.status_code, degraded.json()["missing"]) == (200, ["store"])
            assert "does not answer" in degraded.json()["reason"]
            assert "meshway_store_up 0" in registry.client.get("/metrics").text
            assert listed(registry, since="9", wait_s="0").json()["code"] == "behind"  # it may not show the past
            for of_the_store in ("/v1/revisions", "/v1/revisions/1", "/v1/backup"):
                unknown = registry.client.get(of_the_store)
                assert (unknown.status_code, unknown.json()["code"]) == (503, "store_unavailable"), of_the_store
                assert unknown.headers["Retry-After"]
        server.start()
        wait_until(lambda: are_whole(one, other), 10)
        assert put(one, "b3").status_code == 201
        wait_until(lambda: ids(listed(other)) == {"b1", "b3"}, 5)
        assert STALE not in listed(other).headers
        wait_until(lambda: follower.revision == 2)
        assert (follower.revisions, follower.resets) == ([2], [])
        count = int(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'meshway%'"))
        assert count <= 2 * MOST_CONNECTIONS
        follower.disconnect()
        assert all(registry.process.is_running() for registry in pair.both)
    finally:
        pair.close()


def test_a_database_that_falls_silent_holds_nobody_for_long(tmp_path: Path, server: Postgres, valkey: Valkey) -> None:
    pair = Pair(tmp_path, server.new_database(), valkey)
    try:
        one, other = pair.both
        assert put(one, "b1").status_code == 201
        wait_until(lambda: ids(listed(other)) == {"b1"}, 5)
        server.pause()
        begun = time.monotonic()
        assert put(one, "b2").status_code == 503
        assert time.monotonic() - begun < 9
        begun = time.monotonic()
        assert put(one, "b2").status_code == 503
        shown = listed(one)
        assert time.monotonic() - begun < 4
        assert (ids(shown), STALE in shown.headers) == ({"b1"}, True)
        server.resume()
        wait_until(lambda: are_whole(one, other), 15)
        assert put(other, "b3").status_code == 201
        # What was refused while nobody could tell is wholly in or wholly out, and the same for both.
        wait_until(lambda: ids(listed(one)) == ids(listed(other)) >= {"b1", "b3"}, 5)
        assert ids(listed(one)) <= {"b1", "b2", "b3"}
    finally:
        server.resume()
        pair.close()


def test_a_slow_database_makes_batches_longer_and_not_the_queue(tmp_path: Path, server: Postgres) -> None:
    proxies = ProxyThread()
    proxy = proxies.proxy(server.port)
    url = server.new_database().replace(str(server.port), str(proxy.port))
    registry = Registry(tmp_path, "--database-url", url, "--dns-port", "off")
    try:
        lease = put(registry, "b0").json()["lease_id"]
        proxy.delay_s = 1.0  # there and back: two seconds a commit
        begun = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            answers = [pool.submit(put, registry, f"b{at}") for at in range(1, 51)]
            beats = time.monotonic()
            assert registry.client.post("/v1/heartbeats", json={"leases": [lease]}).status_code == 200
            assert time.monotonic() - beats < 1.0
            assert {answer.result().status_code for answer in answers} == {201}
        assert time.monotonic() - begun < 15  # some batches, where one by one it were a hundred seconds
        proxy.delay_s = 0.0
        wait_until(lambda: len(ids(listed(registry))) == 51, 5)
    finally:
        registry.close()
        proxies.close()


def test_a_registry_that_was_paused_shows_no_past(tmp_path: Path, server: Postgres, valkey: Valkey) -> None:
    pair = Pair(tmp_path, server.new_database(), valkey)
    try:
        one, other = pair.both
        assert put(one, "b0").status_code == 201
        wait_until(lambda: ids(listed(other)) == {"b0"}, 5)
        other.process.send(signal.SIGSTOP)
        for at in range(1, 20):
            assert put(one, f"b{at}").status_code == 201
        time.sleep(3)  # longer than a head counts as confirmed: the length of the pause is what is tried
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: answers.append(listed(other, limit="100")))
        waiting.start()  # it is there before the registry goes on
        other.process.send(signal.SIGCONT)
        waiting.join(10)
        assert len(ids(answers[0])) == 20
        assert STALE not in answers[0].headers
    finally:
        pair.close()


def test_a_failover_to_an_older_copy_is_a_new_history(tmp_path: Path, server: Postgres, valkey: Valkey) -> None:
    url = server.new_database()
    copied: list[Postgres] = []
    pair: Pair | None = None
    try:
        seed = Registry(tmp_path, "--database-url", url, "--dns-port", "off")
        for at in range(5):
            assert put(seed, f"b{at}").status_code == 201
        seed.close()
        copy = server.copy()
        copied.append(copy)
        hosts = url.replace(f"127.0.0.1:{server.port}", f"127.0.0.1:{server.port},127.0.0.1:{copy.port}")
        pair = Pair(tmp_path, hosts, valkey)
        one, other = pair.both
        for at in range(5, 9):
            assert put(one, f"b{at}").status_code == 201
        wait_until(lambda: len(ids(listed(other))) == 9, 5)
        follower = FeedClient(other.port)
        follower.connect()
        wait_until(lambda: follower.revision == 9)
        epoch = follower.epoch
        with other.client.stream("GET", "/v1/watch", params={"since": "9"}) as watch:
            server.kill()
            copy.start()
            lines = watch.iter_lines()
            events = [next(line for line in lines if line.startswith("event:")) for _ in range(2)]
            assert events == ["event: reset", "event: snapshot"]
        wait_until(lambda: are_whole(one, other), 20)
        wait_until(lambda: ids(listed(one)) == ids(listed(other)) == {f"b{at}" for at in range(5)}, 10)
        # No number that was shown before is given again.
        after = put(one, "c0").json()["revision"]
        assert after > 9
        follower.wait()  # the feed of the old history has ended
        follower.connect()
        wait_until(lambda: follower.revision is not None and follower.revision >= after, 10)
        assert follower.epoch not in (None, epoch)
        assert follower.resets == ["another history"]
        assert set(follower.instances) == {f"books/b{at}" for at in range(5)} | {"books/c0"}
        wait_until(lambda: "c0" in ids(listed(other)), 5)
        for registry in pair.both:
            assert "another history" in registry.process.text()
        follower.disconnect()
    finally:
        if pair is not None:
            pair.close()
        for each in copied:
            each.close()


def test_a_registry_killed_between_two_commits_leaves_nothing_half(
    tmp_path: Path, server: Postgres, valkey: Valkey
) -> None:
    """Its clients go on at the other one, with the same key: each call is done once, wherever it got to."""
    pair = Pair(tmp_path, server.new_database(), valkey)
    try:
        one, other = pair.both
        answered: dict[str, str] = {}

        def client(number: int) -> None:
            at = one
            for turn in range(40):
                key = f"{number}-{turn}"
                body = json.dumps({"port": 8000, "address": "127.0.0.1", "tags": [key]})
                for _ in range(50):
                    try:
                        answer = httpx.post(
                            f"{at.url}/v1/namespaces/default/services/s{number}/instances",
                            content=body,
                            headers={"Idempotency-Key": key, "Content-Type": "application/json"},
                            trust_env=False,
                        )
                    except httpx.TransportError:
                        at = other
                        continue
                    if answer.status_code == 503:
                        time.sleep(0.05)
                        continue
                    assert answer.status_code == 201, answer.text
                    answered[key] = answer.json()["id"]
                    break

        with ThreadPoolExecutor(6) as pool:
            clients = [pool.submit(client, number) for number in range(6)]
            wait_until(lambda: len(answered) > 60, 20)
            one.process.send(signal.SIGKILL)
            for each in clients:
                each.result()
        assert len(answered) == 240
        for number in range(6):
            page = other.client.get(f"/v1/namespaces/default/services/s{number}/instances", params={"limit": "1000"})
            held = {item["tags"][0]: item["id"] for item in page.json()["items"]}
            assert len(page.json()["items"]) == 40
            assert held == {key: name for key, name in answered.items() if key.startswith(f"{number}-")}
    finally:
        pair.close()
