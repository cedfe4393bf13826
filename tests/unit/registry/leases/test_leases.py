from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from meshway.model.registration import InstancePatch
from meshway.model.traffic_policy import HealthCheck
from meshway.problem import Problem
from registry.catalog.registering import Deregister, Patch
from registry.checks.findings import Finding, Findings
from registry.leases.self_preservation import SelfPreservation
from registry.leases.writes import Renewal, Revive, Sweep
from registry.live.interface import LIVE, Claimed, Renewed
from registry.live.memory import MemoryLive
from registry.revisions.draft import Write
from tests.parts.conditions import until
from tests.parts.lease_bench import KEY, LeaseBench


async def test_a_lease_that_is_not_renewed_becomes_critical_then_goes() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    await bench.sweep(9.9)
    assert bench.status() == "passing"
    assert bench.leases.expired == {}
    await bench.sweep(1.0)
    assert bench.status() == "critical"
    await bench.sweep(299.0)
    assert bench.status() == "critical"
    await bench.sweep(2.0)
    assert bench.status() is None
    assert bench.leases.count == 0
    assert bench.view.revision == 3
    assert bench.leases.expired == {"default": 1}


async def test_a_heartbeat_is_no_revision() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    for _ in range(5):
        await bench.sweep(8.0)
        assert await bench.renew(one) == Renewal(renewed=1)
    assert bench.view.revision == 1


async def test_a_heartbeat_of_a_critical_instance_makes_it_passing_again() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    await bench.sweep(11.0)
    assert await bench.renew(one) == Renewal(renewed=1)
    assert bench.status() == "passing"
    assert bench.leases.expires_in_s(1) == 10.0
    await bench.sweep(9.0)
    assert bench.status() == "passing"
    await bench.sweep(2.0)
    assert bench.status() == "critical"


async def test_what_is_changed_on_a_critical_instance_does_not_keep_it() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    await bench.sweep(11.0)
    assert bench.status() == "critical"
    for weight in range(5):
        await bench.sweep(50.0)
        bench.commit(Patch(KEY, InstancePatch(weight=weight), lambda row: None))
        assert bench.status() == "critical"
    assert bench.leases.count == 1
    await bench.sweep(52.0)
    assert bench.status() is None


async def test_one_that_came_back_and_ran_out_again_has_its_whole_time_also_where_both_are_heard_at_once() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    await bench.sweep(11.0)
    await bench.sweep(200.0)
    seen = bench.view.instance(KEY)
    elsewhere = MemoryLive(bench.clock)
    other = bench.fresh_leases(elsewhere)
    bench.view.on_instances.remove(other._follow)
    await bench.renew(one)
    await bench.sweep(11.0)
    assert bench.status() == "critical"
    other._follow([(seen, bench.view.instance(KEY))])
    lease = elsewhere.find(1)
    assert lease is not None
    assert lease.expires_s == bench.clock() + 300.0


async def test_a_superseded_process_cannot_renew_its_successors_lease() -> None:
    bench = LeaseBench()
    old, new = bench.register(), bench.register()
    assert await bench.renew(old, new) == Renewal(renewed=1, superseded=[old.lease_id])


async def test_a_lease_that_was_renewed_while_the_sweep_waited_is_left_alone() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    bench.clock.advance(11.0)
    submit = bench.leases._submit

    def renewed_first(write: Write[Any]) -> asyncio.Future[Any]:
        bench.leases.renew([one.lease_id])
        return submit(write)

    bench.leases._submit = renewed_first
    await bench.sweep()
    bench.leases._submit = submit
    assert bench.status() == "passing"
    await bench.sweep(11.0)
    assert bench.status() == "critical"


async def test_a_sweep_that_is_not_committed_is_done_again() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    bench.is_down = True
    await bench.sweep(11.0)
    assert bench.status() == "passing"
    bench.is_down = False
    await bench.sweep(1.5)
    assert bench.status() == "critical"


