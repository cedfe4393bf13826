"""The registry as a process: core and surfaces put together behind one socket (`serve`)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, cast

import msgspec
import uvicorn

from meshway.certificates import CertificateFault
from meshway.handshakes import Handshakes
from meshway.model.kinds import KINDS
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.api.app import OPENAPI_ROW, make_api
from registry.api.description import api_operations
from registry.compat.consul.description import consul_operations, consul_shapes
from registry.compat.consul.table import add_consul, consul_tasks
from registry.compat.eureka import surface as eureka
from registry.compat.nacos import surface as nacos
from registry.console.assets import Console, built_console
from registry.core import Core
from registry.dns.server import DnsSockets, dns_served
from registry.encryption import encryption_of
from registry.gateways import Gateways
from registry.identity.publishing import shown_trust
from registry.insight.asking import Asking
from registry.machine.client_address import ClientAddresses
from registry.machine.confirming import Head
from registry.machine.description import machine_operations
from registry.machine.encoding import AnswerEncoder
from registry.machine.guards import Guards
from registry.machine.live_topics import LiveTopics
from registry.machine.protocol import RegistryConnection
from registry.machine.surface import Surface
from registry.machine.table import machine_routes
from registry.manners.openapi import describe, methods_by_path
from registry.manners.places import Caps
from registry.people.users import LINK_S
from registry.running import open_core
from registry.settings import StartRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvicorn.server import ServerState

    from meshway.model.trust_bundle import TrustBundle
    from registry.encryption import Encryption
    from registry.manners.openapi import Operation
    from registry.people.users import LinkMade
    from registry.settings import RegistrySettings
    from registry.view.view import View

BACKLOG: Final = 2048
STOP_S: Final = 10
# Between two looks at which streams' tokens are over.
_LOOK_S: Final = 2.0
_REMIND_S: Final = 3600.0

# Allocations before the collector looks at the young; of such looks before the survivors; of those before everything.
# By Python's own numbers an apply of 10,000 documents has everything looked at a dozen times, 0.1 to 0.6 s each, in
# which no heartbeat is answered; documents hold no circles, so counting references frees them.
GC_THRESHOLDS: Final = (5_000, 10, 500)

log = logging.getLogger("meshway.registry")


def serve(
    settings: RegistrySettings,
    *,
    sock: socket.socket | None = None,
    dns: DnsSockets | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is under way and stops; blocking.

    sock: a bound socket to serve on instead of settings.bind and port, so that a port survives a restart. dns: where
    names are answered, None: nowhere. ready: called once with the URL when the registry answers. Raises StartRefused
    with one clear line.
    """
    refuse_open_door(settings)
    encryption = encryption_of(settings.tls_certificate, settings.tls_key)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s registry %(levelname)s %(message)s")
    for chatty in ("uvicorn", "alembic"):  # they tell of each step of a start that went well
        logging.getLogger(chatty).setLevel(logging.WARNING)
    gc.set_threshold(*GC_THRESHOLDS)
    listening = sock or bind(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, listening, dns, ready, encryption))


def refuse_open_door(settings: RegistrySettings) -> None:
    """What is sent to it can be read on the way, tokens among it: a listener that others reach must be meant."""
    if settings.trusts_loopback and settings.trusted_proxies:
        raise StartRefused(
            "--trust-loopback and --trusted-proxies: a proxy could make anybody a neighbour; use one of them"
        )
    if settings.insecure or settings.is_on_loopback or settings.tls_certificate is not None:
        return
    raise StartRefused(
        f"{settings.bind} is reachable from other machines, and what they send, tokens too, is not encrypted: "
        "bind 127.0.0.1, name --tls-certificate and --tls-key, or say --insecure where a private network guards it"
    )


def bind(settings: RegistrySettings) -> socket.socket:
    """The listening socket. Raises StartRefused when the port is taken or the address is not ours."""
    host = "127.0.0.1" if settings.bind == "localhost" else settings.bind
    try:
        is_v6 = ipaddress.ip_address(host).version == 6
    except ValueError:
        raise StartRefused(f"{settings.bind} is no address to bind: write 127.0.0.1, ::1 or 0.0.0.0") from None
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, settings.port))
    except OSError as error:
        sock.close()
        raise StartRefused(f"cannot listen on {host}:{settings.port}: {error.strerror}") from error
    return sock


