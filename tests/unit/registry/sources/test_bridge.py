"""Both directions of a bridge, over a tree in memory and a registry that records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from meshway.client.calls import Call
from meshway.client.keeper import Keeper
from meshway.client.watching import EntryChange, WatchEvent
from meshway.tasks import spawn
from registry.sources.bridge import Inbound, Outbound
from registry.sources.zookeeper import TreeAway
from tests.parts.conditions import until


class Tree:
    """Nodes by service and id. is_away: nothing answers."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, bytes]] = {}
        self.is_away = False

    async def services(self) -> list[str]:
        self._refuse()
        return list(self.nodes)

    async def instances(self, service: str) -> dict[str, bytes]:
        self._refuse()
        return dict(self.nodes.get(service, {}))

    async def publish(self, service: str, node_id: str, data: bytes) -> None:
        self._refuse()
        self.nodes.setdefault(service, {})[node_id] = data

    async def withdraw(self, service: str, node_id: str) -> None:
        self._refuse()
        self.nodes[service].pop(node_id, None)

    def put(self, service: str, node_id: str, port: int) -> None:
        node = {"name": service, "id": node_id, "address": "127.0.0.1", "port": port}
        self.nodes.setdefault(service, {})[node_id] = json.dumps(node).encode()

    def _refuse(self) -> None:
        if self.is_away:
            raise TreeAway("away")


class Recorder:
    """Answers as a registry does; ports: of what is registered, by path."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.renewed = 0

    async def send(self, call: Call[Any]) -> Any:
        answer: dict[str, Any] = {}
        if call.method == "PUT":
            self.ports[call.path] = json.loads(call.content or b"")["port"]
            answer = {"lease_id": f"lease of {call.path}", "ttl_s": 30}
        elif call.method == "DELETE":
            self.ports.pop(call.path, None)
        elif call.path == "/v1/heartbeats":
            self.renewed += 1
        return call.decode(httpx.Response(200, json=answer))


async def _listens(_address: str, _port: int) -> bool:
    return True


class Bench:
    def __init__(self) -> None:
        self.tree, self.registry, self.said = Tree(), Recorder(), list[str]()
        self.keeper = Keeper(self.registry, listens=_listens)
        self.inbound = Inbound(
            self.tree, self.registry, self.keeper, namespace="default", ttl_s=30.0, say=self.said.append
        )

    def ports(self) -> list[int]:
        return sorted(self.registry.ports.values())


@asynccontextmanager
async def bridged() -> AsyncIterator[Bench]:
    bench = Bench()
    tasks = [spawn(bench.keeper.run(), name="keeper"), spawn(bench.inbound.run(), name="inbound")]
    try:
        yield bench
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_nodes_are_registered_changed_and_deregistered() -> None:
    async with bridged() as bench:
        bench.tree.put("books", "b1", 1)
        bench.tree.put("books", "b2", 2)
        bench.inbound.changed(None)
        await until(lambda: bench.ports() == [1, 2])
        assert bench.said[-1] == "2 instances of ZooKeeper are in default"
        bench.tree.put("books", "b2", 3)
        bench.inbound.changed("books")
        await until(lambda: bench.ports() == [1, 3])
        bench.tree.nodes["books"]["b2"] = b"no json"
        bench.inbound.changed("books")
        await until(lambda: bench.ports() == [1])
        del bench.tree.nodes["books"]
        bench.inbound.changed(None)
        await until(lambda: bench.ports() == [])
        assert bench.inbound.count == 0


async def test_what_was_missed_while_the_tree_was_away_is_read_once_it_is_back() -> None:
    async with bridged() as bench:
        bench.tree.is_away = True
        bench.inbound.connected(False)
        bench.tree.put("books", "b1", 1)
        bench.inbound.changed("books")
        bench.tree.is_away = False
        bench.inbound.connected(True)
        await until(lambda: bench.ports() == [1])
        assert "ZooKeeper answers again" in bench.said


async def test_a_tree_that_is_away_for_a_session_s_time_leaves_its_copies_to_their_leases() -> None:
    async with bridged() as bench:
        bench.tree.put("books", "b1", 1)
        bench.inbound.changed(None)
        await until(lambda: bench.ports() == [1])
        bench.inbound._let_go()
        assert (bench.inbound.count, bench.ports()) == (0, [1])
        bench.inbound.connected(True)
        await until(lambda: bench.inbound.count == 1)


def _put(name: str, port: int, **fields: Any) -> EntryChange:
    service, _, instance_id = name.partition("/")
    value = {"service": service, "id": instance_id, "address": "127.0.0.1", "port": port} | fields
    return EntryChange(op="put", kind="Instance", namespace="default", name=name, value=value)


def _delete(name: str) -> EntryChange:
    return EntryChange(op="delete", kind="Instance", namespace="default", name=name)


@asynccontextmanager
async def published() -> AsyncIterator[tuple[Tree, asyncio.Queue[WatchEvent], Outbound]]:
    tree, events = Tree(), asyncio.Queue[WatchEvent]()

    async def told() -> AsyncGenerator[WatchEvent, None]:
        while True:
            yield await events.get()

    outbound = Outbound(tree, told(), wall=lambda: 1.0)
    task = spawn(outbound.run(), name="outbound")
    try:
        yield tree, events, outbound
    finally:
        task.cancel()
        await asyncio.wait([task])


def _delta(*changes: EntryChange) -> WatchEvent:
    return WatchEvent(type="delta", revision=1, changes=changes)


async def test_instances_that_may_be_called_are_nodes() -> None:
    async with published() as (tree, events, _):
        await events.put(_delta(_put("books/b1", 1), _put("books/b2", 2, metadata={"meshway-bridge": "zookeeper"})))
        await until(lambda: list(tree.nodes.get("books", {})) == ["meshway-b1"])
        await events.put(_delta(_put("books/b1", 3)))
        await until(lambda: json.loads(tree.nodes["books"]["meshway-b1"])["port"] == 3)
        await events.put(_delta(_put("books/b1", 3, status="critical")))
        await until(lambda: not tree.nodes["books"])
        await events.put(_delta(_put("books/b1", 4), _put("books/b3", 5)))
        await until(lambda: set(tree.nodes["books"]) == {"meshway-b1", "meshway-b3"})
        await events.put(_delta(_delete("books/b1")))
        await until(lambda: set(tree.nodes["books"]) == {"meshway-b3"})


async def test_a_snapshot_takes_out_what_it_does_not_name() -> None:
    async with published() as (tree, events, _):
        await events.put(_delta(_put("books/b1", 1), _put("books/b2", 2)))
        await until(lambda: len(tree.nodes.get("books", {})) == 2)
        await events.put(WatchEvent(type="reset"))
        await events.put(WatchEvent(type="snapshot", revision=9, changes=(_put("books/b2", 2),)))
        await until(lambda: set(tree.nodes["books"]) == {"meshway-b2"})


async def test_a_new_session_publishes_all_again_and_one_that_fails_is_tried_again() -> None:
    async with published() as (tree, events, outbound):
        tree.is_away = True
        await events.put(_delta(_put("books/b1", 1)))
        await asyncio.sleep(0)
        tree.is_away = False
        await until(lambda: len(tree.nodes.get("books", {})) == 1)
        tree.nodes.clear()
        outbound.connected(True)
        await until(lambda: len(tree.nodes.get("books", {})) == 1)
