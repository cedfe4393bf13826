"""What is worked out for readers of the live stream: once for all of them, and nothing while there are none."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from meshway.problem import Problem
from registry.gateways import GatewayState
from registry.insight.asking import Asking
from registry.insight.figures import Figures
from registry.insight.health import Instances
from registry.insight.services import ServiceSignals
from registry.insight.sight import Sight
from registry.live.memory import MemoryBus
from registry.machine import live_topics
from registry.machine.live_topics import LiveTopics, Shown, Topic
from registry.notices import Notices


class Reader:
    def __init__(self, *topics: Topic, signals: Shown | None = None) -> None:
        self.topics = frozenset(topics)
        self.signals = signals
        self.owed: list[tuple[str, Any]] = []
        self.noticed: list[tuple[str, frozenset[str]]] = []

    def owe(self, topic: Topic, text: bytes) -> None:
        self.owed.append((topic, json.loads(text.partition(b"data: ")[2])))

    def notice(self, topic: Topic, namespaces: frozenset[str]) -> None:
        self.noticed.append((topic, namespaces))


class Numbers:
    """In the place of what is read of the store: as many calls as it is told, of two services."""

    def __init__(self) -> None:
        self.calls = 1
        self.asked = 0
        self.is_broken = False

    async def services(self, span: Any, sight: Sight, namespace: str | None) -> list[ServiceSignals]:
        self.asked += 1
        if self.is_broken:
            raise ZeroDivisionError
        figures = Figures(
            calls=self.calls, rps=1.0, error_share=0.0, rejected_share=0.0, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0,
            mean_ms=1.0, in_bps=0.0, out_bps=0.0, retries=0,
        )  # fmt: skip
        return [
            ServiceSignals(
                namespace="shop", name=name, health="ok", reasons=(), figures=figures, instances=Instances(1, 1)
            )
            for name in ("cart", "web")
            if namespace in (None, "shop")
        ]


def state(last_report_s: float, revision: int = 1) -> GatewayState:
    return GatewayState(
        node="gw-1", live=True, revision=revision, refused=(), version="", zone="", workers=1, edge="", mesh="",
        ejected=(), mass_removal_guard=0, limits_alone="", last_report_s=last_report_s,
    )  # fmt: skip


class Hub:
    def __init__(self) -> None:
        self.numbers = Numbers()
        self.states = [state(0.5)]
        self.notices = Notices(MemoryBus())
        self.topics = LiveTopics(cast("Asking", self.numbers), lambda: self.states, self.notices, lambda: 1_000.0)


def shown(window_s: float = 900.0, *services: str, namespace: str | None = None) -> Shown:
    return Shown(window_s, Sight(), namespace, frozenset(services))


async def rounds(hub: Hub, count: int) -> None:
    """So many more rounds of the hub."""
    until = hub.numbers.asked + count
    async with asyncio.timeout(10):
        while hub.numbers.asked < until:
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_topics, "EVERY_S", 0.03)


async def test_what_has_not_changed_is_not_told_again() -> None:
    hub, reader = Hub(), Reader("signals", "gateways", signals=shown())
    hub.topics.join(reader)
    await rounds(hub, 3)
    assert [topic for topic, _ in reader.owed] == ["gateways", "signals"]
    hub.numbers.calls = 2
    hub.states = [state(2.5)]  # only the time since its report is another
    await rounds(hub, 3)
    assert [topic for topic, _ in reader.owed] == ["gateways", "signals", "signals"]
    assert reader.owed[-1][1]["items"][0]["figures"]["calls"] == 2
    hub.states = [state(0.1, revision=2)]
    await rounds(hub, 3)
    assert reader.owed[-1] == ("gateways", {"items": [json.loads(json.dumps(reader.owed[-1][1]["items"][0]))]})
    assert reader.owed[-1][1]["items"][0]["revision"] == 2
    hub.topics.leave(reader)


async def test_readers_of_the_same_share_what_is_worked_out_and_each_sees_its_part() -> None:
    hub = Hub()
    same = [Reader("signals", signals=shown()) for _ in range(5)]
    one = Reader("signals", signals=shown(900.0, "shop/web"))
    none = Reader("signals", signals=shown(namespace="bank"))
    for reader in (*same, one, none):
        hub.topics.join(reader)
    await rounds(hub, 3)
    assert {len(reader.owed) for reader in (*same, one, none)} == {1}
    assert [item["name"] for item in one.owed[0][1]["items"]] == ["web"]
    assert none.owed[0][1]["items"] == []
    assert hub.numbers.asked <= 7
    for reader in (*same, one, none):
        hub.topics.leave(reader)


async def test_what_cannot_be_worked_out_once_is_worked_out_again() -> None:
    hub, reader = Hub(), Reader("signals", "gateways", signals=shown())
    hub.numbers.is_broken = True
    hub.topics.join(reader)
    await rounds(hub, 2)
    hub.numbers.is_broken = False
    await rounds(hub, 2)
    assert [topic for topic, _ in reader.owed] == ["gateways", "signals"]
    hub.topics.leave(reader)


async def test_nothing_is_worked_out_when_nobody_reads() -> None:
    hub, reader = Hub(), Reader("signals", signals=shown())
    hub.topics.join(reader)
    await rounds(hub, 1)
    hub.topics.leave(reader)
    await asyncio.sleep(0)
    asked = hub.numbers.asked
    await asyncio.sleep(0.1)
    assert hub.numbers.asked == asked
    hub.topics.join(late := Reader("signals", signals=shown()))
    await rounds(hub, 1)
    await asyncio.sleep(0)
    assert len(late.owed) == 1
    hub.topics.leave(late)


async def test_notices_go_to_those_who_read_their_topic() -> None:
    hub, alerts, gateways = Hub(), Reader("alerts"), Reader("gateways")
    for reader in (alerts, gateways):
        hub.topics.join(reader)
    hub.notices.tell("alerts", ["shop"])
    assert (alerts.noticed, gateways.noticed) == ([("alerts", frozenset({"shop"}))], [])
    for reader in (alerts, gateways):
        hub.topics.leave(reader)
    hub.notices.tell("alerts", ["shop"])
    assert len(alerts.noticed) == 1


async def test_one_window_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_topics, "MOST_WINDOWS", 2)
    hub = Hub()
    for window_s in (60.0, 900.0, 60.0):
        hub.topics.join(Reader("signals", signals=shown(window_s)))
    with pytest.raises(Problem) as refused:
        hub.topics.join(Reader("signals", signals=shown(70.0)))
    assert (refused.value.status, refused.value.code) == (503, "too_many_windows")
    for reader in tuple(hub.topics._readers):
        hub.topics.leave(reader)