async def _serve(
    settings: RegistrySettings,
    sock: socket.socket,
    dns: DnsSockets | None,
    ready: Callable[[str], None] | None,
    encryption: Encryption | None,
) -> None:
    gateways = Gateways(time.monotonic)
    async with open_core(settings, live_gateways=gateways.live_count, behind=gateways.pending) as core:
        core.targets.own_ports.update(one.getsockname()[1] for one in (sock, dns.streams if dns else sock))
        surface = make_surface(core, gateways)
        config = uvicorn.Config(
            app=_nothing,
            http=_connections_of(surface),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_S,
        )

        config.load()

        def answers() -> None:
            url = url_of(sock, "http" if encryption is None else "https")
            names = "off" if dns is None else f"on port {dns.streams.getsockname()[1]}"
            log.info("answers at %s, %s, names by DNS %s", url, stores_of(settings), names)
            if link is not None:
                log.info("set the first admin's password, within %.0f min and once: %s%s", LINK_S / 60, url, link.path)
            if ready is not None:
                ready(url)

        server = _Server(config, core, encryption, ready=answers)
        link = None if settings.trusts_loopback else await _first_link(core)
        async with contextlib.AsyncExitStack() as faces:
            faces.callback(spawn(_end_expired(surface), name="streams of those who may no more").cancel)
            if not (settings.is_on_loopback or encryption):
                faces.callback(spawn(_warn_of_clear_text(settings.bind), name="reminder of clear text").cancel)
            if encryption is not None:
                follow_trust(core.view, encryption, surface)
                faces.callback(spawn(encryption.run(), name="read the files of the certificate").cancel)
            for name, run in consul_tasks(core):
                faces.callback(spawn(run, name=name).cancel)
            if dns is not None:
                await faces.enter_async_context(dns_served(core.view, dns, core.dns))
            await server.serve(sockets=[sock])


def make_surface(core: Core, gateways: Gateways) -> Surface:
    """All routes over one core, each behind what its operation needs."""
    gateways.share(core.bus)
    gateways.document_revision = lambda key: 0 if (row := core.view.document(key)) is None else row.revision
    core.alerts.presence.gateways = gateways.states
    gateways.on_report.append(core.alerts.presence.follow)
    core.alerts.presence.certificates = gateways.all_certificates
    head = None if core.following is None else Head(core.view, core.following, core.live)
    caps = Caps(core.settings)
    operations = _operations()
    guards = Guards([*operations, OPENAPI_ROW], is_read_only=core.settings.read_only)
    asking = Asking(core.insight.reading, core.view, gateways.states, core.alerts.budget_left)
    live = LiveTopics(asking, gateways.states, core.notices, time.time)
    routes = machine_routes(core, gateways, caps, guards, live, head)
    of_eureka = eureka.Eureka(core.catalog, core.view, time.monotonic)
    of_nacos = nacos.Nacos(core.catalog, core.documents, core.view, wall=time.time)
    routes.add([], {eureka.FAMILY: of_eureka.answer, nacos.FAMILY: of_nacos.answer})
    add_consul(routes, core, guards)
    api = make_api(
        core,
        gateways,
        asking,
        methods_at=methods_by_path(operations),
        description=_description(),
        version=_version(),
        caps=caps,
    )
    surface = Surface(
        clients=ClientAddresses(core.settings.trusted_proxies),
        routes=routes,
        app=api,
        sign_in=core.sign_in,
        guards=guards,
        note_denied=core.denials.note,
        encoder=AnswerEncoder(lambda: core.view.revision, time.time, None if head is None else head.stale_line),
        gateways=gateways,
        caps=caps,
        files=Console(built_console()),
        head=head,
    )
    core.view.on_tokens.append(surface.rights_changed)
    core.view.on_people.append(surface.rights_changed)
    return surface


