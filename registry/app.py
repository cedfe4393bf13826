"""The registry as a process: core and surfaces put together behind one socket (`serve`)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from meshway.certificates import CertificateFault
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.compat.consul.table import consul_tasks
from registry.core import Core
from registry.dns.server import DnsSockets, dns_served
from registry.door import bind, refuse_open_door, url_of, warn_of_clear_text
from registry.encryption import encryption_of
from registry.gateways import Gateways
from registry.identity.publishing import shown_trust
from registry.machine.surface import Surface
from registry.people.users import LINK_S
from registry.running import open_core
from registry.server import Server, connections_of, loop_factory, nothing
from registry.surfaces import make_surface

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import TrustBundle
    from registry.encryption import Encryption
    from registry.people.users import LinkMade
    from registry.settings import RegistrySettings
    from registry.view.view import View

BACKLOG: Final = 2048
STOP_S: Final = 10
# Between two looks at which streams' tokens are over.
_LOOK_S: Final = 2.0

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
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, listening, dns, ready, encryption))


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
            app=nothing,
            http=connections_of(surface),
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

        server = Server(config, core, encryption, ready=answers)
        link = None if settings.trusts_loopback else await _first_link(core)
        async with contextlib.AsyncExitStack() as faces:
            faces.callback(spawn(_end_expired(surface), name="streams of those who may no more").cancel)
            if not (settings.is_on_loopback or encryption):
                faces.callback(spawn(warn_of_clear_text(settings.bind), name="reminder of clear text").cancel)
            if encryption is not None:
                follow_trust(core.view, encryption, surface)
                faces.callback(spawn(encryption.run(), name="read the files of the certificate").cancel)
            for name, run in consul_tasks(core):
                faces.callback(spawn(run, name=name).cancel)
            if dns is not None:
                await faces.enter_async_context(dns_served(core.view, dns, core.dns))
            await server.serve(sockets=[sock])


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
        return await core.callers.users.first_link()
    except Problem as problem:
        log.warning("there is no link to set the first admin's password by: %s", problem)
        return None


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