async def test_a_heartbeat_after_a_sweep_that_failed_counts() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    bench.is_down = True
    await bench.sweep(11.0)
    bench.is_down = False
    assert await bench.renew(one) == Renewal(renewed=1)
    await bench.sweep(9.0)
    assert bench.status() == "passing"


async def test_a_sweep_that_is_not_committed_calls_none_live_that_another_registry_has_ended() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    commit = bench.submit

    def ended_elsewhere(write: Write[Any]) -> asyncio.Future[Any]:
        if isinstance(write, Sweep):
            bench.commit(write)  # as the log of another registry's commit moves the view
            bench.is_down = True
        return commit(write)

    bench.leases._submit = ended_elsewhere
    await bench.sweep(11.0)
    bench.leases._submit, bench.is_down = commit, False
    assert bench.status() == "critical"
    assert await bench.renew(one) == Renewal(renewed=1)
    assert bench.status() == "passing"


async def test_a_removal_that_is_not_committed_is_done_again() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    await bench.sweep(11.0)
    bench.is_down = True
    await bench.sweep(302.0)
    assert bench.status() == "critical"
    bench.is_down = False
    await bench.sweep(3.0)
    assert bench.status() is None


async def test_the_database_leases_count_as_renewed_at_the_start() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    bench.register(instance_id="b2", ttl_s=10)
    bench.commit(Patch(("default", "books", "b2"), InstancePatch(status="draining"), lambda row: row))
    bench.clock.advance(1000.0)
    bench.view.on_instances.clear()
    bench.live = MemoryLive(bench.clock)
    bench.leases = bench.fresh_leases()
    await bench.sweep(9.0)
    assert bench.status() == "passing"
    assert bench.status(("default", "books", "b2")) == "draining"
    await bench.sweep(2.0)
    assert bench.status() == "critical"


async def test_maintenance_outlives_a_lease_that_ran_out() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    bench.commit(Patch(KEY, InstancePatch(status="maintenance"), lambda row: row))
    await bench.sweep(11.0)
    assert bench.status() == "critical"
    await bench.renew(one)
    assert bench.status() == "maintenance"


async def test_many_at_once_are_held_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    bench = LeaseBench()
    all_of_them = [bench.register(instance_id=f"b{at}", ttl_s=10) for at in range(10)]
    await bench.sweep(12.0)
    assert bench.status() is None or bench.status() == "passing"
    assert all(row.instance.status == "passing" for row in bench.view.services["default", "books"].values())
    assert len(bench.leases.holds) == 1
    assert bench.leases.is_unrenewed(1)
    assert bench.leases.expires_in_s(1) == 0.0
    told = [record.message for record in caplog.records]
    assert told == [
        "self-preservation begins in namespace default, zone (none): leases that ran out, 10 of 10, for 900 s at most"
    ]
    await bench.renew(*all_of_them[1:])
    await bench.sweep(1.0)
    assert len(bench.leases.holds) == 1, "one that did not come back with the others has its TTL for it"
    await bench.sweep(5.0)
    await bench.renew(*all_of_them[1:])
    await bench.sweep(4.0)
    assert bench.leases.holds == []
    assert [record.message for record in caplog.records[1:]] == [
        "self-preservation ends in namespace default, zone (none) after 10 s, no more than usual are missing: leases "
        "that ran out, 1 of 10 at last"
    ]
    assert bench.status(("default", "books", "b0")) == "critical"
    assert bench.status(("default", "books", "b1")) == "passing"


async def test_nobody_of_a_crowd_that_comes_back_one_after_the_other_is_expired() -> None:
    bench = LeaseBench()
    crowd = [bench.register(instance_id=f"b{at}", ttl_s=10) for at in range(100)]
    before = bench.view.revision
    await bench.sweep(60.0)
    for lease_id in crowd:
        await bench.renew(lease_id)
        await bench.sweep(0.05)
    assert bench.leases.holds == []
    assert bench.view.revision == before, "nobody was critical in between"


