"""A fault for each alert that is built in, in meshes of real processes: it fires in time, names its cause, and ends in
time when that is mended; who is told of its end is told once.

One mesh has thirteen of them at once, beside steady calls: a registry, two gateways and what reports as a third one.
Another one has a database that is slow to commit.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.model.builtin_alerts import BUILT_IN
from meshway.telemetry import Numbers, Row
from tests.parts.alert_faults import Callers, Follower, Leases, Services, Watch, told
from tests.parts.authority import Authority
from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port
from tests.parts.postgres import running_postgres

pytestmark = [pytest.mark.soak, pytest.mark.flaky(reruns=0)]

LONG_TTL_S = 3_600
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
RECEIVER = """
apiVersion: meshway/v1
kind: Receiver
metadata: {name: %s, namespace: mesh}
spec: {webhook: {url: "%s"}, group_wait: 0s, group_interval: 1s}
"""
LOUD = """
apiVersion: meshway/v1
kind: Alert
metadata: {name: loud, namespace: mesh}
spec: {query: service=well instances_passing >= 1, for: 0s, receivers: [deaf]}
"""
# Until it is resolved, seconds from the mend: what is so now is over by 20 s of no such look and two looks more; a
# minute of calls has to pass; who was ejected or kept away for long stays so to the end of that time, and a Receiver
# that failed is tried again after a wait.
STATE_S, MINUTE_S = 45.0, 105.0
ENDS_S = {
    "errors": MINUTE_S, "error-jump": MINUTE_S, "limit-reached": MINUTE_S, "breaker-open": MINUTE_S,
    "receiver-failing": MINUTE_S, "outlier-ejected": 200.0,
}  # fmt: skip

SLOW_COMMITS = """
CREATE FUNCTION wait_for_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_for_disk();
"""


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


def deleted(registry: Registry, path: str) -> None:
    answer = registry.client.delete(path)
    assert answer.status_code in (200, 204), answer.text


PATTERNS = {
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
    "receiver-failing": r"1 receivers of mesh cannot be told of alerts \(mesh/deaf\)",
}


def test_every_fault_fires_in_time_says_what_it_is_and_is_over_when_it_is_mended(
    registry: Registry, tmp_path: Path
) -> None:
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

        def held() -> None:
            leases.hold("edge-of", "dying", "dying-1", called["dying"].port)
            for each in crowd:
                leases.hold("bank", "crowd", each, called["crowd"].port)
            for each, namespace in MASS.items():
                leases.hold(namespace, "mass", each, called["mass"].port)

        held()
        applied_secret(registry, days=80.0)
        registry.apply(POLICIES)
        registry.apply(SHOWN)
        registry.apply(RECEIVER % ("default", services.hook.url))
        callers = Callers(gateway, *STEADY)
        ends.insert(0, callers.close)
        # A minute of calls that are well, and a registry that has heard of all.
        time.sleep(65.0)
        assert watch.now("firing") == []

        registry.apply(RECEIVER % ("deaf", f"http://127.0.0.1:{free_port()}/hook"))
        watch.fault("receiver-failing")
        registry.apply(LOUD)
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
        fired = {name: watch.fires(name, pattern) for name, pattern in PATTERNS.items()}

        for name in ("errors", "jump", "sick", "broken"):
            called[name].every = 0
        watch.mended("errors", "error-jump", "outlier-ejected", "breaker-open")
        deleted(registry, "/v1/namespaces/shop/rate-limits/low")
        watch.mended("limit-reached")
        deleted(registry, "/v1/namespaces/mesh/certificates/lost")
        watch.mended("document-refused")
        applied_secret(registry, days=80.0)
        watch.mended("certificate-expiring")
        old.revision = Follower.AHEAD
        watch.mended("gateway-outdated")
        os.killpg(other.process.pid, signal.SIGCONT)
        watch.mended("gateway-silent")
        held()
        watch.mended("no-instances", "self-preservation", "removals-held")
        registry.apply(RECEIVER % ("deaf", services.hook.url))
        watch.mended("receiver-failing")
        over = {name: watch.ends(name, alert, ENDS_S.get(name, STATE_S)) for name, alert in fired.items()}

        assert (
            watch.faults.keys()
            == watch.mends.keys()
            == {name.removeprefix("builtin-") for name in BUILT_IN if name != "builtin-store-slow"}
        )
        ended = {alert["fingerprint"] for alert in over.values()}

        def heard_of() -> Counter[tuple[str, str, str]]:
            return told(services.hook, "mesh/default")

        wait_until(lambda: ended <= {each for each, _, status in heard_of() if status == "resolved"}, 30)
        heard = heard_of()
        assert {key: count for key, count in heard.items() if key[2] == "resolved" and count != 1} == {}
        without_begin = {key for key in heard if key[2] == "resolved" and (*key[:2], "firing") not in heard}
        assert without_begin == set()
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
            assert watch.now("firing") == []
            # At its end a transaction that commits a revision waits, as for a disk that is busy.
            server.sql(SLOW_COMMITS, database)
            watch.fault("store-slow")
            alert = watch.fires("store-slow", r"the registry's store takes \d[\d.]* s to commit")
            server.sql("DROP FUNCTION wait_for_disk CASCADE", database)
            watch.mended("store-slow")
            watch.ends("store-slow", alert, STATE_S)
        finally:
            ends.set()
            writer.join(60)
            registry.close()
