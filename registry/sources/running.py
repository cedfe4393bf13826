"""The bridge as a process: its parts put together, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import msgspec

from meshway.client.keeper import Keeper
from meshway.client.registry import AsyncRegistry
from meshway.client.watching import Position, afollow
from meshway.snapshot import INSTANCE
from meshway.tasks import spawn
from registry.sources.bridge import Inbound, Outbound
from registry.sources.zookeeper import ServiceTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.client.settings import MeshSettings


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """hosts, path: where the tree is. to: copy the namespace into it, too. ttl_s: the leases of copies."""

    hosts: str
    path: str = "/services"
    to: bool = False
    ttl_s: float = 30.0


def run_bridge(settings: MeshSettings, bridge: BridgeSettings, say: Callable[[str], None]) -> None:
    """Until SIGTERM, SIGINT or SIGHUP; blocking. Copies in the registry are left to their leases, since what they are
    copies of lives on and the next bridge takes them over; copies in the tree go with the session.

    say: one line for whoever started it. Raises TreeAway when ZooKeeper does not answer at first, and MeshwayError when
    the registry refuses to be followed.
    """
    asyncio.run(_run(settings, bridge, say))


async def _run(settings: MeshSettings, bridge: BridgeSettings, say: Callable[[str], None]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    registry = AsyncRegistry(settings)
    keeper = Keeper(registry, listens=_listens)
    tree = ServiceTree(bridge.hosts, bridge.path)
    inbound = Inbound(tree, registry, keeper, namespace=settings.namespace, ttl_s=bridge.ttl_s, say=say)
    hears: list[Inbound | Outbound] = [inbound]
    tasks = [keeper.run(), inbound.run()]
    if bridge.to:
        events = afollow(settings, Position(INSTANCE, settings.namespace, None, None))
        outbound = Outbound(tree, events)
        hears.append(outbound)
        tasks.append(outbound.run())

    def connected(is_connected: bool) -> None:
        for part in hears:
            part.connected(is_connected)

    running = []
    try:
        await tree.start(changed=inbound.changed, connected=connected)
        say(f"bridging {bridge.hosts}{tree.path} {'and' if bridge.to else 'to'} {settings.namespace}; Ctrl-C ends")
        running = [spawn(task, name="bridge") for task in tasks]
        waiting = spawn(ended.wait(), name="bridge's end")
        done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done - {waiting}:
            task.result()  # one that ends by itself has failed
    finally:
        for task in running:
            task.cancel()
        for unstarted in tasks[len(running) :]:
            unstarted.close()
        await tree.stop()
        await registry.close()


async def _listens(_address: str, _port: int) -> bool:
    """Whoever published the node says so."""
    return True
