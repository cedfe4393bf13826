"""A fault for each alert that is built in, in meshes of real processes: it fires in time and names its cause.

One mesh has thirteen of them at once, beside steady calls: a registry, two gateways and what reports as a third one.
Another one has a database that is slow to commit.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.model.builtin_alerts import BUILT_IN
from meshway.telemetry import Numbers, Row
from tests.parts.authority import Authority
from tests.parts.conditions import wait_until
from tests.parts.plain_service import PlainService
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port
from tests.parts.postgres import running_postgres

pytestmark = [pytest.mark.soak, pytest.mark.flaky(reruns=0)]

WITHIN_S = 30.0
# What a machine with many times its load takes for turns, reports and leases.
LOADED_S = 60.0
TTL_S = 3
LONG_TTL_S = 3_600
CALLS_EVERY_S = 0.01
# From the time of the seeded numbers to their end, a day later: so long the test may take until its faults.
SEEDED_S = 600.0
DAY_S = 86_400.0
# More than half of all instances; of each namespace too few for self-preservation.
MASS = {f"mass-{number}": f"wing-{number // 3}" for number in range(18)}
STEADY = ("well", "errors", "jump", "limited", "sick", "broken")
POLICIES = """
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: sick, namespace: shop}
spec: {targets: [{service: sick}], outlier_detection: {consecutive_5xx: 3}}
---
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: broken, namespace: shop}
spec:
  targets: [{service: broken}]
  breaker: {minimum_requests: 5, failures: [500]}
"""
LIMIT = """
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: low, namespace: shop}
spec: {targets: [{service: limited}], token_bucket: {rate: 1/s}}
"""
LOST_FILES = """
apiVersion: meshway/v1
kind: Certificate
metadata: {name: lost, namespace: mesh}
spec: {files: {certificate: lost.pem, key: lost.key}, hosts: [lost.example]}
"""
SHOWN = """
apiVersion: meshway/v1
kind: Certificate
metadata: {name: shown, namespace: shop}
spec: {secret: pair, hosts: [shown.example]}
"""
DEAF_RECEIVER = """
apiVersion: meshway/v1
kind: Receiver
metadata: {name: default, namespace: mesh}
spec: {webhook: {url: "http://127.0.0.1:%d/hook"}, group_wait: 0s, group_interval: 1s}
"""

SLOW_COMMITS = """
CREATE FUNCTION wait_for_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_for_disk();
"""


class Sick(PlainService):
    """Every so many calls fail; 0: none."""

    every = 0

    @property
    def status(self) -> int:
        return 500 if self.every and len(self.calls) % self.every == 0 else 200

    @status.setter
    def status(self, value: int) -> None:
        assert value == 200


class Services:
    """What is called, in a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running: list[Sick] = []

    def start(self, name: str) -> Sick:
        service = Sick(name)
        self._do(service.start())
        self._running.append(service)
        return service

    def _do(self, step: Any) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    def close(self) -> None:
        for service in self._running:
            self._do(service.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Callers:
    """Each service in turn, 100 calls a second in all where the machine has the time."""

    def __init__(self, gateway: Gateway) -> None:
        self._url = f"http://127.0.0.1:{gateway.mesh_port}/"
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(name,), daemon=True) for name in STEADY]
        for each in self._threads:
            each.start()

    def _call(self, name: str) -> None:
        due = time.monotonic()
        with httpx.Client(timeout=10.0, trust_env=False) as client:
            while True:
                due = max(due + CALLS_EVERY_S * len(STEADY), time.monotonic())
                if self._ends.wait(due - time.monotonic()):
                    return
                try:
                    client.get(self._url, headers={"Host": f"{name}.shop.mesh"})
                except httpx.TransportError:
                    continue

    def close(self) -> None:
        self._ends.set()
        for each in self._threads:
            each.join(20)