async def test_a_held_instance_that_is_deregistered_is_forgotten() -> None:
    bench = LeaseBench()
    for at in range(4):
        bench.register(instance_id=f"b{at}", ttl_s=10)
    await bench.sweep(12.0)
    assert bench.leases.holds
    for at in range(4):
        bench.commit(Deregister(("default", "books", f"b{at}")))
    await bench.sweep(1.0)
    assert bench.leases.holds == []
    assert bench.leases.count == 0


async def test_one_that_answers_calls_stays_without_heartbeats() -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    for _ in range(10):
        await bench.sweep(5.0)
        bench.leases.answered([KEY, ("default", "books", "nobody")])
    assert bench.status() == "passing"
    assert bench.leases.is_unrenewed(1)
    assert bench.view.revision == 1
    await bench.sweep(12.0)
    assert bench.status() == "critical"


async def test_a_thousand_and_one_go_in_two_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = LeaseBench()
    bench.leases._guard = SelfPreservation(percent=100.0, minimum=10_000, max_s=900.0)
    for at in range(1001):
        bench.register(instance_id=f"b{at}", ttl_s=10)
    before = bench.view.revision
    await bench.sweep(11.0)
    assert bench.view.revision == before + 2
    assert all(lease.state != LIVE for lease in bench.live.leases())


async def test_a_lease_that_goes_on_with_another_ttl_has_that_ttl_from_the_answer_on() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=3)
    again = bench.register(ttl_s=60, lease_id=one.lease_id)
    assert (again.lease_id, again.expires_in_s) == (one.lease_id, 60.0)
    assert bench.leases.expires_in_s(1) == 60.0
    await bench.sweep(59.0)
    assert bench.status() == "passing"
    bench.register(ttl_s=3, lease_id=one.lease_id)
    assert bench.leases.expires_in_s(1) == 3.0
    await bench.sweep(4.0)
    assert bench.status() == "critical", "the wheel must look at it when the shorter time is over"


async def test_a_heartbeat_of_an_instance_that_goes_at_that_moment_is_unknown_not_superseded() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    await bench.sweep(11.0)
    renewed = bench.live.renew([one.lease_id])
    assert len(renewed.critical) == 1
    bench.commit(Deregister(KEY))
    answer = bench.commit(Revive(renewed, bench.clock()))
    assert (answer.renewed, answer.unknown, answer.superseded) == (0, [one.lease_id], [])


async def test_a_heartbeat_of_an_instance_that_another_process_takes_at_that_moment_is_superseded() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    await bench.sweep(11.0)
    renewed = bench.live.renew([one.lease_id])
    bench.register(ttl_s=10)
    answer = bench.commit(Revive(renewed, bench.clock()))
    assert (answer.renewed, answer.unknown, answer.superseded) == (0, [], [one.lease_id])


async def test_an_instance_that_is_asked_never_runs_out_and_no_heartbeat_revives_it() -> None:
    bench = LeaseBench()
    one = bench.register(check=HealthCheck(type="tcp"))
    assert bench.status() == "critical"
    assert (one.ttl_s, one.expires_in_s, one.check) == (None, None, {"type": "tcp"})
    assert await bench.renew(one) == Renewal(renewed=1)
    assert bench.status() == "critical"
    bench.commit(Findings([Finding(KEY, 1, 1, is_passing=True)]))
    await bench.sweep(3600.0)
    assert bench.status() == "passing"
    bench.commit(Findings([Finding(KEY, 1, 1, is_passing=False)]))
    await bench.sweep(299.0)
    assert bench.status() == "critical"
    await bench.sweep(2.0)
    assert bench.status() is None


