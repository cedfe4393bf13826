"""A certificate that the mesh issues for a Listener of one's own, over registry and gateway as a person runs them."""

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.parts.command import meshway
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port

StartMesh = Callable[..., Mesh]
DOCUMENTS = """
apiVersion: meshway/v1
kind: Namespace
metadata: {{name: default, namespace: mesh}}
spec: {{edge_hosts: [localhost]}}
---
apiVersion: meshway/v1
kind: Listener
metadata: {{name: partner, namespace: mesh}}
spec: {{port: {port}, protocol: https, routes: named}}
---
apiVersion: meshway/v1
kind: Certificate
metadata: {{name: partner}}
spec: {{mesh_ca: {{lifetime: 2h}}, hosts: [localhost], listeners: [partner]}}
---
apiVersion: meshway/v1
kind: Route
metadata: {{name: partner}}
spec: {{listeners: [partner], hosts: [localhost], rules: [{{respond: {{status: 200, body: hello}}}}]}}
"""


def test_an_apply_waits_until_the_mesh_has_issued_and_gateways_show_it(start_mesh: StartMesh, tmp_path: Path) -> None:
    mesh, file = start_mesh(), tmp_path / "partner.yaml"
    mesh.client.post(f"{mesh.registry}/v1/identity/authority", json={}).raise_for_status()
    file.write_text(DOCUMENTS.format(port=free_port()))
    applied = meshway("apply", "-f", str(file), "--wait=30s", "--registry", mesh.registry)
    assert applied.code == 0, applied
    shown = mesh.client.get(f"{mesh.registry}/v1/namespaces/default/certificates/partner").json()
    assert shown["status"]["issuer"]


def test_callers_of_a_listener_believe_it_by_the_root_of_the_mesh(start_mesh: StartMesh) -> None:
    mesh, port = start_mesh(), free_port()
    mesh.client.post(f"{mesh.registry}/v1/identity/authority", json={}).raise_for_status()
    roots = mesh.client.get(f"{mesh.registry}/v1/identity/trust").json()["roots"]
    mesh.apply(DOCUMENTS.format(port=port))
    at = f"{mesh.registry}/v1/namespaces/default/certificates/partner"

    def is_shown() -> bool:
        return bool(mesh.client.get(at).json().get("status", {}).get("gateways") == "1/1")

    wait_until(is_shown, 30, what="the certificate at the gateway")
    with httpx.Client(verify=ssl.create_default_context(cadata=roots), trust_env=False) as caller:
        answer = caller.get(f"https://localhost:{port}/")
        assert (answer.status_code, answer.text) == (200, "hello")
        assert mesh.client.get(mesh.edge, headers={"Host": "localhost"}).status_code == 404
    key_files = [path for path in Path(mesh.data).rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert key_files == []
