"""`meshway up` from the first start to the last stop, as a person meets it."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from dnslib import DNSRecord

from tests.parts.command import meshway
from tests.parts.conditions import wait_until
from tests.parts.mesh import Mesh
from tests.parts.processes import Process, python

StartMesh = Callable[..., Mesh]


def is_alive(pid: int) -> bool:
    """A zombie that nobody reaped yet counts as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_replaced(mesh: Mesh, plane: str, dead: int) -> bool:
    return mesh.pid(plane) != dead


def arguments(folder: Path, **ports: int) -> list[str]:
    command = ["up", "--data", str(folder / "data"), "--workers", "1"]
    for plane in ("registry", "edge", "mesh", "edge-tls", "mesh-tls", "admin"):
        command += [f"--{plane}-port", str(ports.get(plane, 0))]
    return command


def test_the_ready_file_says_where_everything_answers(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    ready = mesh.ready
    assert list(ready) == ["registry", "edge", "mesh", "admin", "edge_tls", "mesh_tls", "dns", "token", "pids"]
    assert ready["token"] is None
    assert httpx.get(f"{mesh.registry}/v1/health/ready").status_code == 200
    assert httpx.get(f"{mesh.admin}/health/ready").status_code == 200
    assert httpx.get(f"{mesh.edge}/").status_code == 404
    assert is_alive(mesh.pid("registry"))
    assert is_alive(mesh.pid("gateway"))
    said = mesh.process.text()
    assert f"✓ registry   {mesh.registry}" in said
    assert f"✓ console    {mesh.registry}/\n" in said
    assert f"by TLS: edge {ready['edge_tls']}  mesh {ready['mesh_tls']}\n" in said
    checked = meshway("check", "--registry", mesh.registry, "--gateway", mesh.admin)
    assert checked.code == 0, checked


def test_a_second_up_says_where_the_first_runs(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    second = meshway(*arguments(mesh.folder))
    assert (second.code, second.out) == (5, "")
    assert second.err.splitlines() == [
        f"error: the mesh in {mesh.data} runs already (pid {mesh.process.pid}): "
        f"registry {mesh.registry}, edge {mesh.edge}, mesh {mesh.mesh}",
        f"mend:  use it; or stop it: kill {mesh.process.pid}; or start another: "
        "meshway up --data DIR --registry-port 0 --edge-port 0 --mesh-port 0 --edge-tls-port 0 "
        "--mesh-tls-port 0 --admin-port 0 --dns-port 0",
    ]
    assert httpx.get(f"{mesh.registry}/v1/health/ready").status_code == 200


def test_a_taken_port_names_its_holder_and_the_flag(tmp_path: Path) -> None:
    for plane in ("registry", "edge", "mesh", "admin"):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            refused = meshway(*arguments(tmp_path, **{plane: port}))
        assert (refused.code, refused.out) == (5, "")
        what, why, mend = refused.err.splitlines()
        name = Path("/proc/self/comm").read_text().strip()
        assert what == f"error: port {port} on 127.0.0.1 is taken by {name} (pid {os.getpid()})"
        assert why.startswith(f"why:   {os.getpid()} runs: ")
        assert mend == f"mend:  stop it, or choose another port: --{plane}-port N (0 takes a free one)"


def test_all_taken_ports_are_named_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = {"registry": one.getsockname()[1], "mesh": two.getsockname()[1]}
        refused = meshway(*arguments(tmp_path, **ports))
    first, *details, mend = refused.err.splitlines()
    assert (refused.code, first, len(details)) == (5, "error: 2 ports cannot be had", 2)
    assert "--registry-port N --mesh-port N" in mend


def test_call_finds_the_mesh_of_the_folder_and_keeps_status_and_body_apart(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    asked = python("-m", "meshway.cli.main", "call", "nobody/x", "--data", str(mesh.data))
    both = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert both.returncode == 1
    lines = both.stdout.splitlines()
    assert lines[0].startswith("404 "), lines
    assert lines[-1].startswith("answered by the gateway: "), lines
    mesh.process.stop()
    away = meshway("call", "nobody/x", "--data", str(mesh.data), "--gateway", "http://127.0.0.1:1")
    assert (away.code, "--gateway http://HOST:8581" in away.err) == (7, True)


def test_names_are_answered_over_dns_on_a_port_that_outlives_the_registry(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    mesh.register("reviews", "r1", 9080)
    host, _, port = mesh.ready["dns"].partition(":")

    def ask() -> list[str]:
        asked = DNSRecord.question("_reviews._tcp.default.mesh", "SRV")
        return [str(row.rdata) for row in DNSRecord.parse(asked.send(host, int(port), timeout=10)).rr]

    assert ask() == ["0 1 9080 r1.reviews.default.mesh."]
    os.kill(mesh.pid("registry"), signal.SIGKILL)
    # Asked while nobody is there: the socket waits for the next registry, and so does the question.
    assert ask() == ["0 1 9080 r1.reviews.default.mesh."]


def test_dns_is_left_out_when_it_is_off_and_a_taken_port_is_told(start_mesh: StartMesh, tmp_path: Path) -> None:
    assert start_mesh(1, "--dns-port", "off").ready["dns"] is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        refused = meshway(*arguments(tmp_path / "other"), "--dns-port", str(other.getsockname()[1]))
    assert refused.code == 5
    assert refused.err.splitlines()[-1] == "mend:  stop it, or choose another port: --dns-port N (0 takes a free one)"
    refused = meshway(*arguments(tmp_path / "other"), "--dns-port", "many")
    assert (refused.code, refused.err.splitlines()[0]) == (2, 'error: --dns-port: "many" is no port')


def test_a_bind_off_loopback_needs_to_be_meant(tmp_path: Path) -> None:
    refused = meshway(*arguments(tmp_path), "--bind", "0.0.0.0")
    assert refused.code == 6
    assert "--insecure" in refused.err


def test_a_dead_child_is_started_again_on_its_port(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    before = mesh.ready
    for plane in ("registry", "gateway"):
        dead = mesh.pid(plane)
        os.kill(dead, signal.SIGKILL)
        wait_until(partial(is_replaced, mesh, plane, dead), 20, what=f"{plane} again")
    after = mesh.ready
    assert {name: after[name] for name in ("registry", "edge", "mesh", "admin")} == {
        name: before[name] for name in ("registry", "edge", "mesh", "admin")
    }
    assert httpx.get(f"{mesh.registry}/v1/health/ready").status_code == 200
    assert httpx.get(f"{mesh.admin}/health/ready").status_code == 200
    assert "ended: SIGKILL; starting it again" in mesh.process.text()


def test_stopping_leaves_nothing_behind(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    pids = [mesh.pid("registry"), mesh.pid("gateway")]
    assert mesh.process.stop() == 0
    assert not any(is_alive(pid) for pid in pids)
    assert not (mesh.data / "run" / "up.json").exists()


def test_children_end_with_an_up_that_was_killed(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    pids = [mesh.pid("registry"), mesh.pid("gateway")]
    os.kill(mesh.process.pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 30, what="children gone")


def test_any_program_joins_by_register_and_leaves_when_it_ends(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Process(
        python(
            *("-m", "meshway.cli.main", "register", "files", "--port", str(port), "--ttl", "10"),
            *("--registry", mesh.registry, "--", *python("-m", "http.server", str(port), "--bind", "127.0.0.1")),
        ),
        mesh.folder / "register.out",
    )
    call = ("call", "files/", "--gateway", mesh.mesh, "--data", str(mesh.data))
    try:
        wait_until(lambda: meshway(*call).code == 0, 20, every_s=0.2, what="a call that arrives")
        called = meshway(*call)
        assert "Directory listing" in called.out
        status, way = called.err.splitlines()
        assert status.startswith("200 OK   GET files.default.mesh/   ")
        assert way.startswith("route default/implicit:files rule all → instance files-")
        assert meshway(*call, "-q").err == ""
    finally:
        code = program.stop()
    assert code == 0, program.text()
    assert "draining" in program.text()
    gone = meshway("instances", "files", "--registry", mesh.registry, "-o", "name")
    assert (gone.code, gone.out) == (4, "")


def test_a_call_nobody_answers_is_exit_1_with_the_status(start_mesh: StartMesh) -> None:
    mesh = start_mesh()
    called = meshway("call", "nobody/x", "--gateway", mesh.mesh)
    assert called.code == 1
    status, way = called.err.splitlines()
    assert status.startswith("404 Not Found   GET nobody.default.mesh/x   ")
    assert way == "answered by the gateway: no_route"
    assert json.loads(called.out)["code"] == "no_route"
    assert "x-request-id: " in meshway("call", "nobody/x", "--gateway", mesh.mesh, "-v").err
    assert meshway("call", "x/", "--gateway", "http://127.0.0.1:1").code == 7


def test_demo_without_a_mesh_tells_how_to_start_one(tmp_path: Path) -> None:
    refused = meshway("demo", "--data", str(tmp_path), "--registry", "http://127.0.0.1:1")
    assert refused.code == 7
    assert "meshway up" in refused.err


@pytest.mark.parametrize("by", ["data", "registry"])
def test_demo_opens_the_book_shop_at_the_edge(start_mesh: StartMesh, by: str) -> None:
    mesh = start_mesh()
    named = ["--data", str(mesh.data)] if by == "data" else ["--registry", mesh.registry]
    demo = Process(python("-m", "meshway.cli.main", "demo", *named), mesh.folder / "demo.out")
    page = f"{mesh.edge}/productpage"
    try:
        wait_until(lambda: page in demo.text(), 60, what="the page's address")
        wait_until(lambda: "★" in httpx.get(page, timeout=10).text, 20, every_s=0.2, what="stars")
    finally:
        demo.stop()
    assert "documents of bookinfo deleted" in demo.text()
    left = meshway("get", "services", "-n", "bookinfo", "--registry", mesh.registry)
    assert (left.out, left.err) == ("", "no services in namespace bookinfo; -A shows those of every namespace\n")
    assert meshway("get", "routes", "-n", "bookinfo", "--registry", mesh.registry).out == ""