@cache
def _operations() -> list[Operation]:
    return [*machine_operations(), *api_operations(), *consul_operations()]


@cache
def _description() -> bytes:
    """Of every operation, as JSON: the same for all registries of a process."""
    described = describe(_operations(), (*KINDS.values(), *consul_shapes()), version=_version())
    return msgspec.json.encode(described) + b"\n"


def follow_trust(view: View, encryption: Encryption, surface: Surface) -> None:
    """Callers' certificates hold by the word of the mesh's authorities, as the feed tells them, from now on."""
    followed: TrustBundle | None = None

    def look() -> None:
        nonlocal followed
        bundle = shown_trust(view)
        if bundle is followed:
            return
        before, followed = followed, bundle
        try:
            shrinks = encryption.believe(() if bundle is None else bundle.roots)
        except CertificateFault as fault:
            log.error("certificates of callers hold as before: %s", fault)
            return
        if shrinks:
            surface.trust_shrank()
        if before is not None:
            surface.end_revoked()

    view.on_commit.append(look)
    look()


async def _first_link(core: Core) -> LinkMade | None:
    """None where somebody can sign in already, or the store takes no writes: the registry serves without, too."""
    try:
        return await core.users.first_link()
    except Problem as problem:
        log.warning("there is no link to set the first admin's password by: %s", problem)
        return None


async def _warn_of_clear_text(bind: str) -> None:
    """Until cancelled: what was meant once is not to be forgotten."""
    while True:
        log.warning(
            "%s is open to other machines without TLS (--insecure): tokens cross the network in the clear", bind
        )
        await asyncio.sleep(_REMIND_S)


async def _end_expired(surface: Surface) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_S)
        surface.end_revoked()
        surface.end_over(time.time())


def stores_of(settings: RegistrySettings) -> str:
    """What it keeps where, for its log: without passwords."""
    if not settings.database_url and not settings.redis_url:
        return f"store SQLite in {settings.data_dir}, leases in memory"
    from registry.live.redis_link import masked  # a tenth of a second, for those who have passwords

    store = masked(settings.database_url) if settings.database_url else f"SQLite in {settings.data_dir}"
    leases = masked(settings.redis_url) if settings.redis_url else "memory"
    return f"store {store}, leases in {leases}"


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """Where a caller on this machine reaches it."""
    host, port = sock.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "::1" if address.version == 6 else "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _connections_of(surface: Surface) -> type[asyncio.Protocol]:
    """uvicorn takes a class and makes one object a connection."""

    class Connection(RegistryConnection):
        def __init__(self, *, server_state: ServerState, **_: object) -> None:
            # uvicorn's own _loop is None for sockets that were given to it.
            super().__init__(surface, asyncio.get_running_loop())
            self._server_connections = cast("set[object]", server_state.connections)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._server_connections.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._server_connections.discard(self)

    return Connection


class _Server(uvicorn.Server):
    """uvicorn raises the signal again after it has stopped, which would end the process before the core is closed."""

    def __init__(
        self, config: uvicorn.Config, core: Core, encryption: Encryption | None, *, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._core = core
        self._ready = ready
        self._handshakes = None
        if encryption is not None:
            # By hand: uvicorn's own would let any number of callers begin one, for a minute each.
            self._handshakes = Handshakes("registry", encryption, self._connection, lambda _: None)

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return made

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handshakes is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            for accepting in sockets or []:
                accepting.setblocking(False)
                accepting.listen(self.config.backlog)
                self._handshakes.open(accepting)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handshakes is not None:
            self._handshakes.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
        except (ValueError, RuntimeError):  # not the main thread: whoever runs us there stops us
            yield
            return
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self._core.is_stopping = self.should_exit = True


async def _nothing(_scope: object, _receive: object, _send: object) -> None:
    """uvicorn wants an application; ours stands behind the connections."""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not built for every platform
        return None
    return uvloop.new_event_loop


def _version() -> str:
    try:
        return version("meshway")
    except PackageNotFoundError:
        return "0"
