"""A supervisor's start: what it owns is opened, or taken from the one that runs, before anything is served."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from gateway.event_loop import loop_factory
from gateway.feed.registry_link import RegistryUrl
from gateway.listeners.sockets import filled, open_one, open_slots, url_of
from gateway.settings import Addresses, GatewaySettings, refuse_open_bind
from gateway.supervisor.data_folder import held_folder
from gateway.supervisor.offer import Taken, refuse_elsewhere, take_offer
from gateway.supervisor.slot import Slot
from gateway.supervisor.supervisor import Supervisor
from meshway.model.listener import EDGE, EDGE_TLS, MESH, MESH_TLS, TLS_LISTENERS
from meshway.problem import Problem


def serve(settings: GatewaySettings) -> None:
    """Runs until SIGTERM or SIGINT. Raises Problem when it cannot start: address, port, data folder, registry URL."""
    refuse_open_bind(settings)
    urls = tuple(
        RegistryUrl.parse(text, settings.token_file, settings.registry_ca_file) for text in settings.registry_urls
    )
    if not urls:
        raise Problem(400, "no_registry", "no registry was named", mend="pass --registry http://HOST:8500")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s gateway %(levelname)s %(message)s")
    count = settings.worker_count
    taken = take_offer(settings.data_dir, count) if settings.take_over else None
    with held_folder(settings.data_dir, None if taken is None else taken.lock) as (runtime, lock):
        listeners: dict[str, list[socket.socket]] = {}
        ports = {
            EDGE: settings.edge_port,
            MESH: settings.mesh_port,
            EDGE_TLS: settings.edge_tls_port,
            MESH_TLS: settings.mesh_tls_port,
        }
        with contextlib.ExitStack() as opened:
            for name, port in ports.items():
                if port is None:
                    continue
                known = None if taken is None else taken.listeners.pop(name, None)
                if known is not None:
                    refuse_elsewhere(known[0], settings.bind, port, f"--{name}-port")
                    listeners[name] = filled(known, count, f"--{name}-port")
                else:
                    listeners[name] = open_slots(settings.bind, port, count, f"--{name}-port")
                for listener in listeners[name]:
                    opened.enter_context(listener)
            if taken is None:
                admin = open_one(settings.bind, settings.admin_port, "--admin-port")
            else:
                admin = taken.admin
                refuse_elsewhere(admin, settings.bind, settings.admin_port, "--admin-port")
                for left in chain.from_iterable(taken.listeners.values()):
                    left.close()  # nobody reads it here, and callers would queue as long as it is open
            opened.enter_context(admin)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_run(settings, urls, runtime, listeners, admin, lock, taken))


async def _run(
    settings: GatewaySettings,
    urls: tuple[RegistryUrl, ...],
    runtime: Path,
    listeners: Mapping[str, list[socket.socket]],
    admin: socket.socket,
    lock: int,
    taken: Taken | None,
) -> None:
    slots = [
        Slot(index, {name: opened[index] for name, opened in listeners.items()})
        for index in range(settings.worker_count)
    ]
    tls = {name: url_of(listeners[name][0], "https") for name in TLS_LISTENERS if name in listeners}
    addresses = Addresses(
        edge=url_of(listeners[EDGE][0]),
        mesh=url_of(listeners[MESH][0]),
        admin=url_of(admin),
        pid=os.getpid(),
        edge_tls=tls.get(EDGE_TLS, ""),
        mesh_tls=tls.get(MESH_TLS, ""),
    )
    await Supervisor(settings, urls, runtime, slots, addresses).run(admin, lock, taken)
