"""nacos-sdk-python as it is (0.1, the HTTP generation), against a registry process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacos import NacosClient, NacosException
from nacos.listener import SubscribeListener

from tests.parts.conditions import wait_until
from tests.parts.planes import Registry

pytestmark = pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")  # the client's own


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(Path(tmp_path_factory.mktemp("nacos")))
    yield running
    running.close()


@pytest.fixture(scope="module")
def client(registry: Registry) -> NacosClient:
    return new_client(registry)


def new_client(registry: Registry, **more: Any) -> NacosClient:
    """Its log goes below the home folder unless told, before it is made."""
    return NacosClient(f"127.0.0.1:{registry.port}", logDir=str(registry.folder / "nacos-logs"), **more)


def instances(registry: Registry, service: str, namespace: str = "default") -> list[dict[str, Any]]:
    path = f"/v1/namespaces/{namespace}/services/{service}/instances"
    items: list[dict[str, Any]] = registry.client.get(path).json()["items"]
    return items


def hosts(client: NacosClient, service: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.list_naming_instance(service, **filters)["hosts"]
    return found


def test_an_instance_comes_beats_changes_and_goes(registry: Registry, client: NacosClient) -> None:
    place = {"service_name": "orders", "ip": "127.0.0.1", "port": 8080}
    assert client.add_naming_instance(**place, weight=2.5, metadata={"colour": "blue"}, cluster_name="c1")
    (ours,) = instances(registry, "orders")
    assert (ours["address"], ours["port"], ours["weight"], ours["ttl_s"], ours["status"]) == (
        "127.0.0.1",
        8080,
        2,
        15,
        "passing",
    )
    (host,) = hosts(client, "orders")
    assert (host["ip"], host["port"], host["weight"], host["clusterName"]) == ("127.0.0.1", 8080, 2.5, "c1")
    assert (host["healthy"], host["enabled"], host["ephemeral"]) == (True, True, True)
    assert host["metadata"] == {"colour": "blue"}
    assert host["instanceId"] == "127.0.0.1#8080#c1#DEFAULT_GROUP@@orders"

    beaten = client.send_heartbeat(**place, cluster_name="c1")
    assert beaten == {"clientBeatInterval": 5000, "code": 10200, "lightBeatEnabled": True}
    assert client.get_naming_instance(**place, cluster_name="c1")["metadata"] == {"colour": "blue"}

    assert client.modify_naming_instance(**place, cluster_name="c1", weight=7.0, metadata={"size": 3})
    (host,) = hosts(client, "orders")
    assert (host["weight"], host["metadata"]) == (7.0, {"size": "3"})
    assert instances(registry, "orders")[0]["weight"] == 7
    assert client.modify_naming_instance(**place, cluster_name="c1", enable=False)
    assert hosts(client, "orders") == []
    assert [row["status"] for row in instances(registry, "orders")] == ["maintenance"]
    client.send_heartbeat(**place, cluster_name="c1")
    assert [row["status"] for row in instances(registry, "orders")] == ["maintenance"]
    assert client.modify_naming_instance(**place, cluster_name="c1", enable=True)
    assert len(hosts(client, "orders", clusters="c1,c2")) == 1
    assert hosts(client, "orders", clusters="c2") == []

    assert client.remove_naming_instance(**place, cluster_name="c1")
    assert instances(registry, "orders") == []
    assert client.remove_naming_instance(**place, cluster_name="c1"), "also when it is gone"


def test_a_beat_of_one_that_is_gone_registers_it(registry: Registry, client: NacosClient) -> None:
    assert client.send_heartbeat("lost", "127.0.0.1", 9090, weight=3.0, metadata={"a": "b"})["code"] == 10200
    (ours,) = instances(registry, "lost")
    assert (ours["port"], ours["weight"]) == (9090, 3)
    assert hosts(client, "lost")[0]["metadata"] == {"a": "b"}


def test_an_instance_that_falls_silent_is_unhealthy_until_it_beats_again(
    registry: Registry, client: NacosClient
) -> None:
    metadata = {"preserved.heart.beat.timeout": 3000, "preserved.heart.beat.interval": 1000}
    client.add_naming_instance("silent", "127.0.0.1", 7000, metadata=metadata)
    assert client.send_heartbeat("silent", "127.0.0.1", 7000)["clientBeatInterval"] == 1000
    wait_until(lambda: not hosts(client, "silent")[0]["healthy"], what="its lease ran out")
    assert hosts(client, "silent", healthy_only=True) == []
    client.send_heartbeat("silent", "127.0.0.1", 7000)
    assert hosts(client, "silent", healthy_only=True)[0]["healthy"]
    assert [row["status"] for row in instances(registry, "silent")] == ["passing"]


def test_it_keeps_itself_alive(registry: Registry) -> None:
    client = new_client(registry)
    metadata = {"preserved.heart.beat.timeout": 3000}
    client.add_naming_instance("lively", "127.0.0.1", 7001, metadata=metadata, heartbeat_interval=0.3)

    def ends_at() -> float:
        """When the lease ends, by this clock: it moves with a renewal only."""
        return time.monotonic() + float(instances(registry, "lively")[0]["expires_in_s"])

    try:
        for _ in range(3):
            before = ends_at()
            wait_until(lambda: ends_at() > before + 0.2, what="its own heartbeat")  # noqa: B023  # within the turn
    finally:
        client.remove_naming_instance("lively", "127.0.0.1", 7001)
    assert instances(registry, "lively") == []


def test_a_subscriber_hears_what_comes_changes_and_goes(registry: Registry, client: NacosClient) -> None:
    heard: list[tuple[str, int]] = []

    def listen(event: Any, instance: Any) -> None:
        heard.append((event, instance.instance["port"]))

    client.add_naming_instance("news", "127.0.0.1", 1)
    client.subscribe(SubscribeListener(listen, "tests"), 0.05, "news")
    try:
        wait_until(lambda: client.subscribed_local_manager.get_local_instances("news"), what="the first look")
        registry.register("news", "news-2", 2)
        wait_until(lambda: ("ADDED", 2) in heard, what="one that came, by our own API")
        client.modify_naming_instance("news", "127.0.0.1", 1, weight=4)
        wait_until(lambda: ("MODIFIED", 1) in heard, what="one that changed")
        client.remove_naming_instance("news", "127.0.0.1", 2)
        wait_until(lambda: ("DELETED", 2) in heard, what="one that went")
    finally:
        client.stop_subscribe()


def test_groups_and_names_that_are_no_labels_are_apart_and_come_back(registry: Registry, client: NacosClient) -> None:
    client.add_naming_instance("cart", "127.0.0.1", 1)
    client.add_naming_instance("cart", "127.0.0.1", 2, group_name="blue")
    client.add_naming_instance("com.example.CartApi", "127.0.0.1", 3)
    assert [host["port"] for host in hosts(client, "cart")] == [1]
    (blue,) = hosts(client, "cart", group_name="blue")
    assert (blue["port"], blue["serviceName"]) == (2, "blue@@cart")
    assert [host["port"] for host in hosts(client, "com.example.CartApi")] == [3]
    assert client.send_heartbeat("cart", "127.0.0.1", 2, group_name="blue")["code"] == 10200
    listed = registry.client.get("/nacos/v1/ns/service/list?pageNo=1&pageSize=100").json()
    assert {"cart", "com.example.CartApi"} <= set(listed["doms"])
    in_blue = registry.client.get("/nacos/v1/ns/service/list?pageNo=1&pageSize=100&groupName=blue").json()
    assert in_blue == {"count": 1, "doms": ["cart"]}


def test_a_namespace_and_a_password_are_taken(registry: Registry) -> None:
    namespace = "0d1e9a5c-8c1b-4c5e-9f8e-1f3a2b4c5d6e"
    client = new_client(registry, namespace=namespace, username="nacos", password="nacos")
    client.add_naming_instance("private", "127.0.0.1", 5)
    assert [row["port"] for row in instances(registry, "private", namespace)] == [5]
    assert instances(registry, "private") == []
    assert [host["port"] for host in hosts(client, "private")] == [5]


def test_what_cannot_be_done_is_an_error_for_the_client(client: NacosClient) -> None:
    with pytest.raises(NacosException, match="code is 400"):
        client.add_naming_instance("orders", "127.0.0.1", 0)
    with pytest.raises(NacosException, match="code is 404"):
        client.get_naming_instance("orders", "127.0.0.1", 1)
    with pytest.raises(NacosException, match="code is 400"):
        client.modify_naming_instance("orders", "127.0.0.1", 1, weight=2)
    assert hosts(client, "nobody") == []
