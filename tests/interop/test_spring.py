"""Two Spring Boot applications, one with Eureka's starter and one with Consul's: each registers, is found by the other
through its own protocol, and is called through the gateway. Neither holds a line for Meshway. Wants Java 17 and Maven;
`make interop`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process

pytestmark = pytest.mark.interop

BUILD_S = 600.0
START_S = 90.0
PAIRS = [("stock", "orders"), ("orders", "stock")]
EUREKA = (
    "--eureka.client.service-url.defaultZone={registry}/eureka/",
    "--eureka.client.registry-fetch-interval-seconds=1",
    "--eureka.instance.lease-renewal-interval-in-seconds=1",
    "--eureka.instance.lease-expiration-duration-in-seconds=5",
    "--eureka.instance.hostname=127.0.0.1",
    "--eureka.instance.ip-address=127.0.0.1",
)
CONSUL = (
    "--spring.cloud.consul.host=127.0.0.1",
    "--spring.cloud.consul.port={registry_port}",
    "--spring.cloud.consul.discovery.prefer-ip-address=true",
    "--spring.cloud.consul.discovery.ip-address=127.0.0.1",
    "--spring.cloud.consul.discovery.query-passing=true",
    "--spring.cloud.consul.discovery.health-check-interval=1s",
)


class Application:
    """One of tests/interop/spring in a JVM of its own, whose proxy is the gateway."""

    def __init__(self, name: str, jar: Path, gateway: Gateway, output: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = output
        jvm = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        jvm += ["-Dhttp.proxyHost=127.0.0.1", f"-Dhttp.proxyPort={gateway.mesh_port}"]
        own = [f"--spring.application.name={name}", f"--server.port={self.port}", "--server.address=127.0.0.1"]
        self.process = Process([*jvm, "-jar", str(jar), *own, *arguments], output)

    def get(self, path: str) -> httpx.Response:
        assert self.process.is_running(), self.output.read_text()
        return httpx.get(self.url + path, timeout=20.0, trust_env=False)


class Site:
    def __init__(self, folder: Path, jars: dict[str, Path], closing: ExitStack) -> None:
        self.registry = Registry(folder)
        closing.callback(self.registry.close)
        self.gateway = Gateway(folder, self.registry.url)
        closing.callback(self.gateway.close)
        where = {"registry": self.registry.url, "registry_port": self.registry.port}
        self.orders, self.stock = (
            Application(name, jars[kind], self.gateway, folder / f"{name}.out", *(row.format(**where) for row in rows))
            for name, kind, rows in (("orders", "eureka", EUREKA), ("stock", "consul", CONSUL))
        )
        for application in (self.orders, self.stock):
            closing.callback(application.process.stop)

    def instances(self, service: str) -> list[dict[str, Any]]:
        path = f"/v1/namespaces/default/services/{service}/instances"
        items: list[dict[str, Any]] = self.registry.client.get(path).json()["items"]
        return items

    def statuses(self, service: str) -> list[str]:
        return [instance["status"] for instance in self.instances(service)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
    folder = tmp_path_factory.mktemp("spring")
    sources = folder / "sources"
    shutil.copytree(ROOT / "tests" / "interop" / "spring", sources, ignore=shutil.ignore_patterns("target"))
    command = ["mvn", "-q", "-B", "package"]
    built = subprocess.run(command, cwd=sources, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    jars = {kind: sources / kind / "target" / f"{kind}.jar" for kind in ("eureka", "consul")}
    with ExitStack() as closing:
        yield Site(folder, jars, closing)


def named(site: Site, service: str) -> Application:
    return site.orders if service == "orders" else site.stock


@pytest.mark.parametrize("service", ["orders", "stock"])
def test_it_registers_with_what_it_is(site: Site, service: str) -> None:
    wait_until(lambda: site.statuses(service) == ["passing"], START_S, what="it registers")
    (instance,) = site.instances(service)
    assert (instance["address"], instance["port"]) == ("127.0.0.1", named(site, service).port)


def test_the_one_renews_without_a_revision_and_the_other_is_asked(site: Site) -> None:
    (orders,), (stock,) = site.instances("orders"), site.instances("stock")
    assert stock["check"]["path"] == "/actuator/health"

    def left_s() -> float:
        return float(site.instances("orders")[0]["expires_in_s"])

    least_s = orders["ttl_s"] - 0.3
    wait_until(lambda: 0 < left_s() < least_s, what="some of its time has passed")
    wait_until(lambda: left_s() > least_s, what="it renews")
    assert site.instances("orders")[0]["revision"] == orders["revision"]
    stock_process = site.stock.process
    stock_process.send(signal.SIGSTOP)
    wait_until(lambda: site.statuses("stock") == ["critical"], START_S, what="it does not answer")
    stock_process.send(signal.SIGCONT)
    wait_until(lambda: site.statuses("stock") == ["passing"], START_S, what="it answers again")


@pytest.mark.parametrize(("asks", "service"), PAIRS)
def test_each_finds_the_other_by_its_own_protocol(site: Site, asks: str, service: str) -> None:
    asking, found = named(site, asks), [named(site, service).url]
    wait_until(lambda: asking.get(f"/known/{service}").json() == found, START_S, what="the other is found")


@pytest.mark.parametrize(("calls", "service"), PAIRS)
def test_each_calls_the_other_through_the_gateway(site: Site, calls: str, service: str) -> None:
    calling = named(site, calls)
    wait_until(lambda: calling.get(f"/call/{service}").status_code == 200, what="an answer")
    assert calling.get(f"/call/{service}").text == f"hello from {service}"
    wait_until(lambda: service in str(site.gateway.access_log()), what="the gateway says that it carried the call")


def test_one_that_is_taken_out_of_service_is_not_called_until_it_is_back(site: Site) -> None:
    (listed,) = site.registry.client.get("/eureka/apps/ORDERS", headers={"Accept": "application/json"}).json()[
        "application"
    ]["instance"]
    status = f"/eureka/apps/ORDERS/{listed['instanceId']}/status"
    assert site.registry.client.put(status, params={"value": "OUT_OF_SERVICE"}).status_code == 200
    wait_until(lambda: site.gateway.get("orders", "/hello").status_code == 503, what="the gateway calls it no more")
    wait_until(lambda: site.stock.get("/known/orders").json() == [], what="Consul's client knows")
    assert site.registry.client.delete(status).status_code == 200
    wait_until(lambda: site.gateway.get("orders", "/hello").status_code == 200, what="it is called again")


def test_one_that_stops_leaves_by_itself(site: Site) -> None:
    site.orders.process.stop()
    assert site.instances("orders") == []
    wait_until(lambda: site.stock.get("/known/orders").json() == [], what="it is gone for others")
    site.stock.process.stop()
    assert site.instances("stock") == []
