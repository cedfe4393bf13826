"""`meshway bridge zookeeper` between a real ZooKeeper and a registry process. Wants Java and zookeeper."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient

from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.processes import Process, python
from tests.parts.zookeeper import ZooKeeper

pytestmark = pytest.mark.interop
TTL_S = 4


class Site:
    """ZooKeeper, a registry, a bridge that copies both ways, and a client of ZooKeeper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started = contextlib.ExitStack()
        with contextlib.ExitStack() as starting:  # what was started ends, should the next not start
            self.zookeeper = ZooKeeper(folder / "zookeeper")
            starting.callback(self.zookeeper.stop)
            self.registry = Registry(folder)
            starting.callback(self.registry.close)
            self.client = self.connect()
            starting.callback(self._leave)
            self.bridge = self.start_bridge()
            starting.callback(self._end_bridge)
            self._started = starting.pop_all()

    def connect(self) -> Any:
        client = KazooClient(hosts=self.zookeeper.address, timeout=4.0)
        client.start(timeout=20)
        return client

    def start_bridge(self) -> Process:
        command = ["-m", "meshway.cli.main", "bridge", "zookeeper", self.zookeeper.address, "--to"]
        command += ["--registry", self.registry.url, "--ttl", str(TTL_S), "--path", "/services"]
        return Process(python(*command), self.folder / "bridge.out")

    def publish(self, client: Any, service: str, node_id: str, port: int, **fields: Any) -> str:
        path = f"/services/{service}/{node_id}"
        client.create(path, _node(service, node_id, port, **fields), ephemeral=True, makepath=True)
        return path

    def instances(self, service: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.registry.client.get(
            f"/v1/namespaces/default/services/{service}/instances"
        ).json()["items"]
        return found

    def ports(self, service: str) -> list[int]:
        """Of those that may be called."""
        return sorted(one["port"] for one in self.instances(service) if one["status"] == "passing")

    def close(self) -> None:
        self._started.close()

    def _end_bridge(self) -> None:
        """The one there is by now."""
        self.bridge.stop()

    def _leave(self) -> None:
        self.client.stop()
        self.client.close()


def _node(service: str, node_id: str, port: int, **fields: Any) -> bytes:
    """As Curator writes it."""
    written = {
        "name": service,
        "id": node_id,
        "address": "127.0.0.1",
        "port": port,
        "sslPort": None,
        "payload": None,
        "registrationTimeUTC": 1_700_000_000_000,
        "serviceType": "DYNAMIC",
        "uriSpec": None,
        "enabled": True,
    }
    return json.dumps(written | fields).encode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("site"))
    try:
        yield running
    finally:
        running.close()


def test_a_node_is_an_instance_as_long_as_it_is_there(site: Site) -> None:
    payload = {
        "@class": "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance",
        "metadata": {"owner": "ana"},
    }
    other = site.connect()
    site.publish(site.client, "Books", "0a8d7c2e-0000-4000-8000-000000000001", 9001, payload=payload)
    site.publish(other, "Books", "B.2", 9002)
    wait_until(lambda: site.ports("books") == [9001, 9002], what="both are copied")
    first = next(one for one in site.instances("books") if one["port"] == 9001)
    assert first["id"] == "0a8d7c2e-0000-4000-8000-000000000001"
    assert first["metadata"] == {"owner": "ana", "meshway-bridge": "zookeeper"}
    other.stop()  # its session ends, and with it the node
    wait_until(lambda: len(site.instances("books")) == 1, what="the copy is deregistered")
    path = "/services/Books/0a8d7c2e-0000-4000-8000-000000000001"
    site.client.set(path, _node("Books", path.rpartition("/")[2], 9011))
    wait_until(lambda: site.ports("books") == [9011], what="a change is copied")
    site.client.set(path, b"no json")
    wait_until(lambda: site.instances("books") == [], what="nonsense has no copy")
    site.client.delete(path)


def test_a_lease_lives_on_while_the_node_is_seen(site: Site) -> None:
    path = site.publish(site.client, "steady", "s1", 9003)
    wait_until(lambda: site.ports("steady") == [9003], what="it is copied")
    revision = site.instances("steady")[0]["revision"]
    seen: list[float] = []

    def renewed_twice() -> bool:
        left_s = site.instances("steady")[0]["expires_in_s"]
        if not seen or left_s > seen[-1]:
            seen.append(left_s)
        else:
            seen[-1] = left_s
        return len(seen) > 3

    wait_until(renewed_twice, 30, what="it is renewed again and again")
    assert site.instances("steady")[0]["revision"] == revision
    site.client.delete(path)


def test_an_instance_of_ours_is_a_node_and_comes_not_back(site: Site) -> None:
    site.registry.register("orders", "o1", 9004, ttl_s=60)
    wait_until(lambda: site.client.exists("/services/orders/meshway-o1"), what="it is published")
    data, stat = site.client.get("/services/orders/meshway-o1")
    node = json.loads(data)
    assert (node["name"], node["id"], node["address"], node["port"], node["serviceType"]) == (
        "orders",
        "meshway-o1",
        "127.0.0.1",
        9004,
        "DYNAMIC",
    )
    assert stat.ephemeralOwner
    path = site.publish(site.client, "orders", "theirs", 9005)
    wait_until(lambda: site.ports("orders") == [9004, 9005], what="theirs is copied")
    assert sorted(site.client.get_children("/services/orders")) == ["meshway-o1", "theirs"]
    assert {one["id"] for one in site.instances("orders")} == {"o1", "theirs"}
    place = "/v1/namespaces/default/services/orders/instances/o1"
    site.registry.client.patch(place, json={"status": "draining"}).raise_for_status()
    wait_until(lambda: not site.client.exists("/services/orders/meshway-o1"), what="it is withdrawn")
    site.client.delete(path)


def test_both_ways_go_on_after_zookeeper_was_away(site: Site) -> None:
    site.registry.register("after", "ours", 9006, ttl_s=60)
    site.publish(site.client, "after", "theirs", 9007)
    wait_until(lambda: site.ports("after") == [9006, 9007], what="it is copied")
    wait_until(lambda: site.client.exists("/services/after/meshway-ours"), what="it is published")
    site.zookeeper.stop()
    site.registry.register("after", "late", 9008, ttl_s=60)
    site.zookeeper.start()
    wait_until(lambda: site.client.connected and site.client.exists("/services/after/meshway-late"), 40, what="late")
    site.publish(site.client, "after", "new", 9009)
    wait_until(lambda: 9009 in site.ports("after"), 40, what="a new one is copied")
    assert {9006, 9008} <= set(site.ports("after"))


def test_what_the_bridge_wrote_goes_with_it_and_the_next_one_goes_on(site: Site) -> None:
    site.registry.register("left", "ours", 9010, ttl_s=60)
    site.publish(site.client, "left", "theirs", 9012)
    wait_until(lambda: site.ports("left") == [9010, 9012], what="it is copied")
    wait_until(lambda: site.client.exists("/services/left/meshway-ours"), what="it is published")
    site.bridge.send(signal.SIGKILL)
    wait_until(lambda: site.ports("left") == [9010], 30, what="the lease has run out")
    wait_until(lambda: not site.client.exists("/services/left/meshway-ours"), 30, what="the session is over")
    site.bridge = site.start_bridge()
    wait_until(lambda: site.ports("left") == [9010, 9012], 30, what="it is copied again")
    wait_until(lambda: site.client.exists("/services/left/meshway-ours"), 30, what="it is published again")
    assert site.bridge.stop() == 0
    wait_until(lambda: not site.client.exists("/services/left/meshway-ours"), 30, what="its nodes end with it")
