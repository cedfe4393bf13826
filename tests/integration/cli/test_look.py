"""What the command shows of a real registry, and how it fails: texts and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.test_documents import SHOP, write
from tests.parts.command import Ended, meshway
from tests.parts.planes import Registry
from tests.parts.ports import free_port

Run = Callable[..., Ended]
OFFICE = """\
---
apiVersion: meshway/v1
kind: AccessPolicy
metadata: {name: office}
spec: {targets: [{service: cart}], default: allow, rules: [{action: deny, from: [{not_cidr: [127.0.0.0/8]}]}]}
"""


def test_instances_are_listed_with_their_leases(registry: Registry, run: Run, namespace: str) -> None:
    registry.register("cart", "one", 9000, namespace, ttl_s=3600, version="v1", tags=["a"])
    shown = run("instances", "cart")
    assert shown.code == 0
    heading, row = shown.out.splitlines()
    assert heading.split() == ["ID", "STATUS", "ADDRESS", "VERSION", "ZONE", "LEASE"]
    assert row.split()[:5] == ["one", "✓", "passing", "127.0.0.1:9000", "v1"]
    assert run("instances", "cart", "-o", "name").out == "cart/one\n"
    assert json.loads(run("instances", "cart", "-o", "json").out)["items"][0]["id"] == "one"


def test_instances_of_an_unknown_service_are_exit_4_with_the_nearest(
    registry: Registry, run: Run, namespace: str
) -> None:
    registry.register("reviews", "one", 9000, namespace, ttl_s=3600)
    refused = run("instances", "review")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err == f"error: Service {namespace}/review does not exist\nmend:  did you mean reviews?\n"


def test_a_service_that_waits_for_its_first_instance_says_how(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    shown = run("instances", "cart")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err == f"no instances of {namespace}/cart; register one: meshway register cart --port N\n"


def test_services_show_their_health(registry: Registry, run: Run, namespace: str) -> None:
    registry.register("cart", "one", 9000, namespace, ttl_s=3600)
    assert run("get", "services").out.splitlines()[1].split()[:4] == ["cart", "✓", "ok", "1/1"]


def test_a_service_is_described_with_all_that_concerns_it(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP + OFFICE)
    run("apply", "-f", "shop.yaml")
    shown = run("describe", "service/cart", "--effective")
    assert shown.code == 0
    assert f"cart.{namespace}.mesh" in shown.out
    assert f"Route {namespace}/cart   rule 0" in shown.out
    assert f"AccessPolicy {namespace}/office   by service cart" in shown.out
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["retry.max_retries", "2", "TrafficPolicy", f"{namespace}/cart"] in rows
    assert ["retry.backoff.base", "25ms", "built", "in"] in rows


def test_a_route_is_described_with_all_that_concerns_it(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP + OFFICE)
    run("apply", "-f", "shop.yaml")
    shown = run("describe", "route/cart")
    assert shown.code == 0
    revision = json.loads(run("get", "route", "cart", "-o", "json").out)["metadata"]["revision"]
    lines = shown.out.splitlines()
    assert lines[0] == f"Route {namespace}/cart   shop.yaml:10 r{revision}"
    assert ["listeners", "edge"] in [line.split() for line in lines]
    assert ["0", "path", "prefix", "/cart", "cart", "timeouts"] in [line.split() for line in lines]
    for kind, name, by in (
        ("RateLimit", "cart", "route cart"),
        ("TrafficPolicy", "cart", "service cart"),
        ("AccessPolicy", "office", "service cart"),
    ):
        assert f"  {kind} {namespace}/{name}   by {by}   shop.yaml:" in shown.out
    assert "  cart   ✓ static" in shown.out
    assert lines[-1] == "no gateway tells of its calls: no gateway is connected"
    assert run("describe", "route/cart", "-o", "yaml").out.startswith("apiVersion: meshway/v1\n")


def test_a_name_that_is_nearly_right_is_answered_with_the_nearest(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    refused = run("get", "route/crt")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err == f"error: Route {namespace}/crt does not exist\nmend:  did you mean cart?\n"


def test_a_name_without_its_kind_is_answered_with_the_kind(run: Run, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    refused = run("describe", "cart")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        'error: there is no kind "cart"\n'
        "mend:  did you mean service/cart, route/cart, trafficpolicy/cart or ratelimit/cart?\n"
    )
    assert "did you mean" not in run("describe", "nobody").err


def test_a_kind_that_is_nearly_right_is_answered_with_the_nearest(run: Run) -> None:
    refused = run("get", "rout")
    assert (refused.code, refused.err) == (2, 'error: there is no kind "rout"\nmend:  did you mean route?\n')


def test_a_command_that_is_nearly_right_is_usage(run: Run) -> None:
    refused = run("aply")
    assert refused.code == 2
    assert "apply" in refused.err


def test_a_registry_that_is_down_is_exit_7() -> None:
    port = free_port()
    refused = meshway("get", "routes", "--registry", f"127.0.0.1:{port}")
    assert (refused.code, refused.out) == (7, "")
    assert refused.err == (
        f"error: registry at http://127.0.0.1:{port} does not answer\n"
        "why:   connection refused\n"
        "mend:  start it (meshway up) or name another: --registry URL\n"
    )


def test_something_else_than_a_registry_is_told() -> None:
    refused = meshway("get", "routes", "--registry", "ftp://x")
    assert refused.code == 2
    assert "--registry" in refused.err


@pytest.mark.parametrize("timeout", ["5", "soon"])
def test_a_time_without_unit_is_usage(run: Run, timeout: str) -> None:
    refused = run("get", "routes", "--timeout", timeout)
    assert refused.code == 2
    assert refused.err.startswith("error: --timeout: ")


def test_check_fails_without_a_gateway(run: Run) -> None:
    shown = run("check", "--gateway", f"http://127.0.0.1:{free_port()}")
    assert shown.code == 1
    assert "✓ registry" in shown.out
    assert "✗ no gateway reports to this registry" in shown.out
    assert json.loads(run("check", "-o", "json").out)["failed"] == 1


def test_healthcheck_is_for_containers(registry: Registry, run: Run) -> None:
    assert run("healthcheck").code == 0
    assert meshway("healthcheck", "--registry", f"http://127.0.0.1:{free_port()}").code == 1


def test_verbose_errors_carry_the_request_id_and_the_whole_problem(run: Run) -> None:
    refused = run("get", "revision/99999999", "-v")
    assert refused.code == 4
    problem = json.loads(refused.err[refused.err.index("{") :])
    assert (problem["status"], problem["code"]) == (404, "not_found")
    assert problem["instance"]  # the request's id, which stands in the registry's log
    assert "{" not in run("get", "revision/99999999").err


def test_a_document_that_is_not_there_shows_its_problem_with_v(run: Run) -> None:
    refused = run("get", "route/absent", "-v")
    assert refused.code == 4
    assert json.loads(refused.err[refused.err.index("{") :])["instance"]


def test_history_is_shown(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    assert f"created RateLimit {namespace}/cart" in run("get", "revisions").out
    assert namespace in run("get", "namespaces").out
