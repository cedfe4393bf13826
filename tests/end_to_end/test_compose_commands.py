"""Every command and health check of docker-compose.yml, run as plain processes over a real PostgreSQL and Valkey: only
the containers stay untried.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.parts.compose import Here
from tests.parts.conditions import wait_until
from tests.parts.processes import ROOT
from tests.parts.valkey import Valkey


@pytest.fixture
def here(tmp_path: Path, database_url: str, valkey: Valkey) -> Iterator[Here]:
    """With the tables made."""
    running = Here(tmp_path, database_url=database_url, redis_url=valkey.url)
    assert running.start("migrate").popen.wait(30) == 0, running.processes["migrate"].text()
    yield running
    running.close()


def start_healthy(here: Here, *names: str) -> None:
    for name in names:
        here.start(name)
    for name in names:
        wait_until(lambda n=name: is_healthy(here, n), 60, every_s=0.2, what=f"{name} healthy")  # type: ignore[misc]


def make_tokens(here: Here) -> None:
    """Again is no fault: the engine runs it at every start."""
    for _ in range(2):
        assert here.start("tokens").popen.wait(30) == 0, here.processes["tokens"].text()


def signed_in(here: Here, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {(here.folder / 'tokens' / name / f'{name}.token').read_text().strip()}"}


def is_healthy(here: Here, name: str) -> bool:
    """Fails at once, with what it said, when the process has ended."""
    assert here.processes[name].is_running(), here.processes[name].text()
    return here.is_healthy(name)


def test_all_services_start_turn_healthy_and_show_the_page(here: Here) -> None:
    for name in ("registry", "gateway"):
        assert not here.is_healthy(name)
        start_healthy(here, name)
        if name == "registry":
            make_tokens(here)
    assert httpx.get(here.url("registry", 8500) + "/v1/gateways").status_code == 401
    assert here.start("documents").popen.wait(30) == 0, here.processes["documents"].text()
    start_healthy(here, *[name for name, service in here.services.items() if "entrypoint" in service])
    page = here.url("gateway", 8580) + "/productpage"
    wait_until(lambda: "★" in httpx.get(page, timeout=10).text, 30, every_s=0.2, what="the page with stars")


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed: the balancer is not tried")
def test_at_scale_a_plane_may_die_and_the_one_address_goes_on(here: Here) -> None:
    config = here.replaced((ROOT / "deploy" / "haproxy.cfg").read_text())
    for name in ("registry", "gateway", "gateway-2", "gateway-3"):
        config = config.replace(
            f"server {name} 127.0.0.1:{here.ports[name, 8580]} check port 8590",
            f"server {name} 127.0.0.1:{here.ports[name, 8580]} check port {here.ports[name, 8590]}",
        )
        config = config.replace(
            f"server {name} 127.0.0.1:{here.ports[name, 8581]} check port 8590",
            f"server {name} 127.0.0.1:{here.ports[name, 8581]} check port {here.ports[name, 8590]}",
        )
    for port in (9500, 9580, 9581):
        config = config.replace(f"bind :{port}", f"bind 127.0.0.1:{here.ports['balancer', port]}")
    (here.folder / "haproxy.cfg").write_text(config)
    start_healthy(here, "registry", "registry-2")
    make_tokens(here)
    start_healthy(here, "gateway", "gateway-2", "gateway-3", "balancer")
    registry, mesh = here.url("balancer", 9500), here.url("balancer", 9581)
    with httpx.Client(timeout=10, trust_env=False, headers=signed_in(here, "admin")) as client:
        wait_until(lambda: len(live_gateways(client, registry)) == 3, 20, every_s=0.1, what="three live gateways")
        start_healthy(here, "details")
        host = {"Host": "details.bookinfo.mesh"}
        wait_until(lambda: client.get(f"{mesh}/health", headers=host).status_code == 200, 20, what="details is called")
        here.processes["registry"].kill()
        here.processes["gateway-2"].kill()
        answers = [client_get(f"{mesh}/health", host) for _ in range(60)]
        assert sum(status == 200 for status in answers) >= 50, answers
        wait_until(lambda: written(client, registry), 20, every_s=0.1, what="a write through the other registry")
        wait_until(lambda: len(live_gateways(client, registry)) == 2, 20, every_s=0.1, what="two live gateways")
    for name in ("balancer", "gateway", "gateway-3", "registry-2"):
        here.processes[name].send(signal.SIGUSR1 if name == "balancer" else signal.SIGTERM)
        assert here.processes[name].popen.wait(40) in (0, 143), here.processes[name].text()


def live_gateways(client: httpx.Client, registry: str) -> list[str]:
    try:
        return [row["node"] for row in client.get(f"{registry}/v1/gateways").json()["items"] if row["live"]]
    except httpx.TransportError:
        return []


def client_get(url: str, headers: dict[str, str]) -> int:
    """On a connection of its own, so that every call is balanced."""
    try:
        return httpx.get(url, headers=headers, timeout=10, trust_env=False).status_code
    except httpx.TransportError:
        return 0


def written(client: httpx.Client, registry: str) -> bool:
    body = {"port": 9, "address": "127.0.0.1"}
    try:
        path = "/v1/namespaces/default/services/late/instances/l-1"
        return client.put(registry + path, json=body, headers={"Prefer": "wait=5"}).status_code in (200, 201)
    except httpx.TransportError:
        return False
