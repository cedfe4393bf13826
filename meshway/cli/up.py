"""`meshway up`: registry and gateway as children of one process, on this machine."""

import asyncio
import contextlib
import http.client
import signal
import socket
import sys
import time
import webbrowser
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from meshway.addresses import is_loopback
from meshway.cli.children import Child, ChildFailed, meshway
from meshway.cli.failure import FAILED, INVALID, OUR_FAULT, CliError
from meshway.cli.first_tokens import ADMIN_FILE, BOOTSTRAP_FILE, GATEWAY_FILE, make_first_tokens
from meshway.cli.installed import refuse_missing_server
from meshway.cli.ports import dns_sockets, listen_on, refuse_taken
from meshway.cli.running import Ready, RunFolder, write_whole
from meshway.cli.session import Session
from meshway.settings import read_secret
from meshway.tasks import spawn

_STOP_GATEWAY_S: Final = 5.0
_STOP_REGISTRY_S: Final = 5.0
_REPORTED_WITHIN_S: Final = 5.0
_POLL_S: Final = 0.02
_PASSED_ON: Final = frozenset({3, 4, 5, 6, OUR_FAULT})


class UpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `up` was told. Ports as in ARCHITECTURE.md, 0 takes a free one; dns_port `off`: none. workers 0: up to 4.
    auth: callers on this machine sign in as well.
    """

    data: Path
    registry_port: int
    edge_port: int
    mesh_port: int
    edge_tls_port: int | None = None
    mesh_tls_port: int | None = None
    admin_port: int
    dns_port: str
    bind: str
    workers: int
    insecure: bool
    auth: bool = False
    access_log: Literal["json", "off"] = "json"
    ready_file: Path | None
    open_page: bool
    quiet: bool


class GatewayAddresses(msgspec.Struct, frozen=True):
    """The gateway's own ready file. TLS: "" where it is off."""

    edge: str
    mesh: str
    admin: str
    pid: int
    edge_tls: str = ""
    mesh_tls: str = ""


