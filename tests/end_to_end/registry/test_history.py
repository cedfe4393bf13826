"""trust.md §8 as a recorded history: clients live, witnesses watch, and parts are killed, stopped and cut off
at random.

What was answered is kept, revisions come in order, each once, to everybody alike, no read shows the past, no lease ends
early and none lives on.
"""

from __future__ import annotations

import pickle
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from tests.parts.conditions import wait_until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.history import History, Span, faults
from tests.parts.lease_history import LATE_S, lease_faults
from tests.parts.replicas import Cluster, Replica
from tests.parts.stalls import StallWatch
from tests.parts.tenants import Client, Fleet, Stage, Tenant
from tests.parts.witnesses import Follower, Watcher, Witness, WitnessThread

CLIENTS = 8
FLEET = 300
TTL_S = 6
CATCH_UP_S = 60.0
PAUSED_S = 10.0
# A few seconds of it: a follower that was away for longer is told to begin anew.
LOG = {"log_revisions": 100, "log_age_s": 0.2}


class Trouble(NamedTuple):
    """part: what it befalls; a registry by its name. begin, end: what makes it and takes it away; lasts_s: between."""

    what: str
    part: str
    begin: Callable[[], None]
    end: Callable[[], None]
    lasts_s: float


def _troubles(cluster: Cluster, chance: random.Random, paused_s: float) -> list[Trouble]:
    """All that may happen next; of a replica, to one of them."""
    replica = chance.choice(cluster.replicas)
    found = [_killed(replica, chance), _paused(replica, paused_s), *_cut_off(cluster, replica, chance)]
    postgres, valkey = cluster.postgres, cluster.valkey
    if postgres is not None and valkey is not None:
        found += [
            Trouble(
                "PostgreSQL killed", "store", postgres.kill, lambda: _ignore(postgres.start()), chance.uniform(0, 3)
            ),
            Trouble("PostgreSQL stopped", "store", postgres.pause, postgres.resume, paused_s),
            Trouble("Valkey killed", "live", valkey.kill, valkey.start, chance.uniform(0, 3)),
            Trouble("Valkey stopped", "live", valkey.pause, valkey.go_on, paused_s),
        ]
    return found


def _killed(replica: Replica, chance: random.Random) -> Trouble:
    return Trouble(f"{replica.name} killed", replica.name, replica.kill, replica.start, chance.uniform(0, 2))


def _paused(replica: Replica, paused_s: float) -> Trouble:
    return Trouble(f"{replica.name} stopped", replica.name, replica.pause, replica.go_on, paused_s)


def _cut_off(cluster: Cluster, replica: Replica, chance: random.Random) -> list[Trouble]:
    """From its clients, and from each of its stores."""
    troubles = []
    for name, proxy in {"its clients": replica.front, **replica.behind}.items():

        def swallow(proxy: FaultProxy = proxy) -> None:
            proxy.is_black_hole = True

        def slow(proxy: FaultProxy = proxy) -> None:
            proxy.delay_s = 0.2

        def mend(proxy: FaultProxy = proxy) -> None:
            cluster.proxies.call(proxy.mend)

        def cut(proxy: FaultProxy = proxy) -> None:
            cluster.proxies.call(proxy.refuse)

        def listen(proxy: FaultProxy = proxy) -> None:
            cluster.proxies.run(proxy.listen())

        place = f"between {replica.name} and {name}"
        troubles += [
            Trouble(f"silence {place}", place, swallow, mend, chance.uniform(1, 6)),
            Trouble(f"delay {place}", place, slow, mend, chance.uniform(1, 6)),
            Trouble(f"refusal {place}", place, cut, listen, chance.uniform(1, 6)),
        ]
    return troubles


def _ignore(_: object) -> None:
    """For what gives itself back."""


