"""A client of Consul as it is, py-consul, against a registry process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import consul  # type: ignore[import-untyped]  # py-consul says its types, but has no py.typed
import pytest

from tests.parts.conditions import wait_until
from tests.parts.instances import EchoInstance
from tests.parts.planes import Registry

WAIT = "20s"
AT_ONCE_S = 5.0


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("consul"))
    yield registry
    registry.close()


@pytest.fixture
def client(process: Registry) -> consul.Consul:
    return consul.Consul(host="127.0.0.1", port=process.port)


class Watching:
    """A blocking query in a thread of its own. answer: (index, instances)."""

    def __init__(self, process: Registry, service: str, index: str, wait: str = WAIT) -> None:
        self.answer: tuple[str, list[Any]] | None = None
        self.took_s = 0.0
        self._client: Any = consul.Consul(host="127.0.0.1", port=process.port)
        self._query = {"service": service, "index": index, "wait": wait}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        begun = time.monotonic()
        self.answer = self._client.health.service(**self._query)
        self.took_s = time.monotonic() - begun

    def result(self) -> tuple[str, list[Any]]:
        self._thread.join(30)
        assert self.answer is not None
        return self.answer


def _register(client: consul.Consul, name: str, consul_id: str, port: int = 9000, **more: Any) -> None:
    check = consul.Check.ttl("10s")
    assert client.agent.service.register(
        name, service_id=consul_id, address="127.0.0.1", port=port, check=check, **more
    )


def _statuses(client: consul.Consul, name: str) -> dict[str, list[str]]:
    _, found = client.health.service(name)
    return {one["Service"]["ID"]: [check["Status"] for check in one["Checks"]] for one in found}


def _passing(client: consul.Consul, name: str) -> list[str]:
    _, found = client.health.service(name, passing=True)
    return [one["Service"]["ID"] for one in found]


def test_it_registers_renews_and_deregisters(client: consul.Consul, process: Registry) -> None:
    _register(client, "books", "books-1", tags=["v1"], meta={"owner": "ana"}, weights={"Passing": 3, "Warning": 1})
    # As in Consul, a TTL check is critical until its first update.
    assert _statuses(client, "books") == {"books-1": ["critical"]}
    assert client.agent.check.ttl_pass("service:books-1", notes="up")
    assert _passing(client, "books") == ["books-1"]
    service = client.agent.services()["books-1"]
    assert (service["Service"], service["Port"], service["Tags"], service["Meta"], service["Weights"]) == (
        "books",
        9000,
        ["v1"],
        {"owner": "ana"},
        {"Passing": 3, "Warning": 1},
    )
    ours = process.client.get("/v1/namespaces/default/services/books/instances/books-1").json()
    assert (ours["status"], ours["weight"], ours["ttl_s"], ours["tags"]) == ("passing", 3, 10, ["v1"])
    assert client.agent.service.deregister("books-1")
    assert _statuses(client, "books") == {}
    assert not client.agent.service.deregister("books-1")


def test_it_says_warning_and_failure_and_recovers(client: consul.Consul) -> None:
    _register(client, "mail", "mail-1", weights={"Passing": 10, "Warning": 2})
    client.agent.check.ttl_pass("service:mail-1")
    assert client.agent.check.ttl_warn("service:mail-1", notes="the queue is long")
    _, [found] = client.health.service("mail")
    assert (found["Checks"][0]["Status"], found["Checks"][0]["Output"]) == ("warning", "the queue is long")
    assert found["Service"]["Weights"] == {"Passing": 10, "Warning": 2}
    assert _passing(client, "mail") == []
    assert client.agent.check.ttl_fail("service:mail-1", notes="gone")
    assert _statuses(client, "mail") == {"mail-1": ["critical"]}
    assert client.agent.check.ttl_pass("service:mail-1")
    _, [found] = client.health.service("mail", passing=True)
    assert (found["Checks"][0]["Output"], found["Service"]["Weights"]["Passing"]) == ("", 10)


def test_a_watch_sees_a_change_at_once_and_answers_the_same_index_in_time(
    client: consul.Consul, process: Registry
) -> None:
    index, found = client.health.service("watched")
    assert found == []
    watching = Watching(process, "watched", index)
    _register(client, "watched", "watched-1")
    later, found = watching.result()
    assert [one["Service"]["ID"] for one in found] == ["watched-1"]
    assert int(later) > int(index)
    assert watching.took_s < AT_ONCE_S
    _register(client, "unwatched", "unwatched-1")
    quiet = Watching(process, "watched", later, wait="1s")
    same, found = quiet.result()
    assert (same, len(found)) == (later, 1)
    assert 1.0 <= quiet.took_s < 1.0 + AT_ONCE_S


def test_a_lease_that_runs_out_is_a_critical_check_and_a_watch_sees_it(
    client: consul.Consul, process: Registry
) -> None:
    check = consul.Check.ttl("1s")  # three seconds is the shortest lease there is
    assert client.agent.service.register("brief", port=9001, check=check)
    client.agent.check.ttl_pass("service:brief")
    index, [found] = client.health.service("brief")
    assert found["Checks"][0]["Status"] == "passing"
    _, [found] = Watching(process, "brief", index).result()
    assert found["Checks"][0]["Status"] == "critical"


def test_maintenance_takes_an_instance_out_and_a_renewal_does_not_bring_it_back(
    client: consul.Consul, process: Registry
) -> None:
    _register(client, "shop", "shop-1")
    client.agent.check.ttl_pass("service:shop-1")
    index, _ = client.health.service("shop")
    watching = Watching(process, "shop", index)
    assert client.agent.service.maintenance("shop-1", "true", reason="new disks")
    _, [found] = watching.result()
    assert {check["CheckID"]: check["Status"] for check in found["Checks"]} == {
        "service:shop-1": "passing",
        "_service_maintenance:shop-1": "critical",
    }
    assert found["Checks"][1]["Notes"] == "new disks"
    client.agent.check.ttl_pass("service:shop-1")
    _register(client, "shop", "shop-1")
    assert _passing(client, "shop") == []
    ours = process.client.get("/v1/namespaces/default/services/shop/instances/shop-1").json()
    assert ours["status"] == "maintenance"
    assert client.agent.service.maintenance("shop-1", "false")
    assert _passing(client, "shop") == ["shop-1"]


def test_an_instance_of_another_protocol_is_discovered_and_drains(client: consul.Consul, process: Registry) -> None:
    process.register("native", "n1", 9002, tags=["blue"])
    assert _passing(client, "native") == ["native:n1"]
    assert client.agent.services()["native:n1"]["Port"] == 9002
    place = "/v1/namespaces/default/services/native/instances/n1"
    process.client.patch(place, json={"status": "draining"}).raise_for_status()
    assert _passing(client, "native") == []
    with pytest.raises(consul.exceptions.BadRequest, match="not registered by this API"):
        client.agent.check.ttl_pass("service:native:n1")
    assert client.agent.service.deregister("native:n1")
    assert process.client.get(place).status_code == 404


def test_an_id_is_any_text_and_is_one_service_s(client: consul.Consul, process: Registry) -> None:
    _register(client, "Carts", "carts@host.example:8080")
    client.agent.check.ttl_pass("service:carts@host.example:8080")
    assert _passing(client, "CARTS") == ["carts@host.example:8080"]
    [ours] = process.client.get("/v1/namespaces/default/services/carts/instances").json()["items"]
    assert ours["id"].startswith("carts-host-example-8080-")
    _register(client, "baskets", "carts@host.example:8080")
    wait_until(lambda: _statuses(client, "carts") == {}, what="the ID has moved")
    assert _statuses(client, "baskets") == {"carts@host.example:8080": ["critical"]}


def test_the_same_registration_again_is_no_change(client: consul.Consul) -> None:
    _register(client, "steady", "steady-1")
    client.agent.check.ttl_pass("service:steady-1")
    index, _ = client.health.service("steady")
    _register(client, "steady", "steady-1")
    assert client.health.service("steady")[0] == index
    _register(client, "steady", "steady-1", port=9009)
    later, [found] = client.health.service("steady")
    assert int(later) > int(index)
    assert (found["Service"]["Port"], found["Checks"][0]["Status"]) == (9009, "passing")


def test_without_a_check_it_passes_and_gets_one_later(client: consul.Consul, process: Registry) -> None:
    assert client.agent.service.register("plain", port=9003)
    assert _statuses(client, "plain") == {"plain": []}
    assert _passing(client, "plain") == ["plain"]
    ours = process.client.get("/v1/namespaces/default/services/plain/instances/plain").json()
    assert (ours["address"], ours["ttl_s"]) == ("127.0.0.1", 3600)
    assert client.agent.check.register("alive", check=consul.Check.ttl("15s"), service_id="plain")
    assert _statuses(client, "plain") == {"plain": ["critical"]}
    assert client.agent.checks()["alive"]["ServiceID"] == "plain"
    assert client.agent.check.ttl_pass("alive")
    assert _passing(client, "plain") == ["plain"]
    assert client.agent.check.deregister("alive")
    assert _statuses(client, "plain") == {"plain": []}


def test_a_check_that_an_agent_runs_is_run_by_the_registry(client: consul.Consul, tmp_path: Path) -> None:
    service = EchoInstance(tmp_path, "asked")
    try:
        asked = consul.Check.http(f"http://localhost:{service.port}/", interval="1s", timeout="500ms")
        assert client.agent.service.register("asked", address="127.0.0.1", port=service.port, check=asked)
        wait_until(lambda: _passing(client, "asked") == ["asked"], what="it answers")
        _, [found] = client.health.service("asked")
        assert [(check["Type"], check["Interval"]) for check in found["Checks"]] == [("http", "1s")]
        with pytest.raises(consul.exceptions.BadRequest, match="does not have associated TTL"):
            client.agent.check.ttl_pass("service:asked")
        service.kill()
        wait_until(lambda: _statuses(client, "asked") == {"asked": ["critical"]}, what="it answers no more")
    finally:
        service.stop()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        connected = consul.Check.tcp("127.0.0.1", port, interval="1s")
        assert client.agent.service.register("connected", address="127.0.0.1", port=port, check=connected)
        wait_until(lambda: _passing(client, "connected") == ["connected"], what="it accepts")
    assert client.agent.check.deregister("service:connected")
    assert _statuses(client, "connected") == {"connected": []}


def test_the_catalogue_lists_services_nodes_and_what_runs_there(client: consul.Consul) -> None:
    _register(client, "listed", "listed-1", tags=["a", "b"])
    _register(client, "listed", "listed-2", tags=["b", "c"])
    _, services = client.catalog.services()
    assert services["listed"] == ["a", "b", "c"]
    _, found = client.catalog.service("listed", tag="A")
    assert [(one["ServiceID"], one["Node"], one["ServicePort"]) for one in found] == [("listed-1", "127.0.0.1", 9000)]
    _, nodes = client.catalog.nodes()
    assert [node["Address"] for node in nodes] == ["127.0.0.1"]
    _, node = client.catalog.node("127.0.0.1")
    assert {"listed-1", "listed-2"} <= node["Services"].keys()
    _, critical = client.health.state("critical")
    assert {"listed-1", "listed-2"} <= {check["ServiceID"] for check in critical}
    _, checks = client.health.checks("listed")
    assert [check["CheckID"] for check in checks] == ["service:listed-1", "service:listed-2"]


def test_a_service_somebody_else_watches_is_registered_in_the_catalogue(client: consul.Consul) -> None:
    service = {"Service": "db", "ID": "db-1", "Port": 5432}
    check = {"Name": "seen", "Status": "critical", "ServiceID": "db-1"}
    assert client.catalog.register("db-host", "127.0.0.1", service=service, check=check)
    assert _statuses(client, "db") == {"db-1": ["critical"]}
    assert client.catalog.register("db-host", "127.0.0.1", service=service, check=check | {"Status": "passing"})
    assert _passing(client, "db") == ["db-1"]
    assert client.catalog.deregister("db-host", service_id="db-1")
    assert _statuses(client, "db") == {}


def test_what_an_agent_says_of_itself(client: consul.Consul, process: Registry) -> None:
    assert client.agent.self()["Config"]["Datacenter"] == "dc1"
    assert [member["Status"] for member in client.agent.members()] == [1]
    assert client.status.leader() == f"127.0.0.1:{process.port}"
    assert client.status.peers() == [f"127.0.0.1:{process.port}"]
    assert client.catalog.datacenters() == ["dc1"]


def test_what_is_not_there_says_so_in_consul_s_form(client: consul.Consul) -> None:
    with pytest.raises(consul.ConsulException, match="501 The key/value store"):
        client.kv.get("some/key")
    with pytest.raises(consul.ConsulException, match="501 Sessions"):
        client.session.create()
    with pytest.raises(consul.exceptions.ACLDisabled, match="ACL support disabled"):
        client.acl.tokens.list()
    with pytest.raises(consul.exceptions.BadRequest, match="Invalid service name"):
        client.agent.service.register("no_label", port=1)
    with pytest.raises(consul.exceptions.BadRequest, match="port"):
        client.agent.service.register("portless")
    with pytest.raises(consul.exceptions.BadRequest, match="datacenter"):
        client.health.service("books", dc="mars")
    assert client.agent.check.ttl_pass("service:nobody") is False


def test_everything_outlives_the_registry(client: consul.Consul, process: Registry, tmp_path: Path) -> None:
    _register(client, "kept", "Kept.1")
    client.agent.check.ttl_pass("service:Kept.1")
    index, _ = client.health.service("kept")
    process.restart(9)
    assert _passing(client, "kept") == ["Kept.1"]
    assert int(client.health.service("kept")[0]) >= int(index)
    assert client.agent.check.ttl_pass("service:Kept.1")
