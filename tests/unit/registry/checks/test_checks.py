"""Which instances are asked when, and what becomes of the answers; clock and network are under the test's hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from meshway.model.registration import InstancePatch
from meshway.model.traffic_policy import HealthCheck
from meshway.outbound.connection import NOT_ASKED, PlainError
from meshway.tasks import spawn
from registry.catalog.registering import Deregister, Patch
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.leases.self_preservation import SelfPreservation
from registry.live.memory import MemoryBus
from tests.parts.conditions import until
from tests.parts.lease_bench import LeaseBench


class Network:
    """What connecting does, by port: nothing (it succeeds), or a PlainError's reason. asked: how often, by port."""

    def __init__(self) -> None:
        self.failing: dict[int, str] = {}
        self.every: str = ""
        self.asked: Counter[int] = Counter()

    async def dial(self, host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked[port] += 1
        reason = self.every or self.failing.get(port)
        if reason:
            raise PlainError(f"{host}:{port}", reason)
        reader = asyncio.StreamReader()
        writer = asyncio.StreamWriter(
            Silence(), asyncio.StreamReaderProtocol(reader), reader, asyncio.get_running_loop()
        )
        return reader, writer


class Silence(asyncio.Transport):
    """Nothing is open."""

    def abort(self) -> None: ...

    def is_closing(self) -> bool:
        return True


class CheckBench(LeaseBench):
    """Replicas that share one view, each with its own checks. Time goes on by `pass_s` only."""

    def __init__(self, replicas: int = 1) -> None:
        super().__init__()
        ends: list[MemoryBus] = []
        self.network = Network()
        self.replicas = [Replicas(MemoryBus(ends), self.clock) for _ in range(replicas)]
        self._tell()
        self.checks = [self._checks(replica) for replica in self.replicas]

    def _tell(self) -> None:
        for replica in self.replicas:
            replica.say()

    def _checks(self, replica: Replicas) -> Checks:
        guard = SelfPreservation(percent=15.0, minimum=3, max_s=900.0)
        return Checks(
            self.view, self.submit, replica, self.network.dial,
            self_preservation=guard, clock=self.clock, random=lambda: 0.5,
        )  # fmt: skip

    def add(self, port: int, **check: object) -> tuple[str, str, str]:
        self.register("books", f"b{port}", port=port, check=HealthCheck(type="tcp", **check))  # type: ignore[arg-type]
        return ("default", "books", f"b{port}")

    def statuses(self) -> Counter[str]:
        rows = self.view.services[("default", "books")].values()
        return Counter(str(row.instance.status) for row in rows)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [spawn(run, name="checks") for checks in self.checks for run in (checks.run(), checks.write())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def pass_s(self, seconds: float, until_true: Callable[[], object] = lambda: True) -> None:
        """Second by second: what is due is asked, and answered, before the next."""
        for _ in range(int(seconds)):
            self._tell()
            self.clock.advance(1.0)
            await until(lambda: not any(one.late_s or one.running for one in self.checks), what="all is answered")
        await until(until_true)


async def test_a_new_instance_is_critical_until_its_first_check_passes() -> None:
    bench = CheckBench()
    key = bench.add(1)
    assert bench.status(key) == "critical"
    async with bench.running():
        await bench.pass_s(1, lambda: bench.status(key) == "passing")
    assert bench.view.revision == 2


async def test_it_takes_a_row_of_failures_and_a_row_of_successes() -> None:
    bench = CheckBench()
    key = bench.add(1, unhealthy_after=3, healthy_after=2)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.status(key) == "passing")
        bench.network.failing[1] = "connect_refused"
        await bench.pass_s(20, lambda: bench.network.asked[1] == 3)
        assert bench.status(key) == "passing"
        await bench.pass_s(10, lambda: bench.status(key) == "critical")
        assert bench.network.asked[1] == 4
        del bench.network.failing[1]
        await bench.pass_s(10, lambda: bench.network.asked[1] == 5)
        assert bench.status(key) == "critical"
        await bench.pass_s(10, lambda: bench.status(key) == "passing")
    assert bench.view.revision == 4


async def test_nobody_is_asked_that_is_gone_or_sends_heartbeats() -> None:
    bench = CheckBench()
    keys = [bench.add(port) for port in (1, 2)]
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 2)
        bench.commit(Deregister(keys[0]))
        bench.register("books", "b2", port=2)
        asked = bench.network.asked.copy()
        await bench.pass_s(30)
        assert bench.network.asked == asked
        assert bench.checks[0].own == set()


