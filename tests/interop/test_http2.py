"""HTTP/2 before programs of others: h2spec against the listeners, gRPC's own interop client and server (Go) through the
gateway. Wants Go; `make interop`."""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import indent
from typing import Final

import pytest

from tests.parts.authority import Authority, Issued
from tests.parts.mesh import Mesh
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process

pytestmark = pytest.mark.interop

BUILD_S: Final = 600
# Answered as strictly, otherwise: a preface that is a request of HTTP/1.1 by an answer of HTTP/1.1, which the listener
# speaks as well.
KNOWN: Final = {"Sends invalid connection preface"}
# Whom h2spec asks for: on the mesh the service of that name, or it would be answered before its second frame comes.
ASKED_HOST: Final = "localhost"
CASES: Final = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "custom_metadata",
    "status_code_and_message", "special_status_message", "unimplemented_method", "unimplemented_service",
    "orca_per_rpc", "orca_oob", "rpc_soak", "channel_soak",
)  # fmt: skip
# What the last cases measure by: what the server says of its load.
BALANCED: Final = '-service_config_json={"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}'
SHOWN_HOST: Final = "grpc.example"

LOADED: Final = 20_000
PROTO: Final = """syntax = "proto3";
package grpc.testing;
message Empty {}
service TestService { rpc EmptyCall(Empty) returns (Empty); }
"""


def built(package: str, name: str) -> Path:
    """A program of Go, kept between runs."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on this machine")
    folder = ROOT / "build" / "go"
    command = folder / name
    if not command.exists():
        made = subprocess.run(
            [go, "install", package],
            env=os.environ | {"GOBIN": str(folder)},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"{package} cannot be built: {made.stderr.strip().splitlines()[-1:]}")
        installed = folder / package.partition("@")[0].rpartition("/")[2]
        installed.rename(command)
    return command


class _Service(BaseHTTPRequestHandler):
    """Reads whatever is sent and answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b"what was asked for, and some more of it"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_HEAD = do_GET  # noqa: N815  # as the library calls them

    def log_message(self, *_: object) -> None: ...


@contextmanager
def service() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # h2spec leaves in the middle
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


def documents(port: int, http: str) -> str:
    return f"""
apiVersion: meshway/v1
kind: Service
metadata: {{name: behind}}
spec: {{type: static, aliases: [{ASKED_HOST}], endpoints: [{{address: 127.0.0.1, port: {port}}}]}}
---
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {{name: behind}}
spec: {{targets: [{{service: behind}}], connection: {{http: {http}}}}}
---
apiVersion: meshway/v1
kind: Route
metadata: {{name: all}}
spec: {{rules: [{{destinations: [{{service: behind}}]}}]}}
"""


def shown(issued: Issued) -> str:
    """Documents by which the edge shows this to callers by TLS."""
    certificate, key = (indent(each.decode(), "      ") for each in (issued.certificate, issued.key))
    return f"""---
apiVersion: meshway/v1
kind: Secret
metadata: {{name: shown}}
spec:
  type: tls
  data:
    certificate: |
{certificate}
    private_key: |
{key}
---
apiVersion: meshway/v1
kind: Certificate
metadata: {{name: shown}}
spec: {{secret: shown}}
"""


@pytest.mark.parametrize("listener", ["edge", "mesh"])
def test_h2spec_finds_what_is_known_and_nothing_else(tmp_path: Path, listener: str) -> None:
    h2spec = built("github.com/summerwind/h2spec/cmd/h2spec@latest", "h2spec")
    with service() as port:
        mesh = Mesh(tmp_path, 1, "--dns-port", "0")
        try:
            mesh.apply(documents(port, "http1"))
            address = str(mesh.ready[listener]).rpartition(":")[2]
            told = subprocess.run(
                [str(h2spec), "--strict", "-h", ASKED_HOST, "-p", address, "-o", "10"],
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            ).stdout
        finally:
            mesh.close()
    failed = set(re.findall(r"× \d+: (?:closed: |idle: |half closed \(remote\): )?(.+)", told))
    assert failed <= KNOWN, told[-6_000:]
    assert re.search(r"146 tests, 14[56] passed", told), told[-500:]


@pytest.mark.parametrize("listener", ["edge", "edge_tls"])
def test_the_go_client_of_grpc_finds_its_server_through_the_gateway(tmp_path: Path, listener: str) -> None:
    client = built("google.golang.org/grpc/interop/client@latest", "grpc-client")
    server = built("google.golang.org/grpc/interop/server@latest", "grpc-server")
    port = free_port()
    behind = Process([str(server), f"-port={port}"], tmp_path / "server.out")
    mesh = Mesh(tmp_path, 1, "--dns-port", "0")
    failed: dict[str, str] = {}
    authority, trusting = Authority(), tmp_path / "root.pem"
    trusting.write_bytes(authority.pem)
    by_tls = ["-use_tls", "-use_test_ca", f"-ca_file={trusting}", f"-server_host_override={SHOWN_HOST}"]
    try:
        mesh.apply(documents(port, "http2") + shown(authority.issue(SHOWN_HOST)))
        edge = str(mesh.ready[listener]).rpartition(":")[2]
        options = ["-server_host=127.0.0.1", f"-server_port={edge}", BALANCED]
        for case in CASES:
            told = subprocess.run(
                [str(client), *options, *(by_tls if listener == "edge_tls" else ()), f"-test_case={case}"],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if told.returncode:
                failed[case] = told.stderr[-1_000:]
    finally:
        mesh.close()
        behind.stop()
    assert failed == {}


def test_ghz_finds_no_error_under_load(tmp_path: Path) -> None:
    ghz = built("github.com/bojand/ghz/cmd/ghz@latest", "ghz")
    server = built("google.golang.org/grpc/interop/server@latest", "grpc-server")
    proto = tmp_path / "load.proto"
    proto.write_text(PROTO)
    port = free_port()
    behind = Process([str(server), f"-port={port}"], tmp_path / "server.out")
    mesh = Mesh(tmp_path, 1, "--dns-port", "0")
    try:
        mesh.apply(documents(port, "http2"))
        load = ["-n", str(LOADED), "-c", "100", "--connections=4", "-O", "json", "--insecure"]
        what = [f"--proto={proto}", "--call=grpc.testing.TestService.EmptyCall", "-d", "{}"]
        told = subprocess.run(
            [str(ghz), *load, *what, mesh.edge.rpartition("/")[2]],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout
    finally:
        mesh.close()
        behind.stop()
    said = json.loads(told)
    assert (said["count"], said["statusCodeDistribution"], said["errorDistribution"]) == (LOADED, {"OK": LOADED}, {})
    latencies = {each["percentage"]: each["latency"] / 1e6 for each in said["latencyDistribution"]}
    print(f"\nghz: {LOADED} calls, {said['rps']:.0f}/s, p50 {latencies[50]:.1f} ms, p99 {latencies[99]:.1f} ms")