def _disturb(cluster: Cluster, chance: random.Random, end_s: float, paused_s: float, at_once: int) -> list[Span]:
    """One trouble, or some at once, after the other, with a rest between them that is sometimes long enough for leases
    to run out."""
    spans = []
    while time.monotonic() < end_s:
        time.sleep(chance.choice((0.2, 0.2, 1.0, 1.0, TTL_S + 2 * LATE_S)))
        befallen: dict[str, Trouble] = {}
        for _ in range(at_once):
            trouble = chance.choice(_troubles(cluster, chance, paused_s))
            befallen.setdefault(trouble.part, trouble)
        spans.append(_befall(cluster, list(befallen.values())))
    return spans


def _befall(cluster: Cluster, troubles: list[Trouble]) -> Span:
    """Until all registries serve again."""
    from_s, lasts_s = time.monotonic(), max(trouble.lasts_s for trouble in troubles)
    for trouble in troubles:
        trouble.begin()
    time.sleep(lasts_s)
    names = [replica.name for replica in cluster.replicas]
    for trouble in sorted(troubles, key=lambda trouble: trouble.part in names):  # a registry starts with its stores
        trouble.end()
    for replica in cluster.replicas:
        replica.wait_ready()
    span = Span(" and ".join(trouble.what for trouble in troubles), from_s, time.monotonic())
    print(f"{span.what}: {lasts_s:.1f} s, back after {span.until_s - from_s - lasts_s:.1f} s")
    return span


