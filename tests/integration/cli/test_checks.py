"""What `check` finds in a real mesh: each warning and failure with its words, and the exit code."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.command import Ended, meshway
from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port

Run = Callable[..., Ended]
BREAKER = """\
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: dead}
spec: {targets: [{service: dead}], breaker: {minimum_requests: 5, open_for: 60s}}
"""
ROUTE = """\
apiVersion: meshway/v1
kind: Route
metadata: {name: led}
spec: {rules: [{destinations: [{service: passing-by}]}]}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Of its own, since check looks at every namespace."""
    running = Registry(tmp_path_factory.mktemp("registry"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"), registry.url, 2)
    yield running
    running.close()


def check(registry: Registry, gateway: Gateway, *flags: str) -> Ended:
    return meshway("check", "--registry", registry.url, "--gateway", f"http://127.0.0.1:{gateway.admin_port}", *flags)


def verdicts(registry: Registry, gateway: Gateway) -> dict[str, str]:
    found = json.loads(check(registry, gateway, "-o", "json").out)["checks"]
    return {finding["id"]: finding["verdict"] for finding in found}


def test_a_quiet_mesh_passes_every_check(registry: Registry, gateway: Gateway) -> None:
    registry.register("hello", "one", 9000, ttl_s=3600)  # longer than all tests of the file take
    wait_until(lambda: verdicts(registry, gateway).get("gateways-current") == "passed", 20, what="a current gateway")
    shown = check(registry, gateway)
    assert shown.code == 0, shown
    assert "✓ 1 service known" in shown.out
    assert "admins without a token" in shown.out
    assert shown.err.startswith("0 failed, 0 warnings, ")
    assert check(registry, gateway, "-q").out == ""


def test_what_a_gateway_refuses_keeps_and_ejects_is_told(registry: Registry, gateway: Gateway) -> None:
    report = {"node": "gw-9", "revision": 2**40, "workers": 1}
    refused = {"kind": "Route", "namespace": "default", "name": "r", "path": "spec.hosts[0]", "reason": "is no service"}
    found = {"refused": [refused], "mass_removal_guard": 7, "ejected": ["default/hello/one"]}
    found |= {"limits_alone": "no registry is followed", "open_breakers": ["default/hello#v1", "default/hello-2"]}
    assert registry.client.post("/v1/reports", json=report | found).status_code == 204
    shown = check(registry, gateway)
    assert registry.client.post("/v1/reports", json=report | found).status_code == 204
    described = meshway("describe", "service/hello", "--registry", registry.url)
    assert registry.client.post("/v1/reports", json=report | {"is_leaving": True}).status_code == 204
    assert shown.code == 1
    lines = shown.out.splitlines()
    assert "✗ gateway gw-9 refuses Route default/r: spec.hosts[0] is no service" in lines
    assert "✗ gateway gw-9 calls 7 endpoints on that vanished from the registry at once" in lines
    assert "! gateway gw-9 counts shared limits by its own share: no registry is followed" in lines
    assert "! gateway gw-9 does not call default/hello/one: their calls fail" in lines
    assert (
        "! gateway gw-9 keeps calls away from default/hello#v1, default/hello-2: the breaker is open, as too many of "
        "them failed"
    ) in lines
    assert [line for line in described.out.splitlines() if line.startswith("!")] == [
        "! gateway gw-9 does not call one: its calls fail; see its log",
        "! gateway gw-9 keeps calls away from default/hello#v1: its breaker is open, as too many failed; it "
        "tries again by itself",
    ]


def test_a_breaker_that_opened_is_a_warning_though_the_lease_is_long(
    registry: Registry, gateway: Gateway, tmp_path: Path
) -> None:
    registry.register("dead", "one", free_port(), ttl_s=3600)
    (tmp_path / "policy.yaml").write_text(BREAKER)
    assert meshway("apply", "-f", str(tmp_path / "policy.yaml"), "--registry", registry.url).code == 0

    def is_told() -> bool:
        gateway.get("dead.default.mesh")
        return any(
            "default/dead" in each["open_breakers"] for each in registry.client.get("/v1/gateways").json()["items"]
        )

    wait_until(is_told, 20, what="a report of the breaker")
    assert verdicts(registry, gateway)["breakers-open"] == "warning"
    described = meshway("describe", "service/dead", "--registry", registry.url).out
    assert described.startswith("Service default/dead   ! alive, but not called\n")
    assert "keeps calls away from default/dead: its breaker is open" in described


def test_a_sole_instance_that_died_is_told_though_its_lease_is_long(registry: Registry, gateway: Gateway) -> None:
    registry.register("alone", "one", free_port(), ttl_s=3600)

    def is_told() -> bool:
        gateway.get("alone.default.mesh")
        return any(
            "default/alone/one" in each["failing"] for each in registry.client.get("/v1/gateways").json()["items"]
        )

    wait_until(is_told, 20, what="a report of the failing instance")
    assert verdicts(registry, gateway)["instances-failing"] == "warning"
    shown = check(registry, gateway).out
    assert "default/alone/one on though the calls fail: there is no other" in shown
    described = meshway("describe", "service/alone", "--registry", registry.url).out
    assert described.startswith("Service default/alone   ! alive by its leases, but its calls fail\n")
    assert "calls one on though the calls fail" in described


def test_no_gateway_is_asked_that_the_registry_does_not_know(registry: Registry, gateway: Gateway) -> None:
    known, away = meshway("check", "--registry", registry.url), meshway("check", "--registry", "http://127.0.0.1:1")
    assert (known.code, away.code) == (0, 7)
    for shown in (known, away):
        assert "8590" not in shown.out
        assert " is ready\n" not in shown.out


def test_instances_that_went_silent_are_a_warning_while_others_pass(registry: Registry, gateway: Gateway) -> None:
    registry.register("cart", "one", 9000, ttl_s=300)
    registry.register("cart", "two", 9001, ttl_s=3)
    wait_until(lambda: verdicts(registry, gateway).get("instances-critical") == "warning", 20, what="a critical one")
    shown = check(registry, gateway)
    assert shown.code == 0
    assert (
        "! default/cart: 1 of 2 instances critical\n    mend: meshway describe service/cart -n default\n" in shown.out
    )


def test_a_service_with_nobody_left_is_a_failure(registry: Registry, gateway: Gateway) -> None:
    registry.register("lonely", "one", 9000, ttl_s=3)
    wait_until(lambda: verdicts(registry, gateway).get("instances-critical") == "failed", 20, what="nobody left")
    shown = check(registry, gateway)
    assert shown.code == 1
    assert "✗ default/lonely: 1 of 1 instances critical" in shown.out


def test_a_route_whose_service_has_gone_is_a_warning(registry: Registry, gateway: Gateway, tmp_path: Path) -> None:
    registry.register("passing-by", "one", 9000, ttl_s=3600)
    (tmp_path / "route.yaml").write_text(ROUTE)
    at = ("--registry", registry.url)
    assert meshway("apply", "-f", str(tmp_path / "route.yaml"), *at).code == 0
    words = "! Route default/led: default/passing-by is no service any more\n    mend: register an instance of it"
    assert "any more" not in check(registry, gateway).out
    assert meshway("deregister", "passing-by", "one", *at).code == 0
    assert words in check(registry, gateway).out
    assert meshway("delete", "route/led", "--yes", *at).code == 0
    assert "any more" not in check(registry, gateway).out


def test_an_admin_address_that_does_not_answer_is_a_warning(registry: Registry, gateway: Gateway) -> None:
    shown = meshway("check", "--registry", registry.url, "--gateway", "http://127.0.0.1:1")
    assert "! no gateway answers at http://127.0.0.1:1\n    mend: another admin address: --gateway URL" in shown.out


def test_check_without_a_registry_is_exit_7_and_still_asks_the_gateway(gateway: Gateway) -> None:
    admin = f"http://127.0.0.1:{gateway.admin_port}"
    shown = meshway("check", "--registry", "http://127.0.0.1:1", "--gateway", admin)
    assert shown.code == 7
    assert shown.out.splitlines() == [
        "✗ registry at http://127.0.0.1:1 does not answer: connection refused",
        "    mend: start it (meshway up) or name another: --registry URL",
        f"✓ gateway {admin} is ready",
    ]


def test_a_registry_without_its_redis_is_a_warning_with_the_mend(tmp_path: Path, gateway: Gateway) -> None:
    alone = Registry(tmp_path, "--redis-url", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    try:
        shown = check(alone, gateway)
        assert "! registry " + alone.url + " serves without Redis, no lease ends: Error 111" in shown.out
        assert "MESHWAY_REDIS_URL" in shown.out
        assert "hunter2" not in shown.out + shown.err + alone.process.text()
        assert "Redis at redis://:***@127.0.0.1:" in alone.process.text()
        names = meshway("get", "namespaces", "--registry", alone.url)
        assert "EXPIRY" in names.out
    finally:
        alone.close()