class Leases:
    """Heartbeats of instances, until they are left alone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[str, str] = {}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def hold(self, namespace: str, service: str, instance: str, port: int) -> None:
        answer = self._registry.client.put(
            f"/v1/namespaces/{namespace}/services/{service}/instances/{instance}",
            json={"port": port, "address": "127.0.0.1", "ttl_s": TTL_S},
        )
        assert answer.status_code in (200, 201), answer.text
        self._kept[instance] = answer.json()["lease_id"]

    def leave(self, *instances: str) -> None:
        for each in instances:
            self._kept.pop(each, None)

    def _renew(self) -> None:
        with httpx.Client(base_url=self._registry.url, timeout=10.0, trust_env=False) as client:
            while not self._ends.wait(TTL_S / 6):
                if leases := list(self._kept.values()):
                    try:
                        client.post("/v1/heartbeats", json={"leases": leases})
                    except httpx.TransportError:
                        continue

    def close(self) -> None:
        self._ends.set()
        self._thread.join(20)


class Follower:
    """A gateway that reports and is behind, which no fault of the network makes of one for long: whoever still reports
    also asks for what is lacking."""

    AHEAD = 1_000_000

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.revision = self.AHEAD
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._thread.start()

    def _report(self) -> None:
        with httpx.Client(base_url=self._registry.url, timeout=10.0, trust_env=False) as client:
            while not self._ends.wait(1.0):
                client.post("/v1/reports", json={"node": "gw-old", "revision": self.revision})

    def close(self) -> None:
        self._ends.set()
        self._thread.join(20)


class Watch:
    """What was told of each alert, from its fault to its end. faults: by the alert's name, seconds since 1970."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.faults: dict[str, float] = {}

    def fault(self, *names: str) -> None:
        self.faults |= dict.fromkeys((f"builtin-{name}" for name in names), time.time())

    def now(self, state: str) -> dict[tuple[str, str], dict[str, Any]]:
        """By name and the summary's subject."""
        items = self._registry.client.get("/v1/alerts", params={"state": state, "limit": 500}).json()["items"]
        return {(each["name"], each["id"]): each for each in items}

    def firing(self, name: str, pattern: str) -> dict[str, Any] | None:
        found = [each for (known, _), each in self.now("firing").items() if known == f"builtin-{name}"]
        return next((each for each in found if re.fullmatch(pattern, each["summary"])), None)

    def fires(self, name: str, pattern: str) -> dict[str, Any]:
        """Waits until it does, and holds the time it took against the bound."""
        at = self.faults[f"builtin-{name}"]
        end = time.monotonic() + WITHIN_S + LOADED_S
        while (alert := self.firing(name, pattern)) is None:
            there = [each["summary"] for state in ("firing", "pending") for each in self.now(state).values()]
            assert time.monotonic() < end, f"{name} does not fire; there is {there}"
            time.sleep(0.5)
        took_s = alert["fired_at"] - at
        bound = f"{WITHIN_S:.0f} s and {LOADED_S:.0f} s for a load of {os.getloadavg()[0]:.1f}"
        print(f"{name}: fired {took_s:.1f} s after its fault (bound {bound}): {alert['summary']}", flush=True)
        assert took_s < WITHIN_S + LOADED_S
        return alert

    def ends(self, alert: dict[str, Any], mended_at: float) -> None:
        wait_until(
            lambda: (alert["name"], alert["id"]) in self.now("resolved"), within_s=240.0, every_s=0.5, what=str(alert)
        )
        over = self.now("resolved")[alert["name"], alert["id"]]
        print(f"{alert['name']}: resolved {over['resolved_at'] - mended_at:.1f} s after it was mended", flush=True)


def seeded(registry: Registry) -> None:
    """A day ago, one call in two hundred of `jump` failed, as a gateway reported it at its time."""
    begun = time.time() - DAY_S - 120.0
    step_s = 10.0
    for at in range(int(SEEDED_S / step_s)):
        row = Row(("edge", "shop/jump"), 200, 1, seconds=2.0, buckets={bucket_of(0.01): 200})
        first = begun + at * step_s
        report = Numbers(
            node="gw-of-then", boot="boot-then", sequence=at + 1, begun=first, ended=first + step_s, edges=(row,)
        )
        answer = registry.client.post("/v1/telemetry", json=msgspec.to_builtins(report, str_keys=True))
        assert answer.status_code == 204, answer.text


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """One that has a day behind it, and calls a Receiver failing after a second in place of an hour."""

    class OfYesterday(Registry):
        program = f"import time\nreal = time.time\ntime.time = lambda: real() - {DAY_S - SEEDED_S + 60.0}"

    yesterday = OfYesterday(tmp_path)
    seeded(yesterday)
    yesterday.close()

    class Impatient(Registry):
        program = "from registry.notifications import notifications\nnotifications.FAILING_S = 1.0"

    running = Impatient(tmp_path)
    yield running
    running.close()


def applied_secret(registry: Registry, days: float) -> None:
    pair = Authority().issue("shown.example", days=days, begins_days=days - 90.0)
    data = {"certificate": pair.certificate.decode(), "private_key": pair.key.decode()}
    answer = registry.client.put("/v1/namespaces/shop/secrets/pair", json={"spec": {"type": "tls", "data": data}})
    assert answer.status_code in (200, 201), answer.text


