"""History, rollback and waiting through the command, with a real registry; gateways are the reports they send."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.cli.test_documents import SHOP, write
from tests.parts.command import Ended, meshway_at_terminal
from tests.parts.planes import Registry

Run = Callable[..., Ended]


def head(registry: Registry) -> int:
    return int(registry.client.get("/v1/health/live").headers["meshway-revision"])


def report(registry: Registry, node: str, revision: int, *refused: dict[str, Any]) -> None:
    answer = registry.client.post("/v1/reports", json={"node": node, "revision": revision, "refused": list(refused)})
    assert answer.status_code < 300, answer.text


def test_history_of_a_document_says_who_changed_what(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    write(tmp_path, SHOP.replace("90s", "5s"))
    run("apply", "-f", "shop.yaml")
    first, change, second = run("history", "route/cart").out.splitlines()
    assert first.endswith("   loopback   changed   shop.yaml:10")
    assert change == "    spec.rules[0].timeouts.deadline   1m30s -> 5s"
    assert second.endswith("   loopback   created   shop.yaml:10")
    newest = run("history", "--limit", "1").out.splitlines()
    assert newest[0].split() == ["REVISION", "AGE", "BY", "CHANGED"]
    assert (newest[1].split()[0], newest[1].endswith(f"changed Route {namespace}/cart (shop.yaml:10)")) == (
        first.split()[0],
        True,
    )
    assert run("history", "route/never").err == f"Route {namespace}/never was never published\n"


def test_rollback_shows_what_it_does_and_brings_it_back(run: Run, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    before = run("history", "--limit", "1", "-o", "name").out.strip().partition("/")[2]
    write(tmp_path, SHOP.replace("90s", "5s").replace("300/m", "7/s"))
    run("apply", "-f", "shop.yaml")
    asked = run("rollback", before)
    assert asked.code == 2
    assert "--yes" in asked.err
    assert "spec.rules[0].timeouts.deadline   5s -> 1m30s" in asked.err
    back = run("rollback", f"r{before}", "--yes")
    assert (back.code, len(back.out.splitlines())) == (0, 2)
    write(tmp_path, SHOP)
    assert run("diff", "-f", "shop.yaml").code == 0
    again = run("rollback", before, "--yes")
    assert (again.code, again.out) == (0, "")
    assert "nothing to take back" in again.err
    assert run("rollback", "999999", "--yes").code == 4
    assert run("rollback", "yesterday").code == 2


def test_rollback_undoes_nothing_that_came_after_what_it_showed(
    registry: Registry, run: Run, namespace: str, tmp_path: Path
) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    before = head(registry)
    write(tmp_path, SHOP.replace("90s", "5s"))
    run("apply", "-f", "shop.yaml")
    shown = head(registry)
    write(tmp_path, SHOP.replace("90s", "7s"))
    env = {"MESHWAY_URL": registry.url, "MESHWAY_NAMESPACE": namespace}
    code, said = meshway_at_terminal(
        "y", "rollback", str(before), env=env, cwd=tmp_path, meanwhile=lambda: run("apply", "-f", "shop.yaml")
    )
    assert code == 5, said
    assert f"documents have changed since r{shown}, nothing was taken back" in said
    assert f"Route {namespace}/cart is at revision {shown + 1}, not {shown}" in said
    assert head(registry) == shown + 1
    assert run("rollback", str(before), "--yes").code == 0


def test_waiting_ends_when_all_run_it_and_names_who_does_not(registry: Registry, run: Run, namespace: str) -> None:
    at = head(registry)
    report(registry, "one", at)
    report(registry, "two", at)
    assert run("wait").out == f"✓ revision {at}   applied by 2 of 2 gateways\n"
    registry.register("cart", "c", 9000, namespace)
    report(registry, "one", at)  # anew before each question: on a busy machine a report is soon too old
    report(registry, "two", at)
    late = run("wait", "--for", "0.2s")
    assert (late.code, late.out) == (1, f"✗ revision {at + 1}   applied by 0 of 2 gateways\n")
    assert late.err == f"✗ gateway one runs r{at}\n✗ gateway two runs r{at}\n"
    report(registry, "one", at)
    report(registry, "two", at)
    assert run("wait", f"r{at}").code == 0
    assert run("wait", str(at + 2)).code == 2


def test_apply_waits_for_the_gateways_and_tells_what_they_refuse(
    registry: Registry, run: Run, namespace: str, tmp_path: Path
) -> None:
    write(tmp_path, SHOP)
    soon = head(registry) + 1
    report(registry, "one", soon)
    report(registry, "two", soon)
    applied = run("apply", "-f", "shop.yaml", "--wait")
    assert applied.code == 0
    assert f"✓ revision {soon}   applied by 2 of 2 gateways in " in applied.err
    write(tmp_path, SHOP.replace("90s", "5s"))
    report(registry, "one", soon + 1)
    late = run("apply", "-f", "shop.yaml", "--wait=0.2s")
    assert late.code == 1
    # On a busy machine its report has become too old meanwhile.
    assert late.err.splitlines()[-1].startswith(("✗ gateway two runs r", "✗ gateway two has been silent for "))
    refused = {"kind": "Route", "namespace": namespace, "name": "cart", "path": "spec.hosts", "reason": "too odd"}
    report(registry, "two", soon + 1, refused, refused | {"name": "other"})
    odd = run("apply", "-f", "shop.yaml", "--wait")
    assert (odd.code, odd.err.splitlines()[1:]) == (
        1,
        [f"✗ gateway two refuses Route {namespace}/cart: spec.hosts: too odd"],
    )
