"""Documents of other meshes through the command, with a real registry: what is published, told and refused."""

from collections.abc import Callable
from pathlib import Path

import httpx

from meshway.cli.failure import IN_PART, INVALID
from tests.parts.command import Ended
from tests.parts.planes import Registry

Run = Callable[..., Ended]
VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart}
spec:
  hosts: [cart]
  http:
  - route: [{destination: {host: cart}}]
    timeout: 2s
"""
REFUSED = VIRTUAL_SERVICE + "    retries: {attempts: 2, retryOn: retriable-headers}\n"
SUBSETS = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}]}
"""
NATIVE = """\
apiVersion: meshway/v1
kind: Service
metadata: {name: cart}
spec: {owner: team-cart}
"""


def test_native_and_foreign_documents_of_one_stream_are_one_revision(run: Run, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(f"{NATIVE}---\n{VIRTUAL_SERVICE}---\n{SUBSETS}")
    applied = run("apply", "-f", "mesh.yaml")
    assert applied.code == 0, applied.err
    assert applied.out.splitlines() == [f"+ Service {namespace}/cart", f"+ Route {namespace}/cart"]
    again = run("apply", "-f", "mesh.yaml")
    assert (again.code, again.out) == (0, "unchanged\n")
    assert f"created Route {namespace}/cart (mesh.yaml:6)" in run("history").out
    assert run("diff", "-f", "mesh.yaml").code == 0


def test_import_prints_what_apply_takes_and_asks_no_registry(run: Run, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(NATIVE + "---\n" + VIRTUAL_SERVICE)
    printed = run("import", "mesh.yaml", "--registry", "127.0.0.1:1")
    assert printed.code == 0, printed.err
    assert "meshway/converted-from: VirtualService cart\n" in printed.out
    assert run("apply", "-f", "-", stdin=printed.out).code == 0
    assert run("diff", "-f", "mesh.yaml").out.endswith("0 changed, 2 unchanged, 0 deleted\n")


def test_a_refusal_names_file_line_field_and_what_to_write_and_publishes_nothing(
    run: Run, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "mesh.yaml").write_text(NATIVE + "---\n" + REFUSED)
    refused = run("apply", "-f", "mesh.yaml")
    assert (refused.code, refused.out) == (INVALID, "")
    place = "  mesh.yaml:14:28: spec.http[0].retries.retryOn: "
    assert place + "retriable-headers is no condition here: name the status codes instead" in refused.err.splitlines()
    assert f"no services in namespace {namespace}" in run("get", "services").err


def test_what_is_left_out_by_request_is_told_and_ends_with_8(run: Run, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(NATIVE + "---\n" + REFUSED)
    applied = run("apply", "-f", "mesh.yaml", "--allow-partial")
    assert applied.code == IN_PART, applied.err
    assert "! left out mesh.yaml:14:28: spec.http[0].retries.retryOn" in applied.err
    assert f"+ Route {namespace}/cart" in applied.out
    shown = run("get", "route", "cart", "-o", "yaml").out
    assert "max_retries: 2" in shown


def test_a_rule_that_lost_a_part_of_its_match_is_left_out_whole(run: Run, tmp_path: Path) -> None:
    matched = VIRTUAL_SERVICE.replace("  - route:", "  - match: [{port: 81}]\n    route:") + (
        "  - route: [{destination: {host: cart}}]\n"
    )
    (tmp_path / "mesh.yaml").write_text(NATIVE + "---\n" + matched)
    assert run("import", "mesh.yaml").code == INVALID
    printed = run("import", "mesh.yaml", "--allow-partial")
    assert printed.code == IN_PART
    assert "deadline" not in printed.out
    assert printed.out.count("service: cart") == 1


def test_the_registrys_own_errors_point_into_the_foreign_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(VIRTUAL_SERVICE)
    refused = run("apply", "-f", "mesh.yaml")
    assert refused.code == INVALID
    assert 'mesh.yaml:7:28: spec.http[0].route[0].destination.host: "cart" is no service' in refused.err


def test_subsets_leave_what_else_a_service_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "native.yaml").write_text(NATIVE)
    (tmp_path / "rule.yaml").write_text(SUBSETS)
    run("apply", "-f", "native.yaml")
    assert run("apply", "-f", "rule.yaml").code == 0
    shown = run("get", "service", "cart", "-o", "yaml").out
    assert "owner: team-cart" in shown
    assert "version: v1" in shown


def test_the_registry_converts_the_same_text(registry: Registry, run: Run, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(f"{NATIVE}---\n{VIRTUAL_SERVICE}---\n{SUBSETS}")
    run("apply", "-f", "mesh.yaml")
    theirs = run("export").out
    run("delete", "-f", "mesh.yaml", "--yes")
    yaml = {"content-type": "application/yaml"}
    with httpx.Client(base_url=registry.url, trust_env=False, params={"namespace": namespace}) as client:
        text = (tmp_path / "mesh.yaml").read_text()
        applied = client.post("/v1/apply", content=text, headers=yaml)
        assert applied.status_code == 200, applied.text
        refused = client.post("/v1/apply", content=f"{NATIVE}---\n{REFUSED}", headers=yaml)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["path"], error["code"]) == ("spec.http[0].retries.retryOn", "unsupported")
        assert (error["line"], error["column"]) == (14, 28)
        again = client.post(
            "/v1/apply", params={"allow_partial": "true", "namespace": namespace}, content=REFUSED, headers=yaml
        )
        assert again.json()["warnings"][0]["code"] == "left_out"
        client.post("/v1/apply", content=text, headers=yaml)
    ours = run("export").out
    assert ours == theirs