def test_every_fault_fires_in_time_and_says_what_it_is(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    ends: list[Callable[[], None]] = []
    try:
        gateway = Gateway(tmp_path / "one", registry.url, 1, "--node", "gw-one")
        ends.append(gateway.close)
        other = Gateway(tmp_path / "two", registry.url, 1, "--node", "gw-two")
        ends.append(other.close)
        services, leases, watch = Services(), Leases(registry), Watch(registry)
        old = Follower(registry)
        ends += [services.close, leases.close, old.close]
        called = {name: services.start(name) for name in (*STEADY, "sick-2", "dying", "mass", "crowd")}
        for name in STEADY:
            registry.register(name, f"{name}-1", called[name].port, namespace="shop", ttl_s=LONG_TTL_S)
        registry.register("sick", "sick-2", called["sick-2"].port, namespace="shop", ttl_s=LONG_TTL_S)
        crowd = [f"crowd-{number}" for number in range(5)]
        leases.hold("edge-of", "dying", "dying-1", called["dying"].port)
        for each in crowd:
            leases.hold("bank", "crowd", each, called["crowd"].port)
        for each, namespace in MASS.items():
            leases.hold(namespace, "mass", each, called["mass"].port)
        applied_secret(registry, days=80.0)
        registry.apply(POLICIES)
        registry.apply(SHOWN)
        callers = Callers(gateway)
        ends.insert(0, callers.close)
        # A minute of calls that are well, and a registry that has heard of all.
        time.sleep(65.0)
        assert watch.now("firing") == {}

        called["errors"].every, called["jump"].every = 2, 12
        watch.fault("errors", "error-jump")
        called["sick"].every = called["broken"].every = 1
        watch.fault("outlier-ejected", "breaker-open")
        registry.apply(LIMIT)
        watch.fault("limit-reached")
        registry.apply(LOST_FILES)
        watch.fault("document-refused")
        applied_secret(registry, days=5.0)
        watch.fault("certificate-expiring")
        old.revision = 1
        watch.fault("gateway-outdated")
        os.killpg(other.process.pid, signal.SIGSTOP)
        ends.insert(0, lambda: os.killpg(other.process.pid, signal.SIGCONT))
        watch.fault("gateway-silent")
        leases.leave("dying-1", *crowd, *MASS)
        watch.fault("no-instances", "self-preservation", "removals-held")

        patterns = {
            "no-instances": "no instance of dying is passing",
            "removals-held": r"gateway gw-one calls \d+ instances that vanished at once.*",
            "self-preservation": r"\d+ leases of bank ran out at once and are spared",
            "errors": r"\d[\d.]* % of the calls of errors fail",
            "error-jump": r"\d[\d.]* % of the calls of jump fail, five times as many as at this hour yesterday",
            "limit-reached": r"a RateLimit turns away \d[\d.]* % of the calls of route implicit:limited",
            "breaker-open": r"the breaker of broken is open at 1 gateways \(gw-one\)",
            "outlier-ejected": r"1 instances of sick are ejected \(shop/sick/sick-1\)",
            "certificate-expiring": r"1 certificates of shop are about to expire \(shop/shown\)",
            "document-refused": r"gateway gw-one cannot compile 1 documents \(Certificate mesh/lost\)",
            "gateway-outdated": r"gateway gw-old lacks revisions that are .* old",
            "gateway-silent": r"gateway gw-two has said nothing for .*",
        }
        for name, pattern in patterns.items():
            watch.fires(name, pattern)

        # There is no lack of alerts to be told of.
        registry.apply(DEAF_RECEIVER % free_port())
        watch.fault("receiver-failing")
        failing = r"1 receivers of mesh cannot be told of alerts \(mesh/default\)"
        watch.fires("receiver-failing", failing)

        assert set(watch.faults) == BUILT_IN.keys() - {"builtin-store-slow"}
    finally:
        for end in ends:
            end()


def test_a_store_that_is_slow_to_commit_fires_and_is_over(tmp_path: Path) -> None:
    with running_postgres() as server:
        url = server.new_database()
        database = url.rpartition("/")[2]
        registry = Registry(tmp_path, "--database-url", url, "--dns-port", "off")
        ends = threading.Event()

        def write() -> None:
            with httpx.Client(base_url=registry.url, timeout=60.0, trust_env=False) as client:
                for number in range(100_000):
                    if ends.wait(0.5):
                        return
                    path = f"/v1/namespaces/shop/services/cart/instances/cart-{number % 10}"
                    client.put(path, json={"port": 9000 + number % 50, "address": "127.0.0.1", "ttl_s": LONG_TTL_S})

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        try:
            watch = Watch(registry)
            time.sleep(15.0)
            assert watch.now("firing") == {}
            # At its end a transaction that commits a revision waits, as for a disk that is busy.
            server.sql(SLOW_COMMITS, database)
            watch.fault("store-slow")
            alert = watch.fires("store-slow", r"the registry's store takes \d[\d.]* s to commit")
            server.sql("DROP FUNCTION wait_for_disk CASCADE", database)
            watch.ends(alert, time.time())
        finally:
            ends.set()
            writer.join(60)
            registry.close()