async def test_who_does_not_lead_sweeps_nothing_and_misses_nothing_when_it_does() -> None:
    bench = LeaseBench()
    one, _ = bench.register(ttl_s=10), bench.register(instance_id="b2", ttl_s=10)
    bench.is_leading = False
    await bench.sweep(30.0)
    assert (bench.status(), bench.view.revision) == ("passing", 2)
    await bench.renew(one)
    bench.is_leading = True
    await bench.sweep()
    assert (bench.status(), bench.status(("default", "books", "b2"))) == ("passing", "critical")
    bench.is_leading = False
    await bench.sweep(400.0)
    assert bench.status(("default", "books", "b2")) == "critical"
    bench.is_leading = True
    await bench.sweep()
    assert bench.status(("default", "books", "b2")) is None


async def test_without_the_live_state_nobody_expires_and_every_lease_has_its_ttl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = LeaseBench()
    bench.register(ttl_s=10)
    monkeypatch.setattr(bench.live, "missing", lambda: "no answer")
    await bench.sweep(60.0)
    assert (bench.status(), bench.leases.expires_in_s(1), bench.leases.is_unrenewed(1)) == ("passing", 10.0, False)
    monkeypatch.undo()
    await bench.sweep()
    assert bench.status() == "critical"


async def test_a_sweep_leaves_alone_what_changed_after_its_claim() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    bench.clock.advance(11.0)
    lease = bench.live.find(1)
    assert lease is not None
    sweep = Sweep([lease], [], bench.clock(), {1: 1})
    claimed = Renewed(1, [], [], [])
    renewal = bench.commit(Revive(claimed, bench.clock(), [lease]))
    assert renewal == Renewal(renewed=1)
    assert bench.view.revision == 2, "the renewal of a claimed lease is a write"
    bench.commit(sweep)
    assert (bench.status(), bench.view.revision) == ("passing", 2)
    bench.commit(Sweep([lease], [], bench.clock(), {1: 2}))
    assert bench.status() == "critical"
    assert (await bench.renew(one)).renewed == 1


async def test_a_removal_that_was_judged_late_spares_one_that_came_back_and_ran_out_again() -> None:
    bench = LeaseBench()
    one = bench.register(ttl_s=10)
    await bench.sweep(11.0)
    bench.clock.advance(301.0)
    lease = bench.live.find(1)
    assert lease is not None
    late = Sweep([], [lease], bench.clock(), {})
    await bench.renew(one)
    bench.clock.advance(11.0)
    await bench.leases.sweep()
    assert bench.status() == "critical"
    bench.commit(late)
    assert bench.status() == "critical"


async def test_a_renewal_that_others_must_hear_of_is_answered_when_they_can() -> None:
    bench = LeaseBench()
    one, lost = bench.register(ttl_s=10), bench.register(instance_id="b2", ttl_s=3)
    await bench.sweep(4.0)
    renew = bench.live.renew
    written: list[asyncio.Future[list[Claimed]]] = []

    def shared(lease_ids: Sequence[str]) -> Renewed:
        found = renew(lease_ids)
        written.append(asyncio.get_running_loop().create_future())
        return Renewed(found.count, found.critical, found.unknown, found.superseded, written[-1])

    bench.live.renew = shared  # type: ignore[method-assign]
    answer = bench.leases.renew([one.lease_id, lost.lease_id, "9-1-x"])
    assert isinstance(answer, asyncio.Future)
    await asyncio.sleep(0)
    assert not answer.done()
    written[0].set_result([])
    await until(lambda: len(written) == 2)
    assert bench.status(("default", "books", "b2")) == "passing"
    assert not answer.done(), "one that came back is shared as well"
    written[1].set_result([])
    assert await answer == Renewal(renewed=2, unknown=["9-1-x"])
    refused = bench.leases.renew([one.lease_id])
    assert isinstance(refused, asyncio.Future)
    written[2].set_exception(Problem(503, "live_unavailable", "No"))
    with pytest.raises(Problem):
        await refused
