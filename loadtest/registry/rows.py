"""The rows that are measured side by side: what each server is asked, by 64 clients of one connection each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.registry import etcd_wire, meshway_wire, zookeeper_wire
from loadtest.registry.closed_loop import ClosedLoop
from loadtest.registry.figures import BATCHES, FOLLOWED, HEARTBEAT_BATCHES, HEARTBEATS, REGISTRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.registry.closed_loop import Dialect
    from loadtest.registry.servers import Server

CLIENTS = 64
BATCH = 100
_LEASE = 7000
_ROOT = b"/load"
_VALUE = json.dumps({"address": "10.0.0.1", "port": 9000, "version": "v1"}).encode()
_numbers = itertools.count(1)

Connect = Callable[["Server"], Coroutine[Any, Any, ClosedLoop]]


class Row(NamedTuple):
    """by: how each kind of server is asked it. followers: who follow meanwhile (watchers elsewhere)."""

    name: str
    by: Mapping[str, Connect]
    followers: int = 0


def kind_of(server: Server) -> str:
    return server.name.partition(",")[0]


async def connect(server: Server, make: Callable[[int], Dialect], count: int = CLIENTS) -> ClosedLoop:
    return await ClosedLoop.connect(server.port, [make(at) for at in range(count)])


# --- Meshway ---


async def meshway_registrations(server: Server) -> ClosedLoop:
    return await connect(server, lambda _: meshway_wire.registrations(_numbers))


async def meshway_batches(server: Server) -> ClosedLoop:
    return await connect(server, lambda _: meshway_wire.batches(_numbers, BATCH), 8)


async def _leases(server: Server, count: int) -> list[str]:
    calls = meshway_wire.batches(_numbers, count)
    loop = await ClosedLoop.connect(server.port, [calls])
    await loop.once()
    loop.close()
    return [row["lease_id"] for row in json.loads(calls.body)["instances"]]


async def meshway_heartbeats(server: Server) -> ClosedLoop:
    leases = await _leases(server, CLIENTS)
    return await connect(server, lambda at: meshway_wire.heartbeats([leases[at]]))


async def meshway_heartbeat_batches(server: Server) -> ClosedLoop:
    leases = await _leases(server, BATCH * 8)
    return await connect(server, lambda at: meshway_wire.heartbeats(leases[at * BATCH : (at + 1) * BATCH]), 8)


# --- etcd: a put under a lease that is already there; a real registration grants one first, a second durable call ---


async def etcd_registrations(server: Server) -> ClosedLoop:
    await _grant(server, range(_LEASE, _LEASE + 1))
    keys: Iterator[bytes] = (b"/load/s-%d/i-%d" % (at % 50, at) for at in _numbers)
    return await connect(
        server, lambda _: etcd_wire.Calls(etcd_wire.PUT, lambda: etcd_wire.put(next(keys), _VALUE, _LEASE))
    )


async def etcd_heartbeats(server: Server) -> ClosedLoop:
    first = next(_numbers) * 100_000
    await _grant(server, range(first, first + CLIENTS))
    return await connect(
        server, lambda at: etcd_wire.Talk(etcd_wire.KEEP_ALIVE, lambda: etcd_wire.keep_alive(first + at))
    )


async def _grant(server: Server, leases: Sequence[int]) -> None:
    """A lease that is there already is refused, and is what was wanted."""
    for lease in leases:
        message = etcd_wire.grant(3600, lease)
        loop = await ClosedLoop.connect(
            server.port,
            [etcd_wire.Calls(etcd_wire.GRANT, lambda message=message: message)],  # type: ignore[misc]
        )
        try:
            await loop.once()
        except RuntimeError:
            if lease != _LEASE:
                raise
        finally:
            loop.close()


async def etcd_watchers(server: Server, count: int) -> ClosedLoop:
    loop = await connect(server, lambda _: etcd_wire.Talk(etcd_wire.WATCH, lambda: etcd_wire.watch(b"/load/")), count)
    await loop.once()
    return loop


# --- ZooKeeper: an ephemeral node of the client's session ---


async def zookeeper_registrations(server: Server) -> ClosedLoop:
    await _make_root(server)
    paths: Iterator[bytes] = (b"%b/i-%d" % (_ROOT, at) for at in _numbers)

    def node() -> bytes:
        return zookeeper_wire.create(next(paths), _VALUE, zookeeper_wire.EPHEMERAL)

    return await connect(server, lambda _: zookeeper_wire.Session(zookeeper_wire.CREATE, node))


async def zookeeper_heartbeats(server: Server) -> ClosedLoop:
    return await connect(server, lambda _: zookeeper_wire.Session(zookeeper_wire.PING, bytes))


async def zookeeper_watchers(server: Server, count: int) -> ClosedLoop:
    await _make_root(server)
    ask = zookeeper_wire.add_watch(_ROOT)
    loop = await connect(server, lambda _: zookeeper_wire.Session(zookeeper_wire.ADD_WATCH, lambda: ask), count)
    await loop.once()
    return loop


async def _make_root(server: Server) -> None:
    root = zookeeper_wire.create(_ROOT, b"", 0)
    loop = await ClosedLoop.connect(server.port, [zookeeper_wire.Session(zookeeper_wire.CREATE, lambda: root)])
    try:
        await loop.once()
    except RuntimeError as error:
        if "-110" not in str(error):  # NodeExists
            raise
    finally:
        loop.close()


ONE_A_CALL: Mapping[str, Connect] = {
    "meshway": meshway_registrations,
    "etcd": etcd_registrations,
    "ZooKeeper": zookeeper_registrations,
}
ROWS = (
    Row(REGISTRATIONS, ONE_A_CALL),
    Row(FOLLOWED, ONE_A_CALL, followers=100),
    Row(BATCHES, {"meshway": meshway_batches}),
    Row(HEARTBEATS, {"meshway": meshway_heartbeats, "etcd": etcd_heartbeats, "ZooKeeper": zookeeper_heartbeats}),
    Row(HEARTBEAT_BATCHES, {"meshway": meshway_heartbeat_batches}),
)
WATCHERS = {"etcd": etcd_watchers, "ZooKeeper": zookeeper_watchers}