def _run(
    folder: Path,
    *,
    replicas: int,
    seconds: float,
    paused_s: float = PAUSED_S,
    remove_after_s: float = 300.0,
    at_once: int = 1,
) -> None:
    """remove_after_s: when it is shorter than the run, the end waits until all that ran out are gone. at_once: the most
    troubles at a time."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    cluster = Cluster(folder, replicas, remove_after_s=remove_after_s, **LOG)
    stage = Stage()
    tenants = [
        Tenant(f"t{at}", cluster.chooser(seed + at), stage, seed=seed + at, ttl_s=TTL_S) for at in range(CLIENTS)
    ]
    witnesses: dict[str, Witness] = {"f1": Follower(), "f2": Follower(), "w1": Watcher(), "w2": Watcher()}
    readers = [
        # The first of each kind is always there, so that what happens is seen when it happens.
        WitnessThread(witness, cluster.chooser(seed + at), seed=seed + at, absences=0.2 if name.endswith("2") else 0.0)
        for at, (name, witness) in enumerate(witnesses.items(), 100)
    ]
    watch = StallWatch(cluster.pids)
    try:
        watch.start()
        clients: list[Client] = [Fleet(FLEET, cluster.chooser(seed), stage, ttl_s=TTL_S), *tenants]
        fallible: list[Client | WitnessThread] = [*clients, *readers]
        for thread in fallible:
            thread.start()
        disturbed = _disturb(cluster, chance, time.monotonic() + seconds, paused_s, at_once)
        stage.abandons = False
        time.sleep(TTL_S + 2 * LATE_S)  # whose lease must run out is seen to
        stage.acts = False
        if remove_after_s < seconds:
            wait_until(
                lambda: not cluster.replicas[0].critical(), remove_after_s + 2 * LATE_S, 1.0, "all that ran out go"
            )
        final = _settled(cluster)
        assert _held(cluster) == [], "expiry was held, so what leases promise could not be judged"
        for reader in readers:
            reader.end()
        _catch_up(cluster, witnesses)
        stage.is_over.set()
        _join(clients)
        history = History(
            tuple(write for client in clients for write in client.writes),
            {name: tuple(witness.sights) for name, witness in witnesses.items()},
            final,
            tuple(read for tenant in tenants for read in tenant.reads),
            tuple(renewal for client in clients for renewal in client.renewals),
            (*disturbed, *watch.standstills),
            remove_after_s,
            tuple(watch.stalls),
        )
        _tell(history, witnesses)
        assert "".join(thread.fault for thread in fallible if thread.fault) == ""
        found = faults(history) + lease_faults(history)
        if found:
            (folder / "faults").write_text("\n".join(found))
            (folder / "history").write_bytes(pickle.dumps(history))
        assert found == []
        assert _is_pruned(cluster)
        assert any(sight.critical for sight in history.sights["f1"]), "no lease ran out, so nothing was judged"
    finally:
        stage.is_over.set()
        watch.end()
        cluster.close()


def _join(threads: Sequence[Thread]) -> None:
    """Who is still at it would go on with what is judged."""
    end_s = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
        assert not thread.is_alive(), f"{thread} has not ended"


def _settled(cluster: Cluster) -> dict[str, int]:
    """What there is when nobody writes any more: the same from every registry."""
    heads: list[tuple[int, ...]] = [(-1,)]

    def stand_still() -> bool:
        heads.append(tuple(replica.head() for replica in cluster.replicas))
        return heads[-1] == heads[-2] and len(set(heads[-1])) == 1

    wait_until(stand_still, 60, 2.0, "all registries at one head")
    listed = [replica.instances() for replica in cluster.replicas]
    assert all(one == listed[0] for one in listed)
    return listed[0]


def _held(cluster: Cluster) -> list[Any]:
    """Where self-preservation pauses expiry."""
    namespaces = cluster.replicas[0].client.get("/v1/namespaces").json()["items"]
    return [hold for namespace in namespaces for hold in namespace["self_preservation"]]


def _catch_up(cluster: Cluster, witnesses: dict[str, Witness]) -> None:
    """The rest of the history, read from the first registry."""
    head = cluster.replicas[0].head()
    until_s = time.monotonic() + CATCH_UP_S
    for name, witness in witnesses.items():
        while witness.held is None or witness.held < head:
            assert time.monotonic() < until_s, f"{name} holds {witness.held} and hears nothing of {head}"
            with suppress(TimeoutError):  # who began anew by a snapshot is at the head, and then it is quiet
                witness.read(cluster.replicas[0].port, head - (witness.held or 0))


def _is_pruned(cluster: Cluster) -> bool:
    """Whether who held the first revision has to begin anew: at a registry that pruned, for memory may have it all."""
    return any(map(_begins_anew, cluster.replicas))


def _begins_anew(replica: Replica) -> bool:
    late = Watcher()
    late.held = 1
    with suppress(TimeoutError):  # it is quiet now
        late.read(replica.port, 1)
    return late.resets == 1


def _tell(history: History, witnesses: dict[str, Witness]) -> None:
    answered = sum(write.answered_s is not None for write in history.writes)
    print(f"{answered} of {len(history.writes)} writes answered, {len(history.renewals)} renewals, "
          f"{len(history.reads)} reads")  # fmt: skip
    ended = [sight for sight in history.sights["f1"] if not sight.is_snapshot]
    ran_out, went = (sum(map(len, keys)) for keys in zip(*((one.critical, one.gone) for one in ended), strict=True))
    taken = sum(write.takes for write in history.writes)
    waited = [stall.waited_s / (stall.until_s - stall.from_s) for stall in history.stalls if stall.part == "registries"]
    print(
        f"the registry that waited longest for a processor did so {sum(waited) / max(len(waited), 1):.0%} of the time"
    )
    for span in history.disturbed:
        if span.what == "the machine stood still":
            print(f"{span.what} for {span.until_s - span.from_s:.2f} s")
    print(f"{ran_out} critical, {went} gone ({taken} deregistered), as f1 saw it")
    for name, witness in witnesses.items():
        print(f"{name}: {len(witness.sights)} sights, begun anew {witness.resets} times")


@pytest.mark.flaky(reruns=0)
def test_one_registry_that_is_killed_stopped_and_cut_off_keeps_its_word(tmp_path: Path) -> None:
    _run(tmp_path, replicas=1, seconds=10, paused_s=3)


@pytest.mark.flaky(reruns=0)
def test_three_registries_over_postgresql_and_valkey_keep_their_word(tmp_path: Path) -> None:
    _run(tmp_path, replicas=3, seconds=40)


@pytest.mark.soak
def test_the_same_for_ten_minutes(tmp_path: Path) -> None:
    _run(tmp_path, replicas=3, seconds=600, remove_after_s=60)


@pytest.mark.soak
def test_two_troubles_at_once_for_three_minutes(tmp_path: Path) -> None:
    _run(tmp_path, replicas=3, seconds=180, remove_after_s=30, at_once=2)