class Mesh:
    """Registry and gateway on one machine, from the first start to the last stop."""

    def __init__(
        self,
        settings: UpSettings,
        folder: RunFolder,
        listener: socket.socket,
        names: tuple[socket.socket, socket.socket] | None,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.listener = listener
        self.dns_fds = () if names is None else tuple(sock.fileno() for sock in names)
        self.dns = None if names is None else address_of(settings.bind, names[0].getsockname()[1])
        self.registry_url = url_of(settings.bind, listener.getsockname()[1])
        self._gateway_file = folder.path / "gateway.json"
        self.tokens = settings.data / "tokens"
        self._gateway: GatewayAddresses | None = None
        self.registry = Child(
            "registry", self._registry_command, self._registry_answers, self.say, (listener.fileno(), *self.dns_fds)
        )
        self.gateway = Child("gateway", self._gateway_command, self._gateway_answers, self.say)

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the children's output and their fate

    async def run(self) -> None:
        """Until a signal. Raises CliError when the mesh never came up."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopped.set)
        try:
            if await self._start(stopped):
                self._write_ready()
                self._greet()
                keepers = [
                    spawn(child.keep(self._write_ready), name=f"keep {child.name}")
                    for child in (self.registry, self.gateway)
                ]
                await stopped.wait()
                if not self.settings.quiet:
                    self.say("stopping")
                for keeper in keepers:
                    keeper.cancel()
        finally:
            # The gateway first: while its calls drain, the registry still hears of them.
            await self.gateway.stop(_STOP_GATEWAY_S)
            await self.registry.stop(_STOP_REGISTRY_S)

    async def _start(self, stopped: asyncio.Event) -> bool:
        """False when a signal came first."""
        starting = spawn(self._start_in_order(), name="start registry and gateway")
        signalled = spawn(stopped.wait(), name="wait for a signal")
        try:
            await asyncio.wait((starting, signalled), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return False
            if (failure := await starting) is not None:
                code = failure.code if failure.code in _PASSED_ON else FAILED
                raise CliError(code or FAILED, str(failure), mend="its own words stand above")
        finally:
            for task in (starting, signalled):
                task.cancel()
        return True

    async def _start_in_order(self) -> ChildFailed | None:
        try:
            await self.registry.start()
            if self.settings.auth:
                session = Session(registry=self.registry_url, token_file=self.tokens / BOOTSTRAP_FILE, quiet=True)
                await asyncio.to_thread(make_first_tokens, session, self.tokens)
            await self.gateway.start()
        except ChildFailed as failure:
            return failure
        await self._gateway_reported()
        return None

    async def _gateway_reported(self) -> None:
        """Whoever asks the registry right after the start, as `check` does, finds the gateway there.

        It carries calls before it has reported, so a report that is late keeps nobody waiting for long.
        """
        until = time.monotonic() + _REPORTED_WITHIN_S
        while time.monotonic() < until:
            if await asyncio.to_thread(_has_live_gateway, self.registry_url, self._token()):
                return
            await asyncio.sleep(_POLL_S)

    def _registry_command(self) -> list[str]:
        settings = self.settings
        command = meshway("registry", "serve", "--data", str(settings.data), "--bind", settings.bind)
        command += ["--socket-fd", str(self.listener.fileno())]
        command += ["--dns-fds", *map(str, self.dns_fds)] if self.dns_fds else ["--dns-port", "off"]
        if settings.auth:
            command += ["--has-parent", "--bootstrap-token-file", str(self.tokens / BOOTSTRAP_FILE)]
        else:
            command += ["--trust-loopback"]
        return command + (["--insecure"] if settings.insecure else [])

    def _token(self) -> str | None:
        """An admin's; None while loopback is trusted."""
        return read_secret(self.tokens / ADMIN_FILE) if self.settings.auth else None

    def _gateway_command(self) -> list[str]:
        self._gateway_file.unlink(missing_ok=True)
        settings, known = self.settings, self._gateway
        edge, mesh, admin = settings.edge_port, settings.mesh_port, settings.admin_port
        edge_tls, mesh_tls = settings.edge_tls_port, settings.mesh_tls_port
        if known is not None:
            edge, mesh, admin = (urlsplit(url).port or 0 for url in (known.edge, known.mesh, known.admin))
            edge_tls, mesh_tls = (urlsplit(url).port for url in (known.edge_tls, known.mesh_tls))
        command = meshway("gateway", "serve", "--data", str(settings.data), "--bind", settings.bind)
        command += ["--registry", self.registry_url, "--workers", str(settings.workers)]
        command += ["--edge-port", str(edge), "--mesh-port", str(mesh), "--admin-port", str(admin)]
        command += ["--edge-tls-port", "off" if edge_tls is None else str(edge_tls)]
        command += ["--mesh-tls-port", "off" if mesh_tls is None else str(mesh_tls)]
        command += ["--ready-file", str(self._gateway_file), "--access-log", settings.access_log]
        command += ["--cross-namespace", "allow"]
        command += ["--token-file", str(self.tokens / GATEWAY_FILE)] if settings.auth else []
        return command + (["--insecure"] if settings.insecure else [])

    async def _registry_answers(self) -> bool:
        return await asyncio.to_thread(_is_ready, self.registry_url)

    async def _gateway_answers(self) -> bool:
        try:
            self._gateway = msgspec.json.decode(self._gateway_file.read_bytes(), type=GatewayAddresses)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        return True

    @property
    def ready(self) -> Ready:
        assert self._gateway is not None, "the gateway answered once"
        return Ready(
            registry=self.registry_url,
            edge=self._gateway.edge,
            mesh=self._gateway.mesh,
            admin=self._gateway.admin,
            edge_tls=self._gateway.edge_tls or None,
            mesh_tls=self._gateway.mesh_tls or None,
            dns=self.dns,
            token=self._token(),
            pids={"registry": self.registry.pid, "gateway": self.gateway.pid},
        )

    def _write_ready(self) -> None:
        self.folder.note(self.ready)
        if self.settings.ready_file is not None:
            write_whole(self.settings.ready_file, self.ready)

    def _greet(self) -> None:
        ready, settings = self.ready, self.settings
        workers = f"{settings.workers} worker{'s' * (settings.workers != 1)}" if settings.workers else "a worker a core"
        trust = (
            f"everybody signs in; an admin's token: {self.tokens / ADMIN_FILE}"
            if settings.auth
            else ("loopback is trusted")
        )
        by_tls = [f"{face} {url}" for face, url in (("edge", ready.edge_tls), ("mesh", ready.mesh_tls)) if url]
        if not settings.quiet:
            print(  # noqa: T201 - the banner
                f"Meshway {version('meshway')}   data {settings.data} (SQLite)\n"
                f"  ✓ registry   {ready.registry}   dns {ready.dns or 'off'}   ({trust})\n"
                f"  ✓ console    {ready.registry}/\n"
                f"  ✓ gateway    edge {ready.edge}  mesh {ready.mesh}  admin {ready.admin}   ({workers})\n"
                f"               by TLS: {'  '.join(by_tls) or 'off'}\n"
                "               Routes may send to any namespace, until MeshSettings say cross_namespace: deny\n"
                "Next: meshway demo · meshway register hello --port 9000 · docs/guide/first-service.md"
                "      Ctrl-C stops",
                flush=True,
            )
        if settings.open_page:
            webbrowser.open(f"{ready.registry}/")


def run_up(settings: UpSettings) -> None:
    """Blocks until a signal. Raises CliError before anything is started: port taken, folder in use, parts missing."""
    refuse_missing_server()
    refuse_open_bind(settings)
    folder = RunFolder(settings.data)
    folder.take()
    try:
        refuse_taken(
            settings.bind,
            (
                (settings.registry_port, "--registry-port"),
                (settings.edge_port, "--edge-port"),
                (settings.mesh_port, "--mesh-port"),
                (settings.edge_tls_port or 0, "--edge-tls-port"),
                (settings.mesh_tls_port or 0, "--mesh-tls-port"),
                (settings.admin_port, "--admin-port"),
            ),
            settings.dns_port,
        )
        listener = listen_on(settings.bind, settings.registry_port, "--registry-port")
        with contextlib.ExitStack() as open_sockets:
            open_sockets.enter_context(listener)
            names = dns_sockets(settings.bind, settings.dns_port)
            for sock in names or ():
                open_sockets.enter_context(sock)
            if settings.ready_file is not None:
                settings.ready_file.unlink(missing_ok=True)
            asyncio.run(Mesh(settings, folder, listener, names).run())
    finally:
        folder.leave()


def refuse_open_bind(settings: UpSettings) -> None:
    if settings.insecure or is_loopback(settings.bind):
        return
    raise CliError(
        INVALID,
        f"will not listen on {settings.bind}: calls and tokens would cross the network in the clear",
        mend="leave --bind 127.0.0.1, or pass --insecure when a firewall or a private network guards the ports",
    )


def url_of(bind: str, port: int) -> str:
    return f"http://{address_of(bind, port)}"


def address_of(bind: str, port: int) -> str:
    """Where a caller on this machine reaches what listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind, f"[{bind}]" if ":" in bind else bind)  # noqa: S104
    return f"{host}:{port}"


def _is_ready(url: str) -> bool:
    return _answer(f"{url}/v1/health/ready") is not None


def _has_live_gateway(url: str, token: str | None) -> bool:
    answer = _answer(f"{url}/v1/gateways", token)
    return answer is not None and any(gateway["live"] for gateway in msgspec.json.decode(answer)["items"])


def _answer(url: str, token: str | None = None) -> bytes | None:
    """None unless it is answered with 200."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=5.0)
    try:
        connection.request("GET", split.path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