async def test_draining_and_maintenance_come_back_after_a_failure() -> None:
    bench = CheckBench()
    key = bench.add(1, unhealthy_after=1, healthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.status(key) == "passing")
        bench.commit(Patch(key, InstancePatch(status="maintenance"), lambda row: row))
        bench.network.failing[1] = "status"
        await bench.pass_s(10, lambda: bench.status(key) == "critical")
        bench.network.failing.clear()
        await bench.pass_s(10, lambda: bench.status(key) == "maintenance")


async def test_a_replica_that_cannot_ask_keeps_the_last_known_state() -> None:
    bench = CheckBench()
    for port in range(1, 21):
        bench.add(port, unhealthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 20)
        bench.network.every = NOT_ASKED
        await bench.pass_s(60)
        assert bench.statuses() == {"passing": 20}


async def test_a_replica_that_reaches_nobody_empties_no_catalogue_and_says_so() -> None:
    bench = CheckBench()
    for port in range(1, 21):
        bench.add(port, unhealthy_after=2)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 20)
        bench.network.every = "timeout"
        await bench.pass_s(60, lambda: bench.checks[0].held == 20)
        assert bench.statuses() == {"passing": 20}
        bench.network.every = ""
        await bench.pass_s(20)
        await until(lambda: bench.checks[0].held == 0, within_s=5)
        assert bench.statuses() == {"passing": 20}


async def test_what_is_held_for_too_long_is_believed(caplog: pytest.LogCaptureFixture) -> None:
    bench = CheckBench()
    for port in range(1, 21):
        bench.add(port, unhealthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 20)
        bench.network.every = "timeout"
        await bench.pass_s(10, lambda: bench.checks[0].held == 20)
        bench.clock.advance(900.0)
        await until(lambda: bench.statuses() == {"critical": 20}, within_s=5)
    told = [record.message for record in caplog.records if "self-preservation" in record.message]
    assert len(told) == 2
    assert "begins in namespace default, zone (none): checks without answer" in told[0]
    assert "s, as long as it may last: checks without answer, 20 of 20 at last" in told[1]


async def test_many_that_refuse_are_critical_all_the_same() -> None:
    bench = CheckBench()
    for port in range(1, 21):
        bench.add(port, unhealthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 20)
        bench.network.every = "connect_refused"
        await bench.pass_s(10, lambda: bench.statuses() == {"critical": 20})


async def test_a_few_silent_ones_are_critical() -> None:
    bench = CheckBench()
    for port in range(1, 21):
        bench.add(port, unhealthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 20)
        bench.network.failing = {1: "timeout", 2: "timeout"}
        await bench.pass_s(10, lambda: bench.statuses() == {"critical": 2, "passing": 18})


async def test_what_could_not_be_written_is_written_when_the_store_is_back() -> None:
    bench = CheckBench()
    key = bench.add(1, unhealthy_after=1)
    async with bench.running():
        await bench.pass_s(1, lambda: bench.status(key) == "passing")
        bench.is_down = True
        bench.network.failing[1] = "connect_refused"
        await bench.pass_s(30)
        assert bench.status(key) == "passing"
        bench.is_down = False
        await until(lambda: bench.status(key) == "critical", within_s=5)


async def test_replicas_share_the_instances_and_take_over_from_one_that_is_gone() -> None:
    bench = CheckBench(replicas=2)
    keys = {bench.add(port, unhealthy_after=1) for port in range(1, 41)}
    one, two = bench.checks
    assert len(one.own) > 8 < len(two.own)
    assert one.own | two.own == keys
    assert not one.own & two.own
    async with bench.running():
        await bench.pass_s(1, lambda: bench.statuses()["passing"] == 40)
        assert set(bench.network.asked.values()) == {1}
        bench.replicas.pop()
        await bench.pass_s(10, lambda: one.own == keys)


async def test_checks_under_way_are_bounded() -> None:
    bench = CheckBench()
    checks = bench.checks[0]
    release, running, most = asyncio.Event(), 0, 0

    async def slow(host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        raise PlainError("", "connect_refused")

    checks._dial, checks._max_running = slow, 5
    for port in range(1, 21):
        bench.add(port)
    async with bench.running():
        bench.clock.advance(1.0)
        await until(lambda: running == 5)
        assert checks.late_s > 0
        release.set()
        await until(lambda: checks.asked == 20)
        assert most == 5
