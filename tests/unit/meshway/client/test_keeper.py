"""The keeper registers, renews in one batch, registers again after a loss, and never gives up."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest

from meshway.client.calls import Call, Lease, Renewal
from meshway.client.errors import MeshwayError, unreachable
from meshway.client.keeper import LAST_RETRY_S, Keeper, backoff_s
from meshway.client.registration import Registration
from meshway.client.sharing import Alone
from meshway.problem import Problem

T = TypeVar("T")
AWAY = unreachable("http://registry:8500", ConnectionError("refused"))
REFUSED = MeshwayError(Problem(422, "invalid_request", "Invalid", detail="port: taken", mend="another port"))


class FakeRegistry:
    """Answers by rule; `sent` is what came, as `PUT path` or `POST path {leases}`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.error: MeshwayError | None = None
        self.unknown: set[str] = set()
        self.superseded: set[str] = set()
        self.generation = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def send(self, call: Call[T]) -> T:
        self.sent.append(f"{call.method} {call.path.rpartition('/')[2]}")
        self.meanwhile()
        if self.error:
            raise self.error
        answer: Any
        if call.method == "PUT":
            self.generation += 1
            answer = Lease(lease_id=f"l{self.generation}", ttl_s=30.0, revision=self.generation)
        else:
            leases = msgspec.json.decode(call.content or b"")["leases"]
            self.sent[-1] += f" {','.join(sorted(leases))}"
            answer = Renewal(
                renewed=len(leases),
                unknown=tuple(lease for lease in leases if lease in self.unknown),
                superseded=tuple(lease for lease in leases if lease in self.superseded),
            )
        return answer  # type: ignore[no-any-return]

    def take(self) -> list[str]:
        taken, self.sent = self.sent, []
        return taken


class Setting:
    def __init__(self, listens: Callable[[], bool] = lambda: True) -> None:
        self.registry, self.now = FakeRegistry(), 100.0

        async def is_listening(address: str, port: int) -> bool:
            return listens()

        self.keeper = Keeper(self.registry, clock=lambda: self.now, chance=lambda: 1.0, listens=is_listening)

    async def after(self, seconds: float) -> list[str]:
        """What is sent when that much time has passed."""
        self.now += seconds
        await self.keeper.step()
        return self.registry.take()


def instance(name: str, ttl_s: float = 30.0) -> Registration:
    return Registration(namespace="shop", service="s", id=name, address="127.0.0.1", port=80, ttl_s=ttl_s)


async def test_it_registers_at_once_and_renews_at_a_third_of_the_ttl() -> None:
    on = Setting()
    held = on.keeper.add(instance("a"), Alone())
    assert await on.after(0) == ["PUT a"]
    assert held.status(on.now).state == "passing"
    assert held.status(on.now).lease_left_s == 30.0
    assert await on.after(9.9) == []
    assert await on.after(0.2) == ["POST heartbeats l1"]
    assert held.status(on.now).lease_left_s == 30.0


async def test_all_leases_of_a_process_are_renewed_in_one_batch() -> None:
    on = Setting()
    on.keeper.add(instance("a", ttl_s=9), Alone())
    on.keeper.add(instance("b", ttl_s=30), Alone())
    await on.after(0)
    assert await on.after(3.1) == ["POST heartbeats l1,l2"]
    assert await on.after(3.1) == ["POST heartbeats l1,l2"]


async def test_a_lease_the_registry_does_not_know_is_registered_again() -> None:
    on = Setting()
    on.keeper.add(instance("a"), Alone())
    await on.after(0)
    on.registry.unknown = {"l1"}
    assert await on.after(11) == ["POST heartbeats l1"]
    assert await on.after(0) == ["PUT a"]
    assert await on.after(11) == ["POST heartbeats l2"]


async def test_a_superseded_instance_is_left_to_its_successor(caplog: pytest.LogCaptureFixture) -> None:
    on = Setting()
    held = on.keeper.add(instance("a"), Alone())
    await on.after(0)
    on.registry.superseded = {"l1"}
    await on.after(11)
    assert held.status(on.now).state == "superseded"
    assert await on.after(1000) == []
    assert not on.keeper.leave(held)
    assert "two copies need two ids" in caplog.text


@pytest.mark.parametrize("is_answered", [True, False])  # by the next registry, or by the one that is asked again
async def test_one_superseded_by_its_own_late_registration_registers_again(is_answered: bool) -> None:
    on = Setting()
    held = on.keeper.add(instance("a"), Alone())

    def wait_in_vain() -> None:
        on.now += 5.0  # the time limit of the first that was asked

    on.registry.meanwhile = wait_in_vain
    on.registry.error = None if is_answered else AWAY
    await on.after(0)
    on.registry.meanwhile, on.registry.error = lambda: None, None
    if not is_answered:
        await on.after(1)
    on.registry.superseded = {"l1"}
    assert await on.after(11) == ["POST heartbeats l1"]
    assert await on.after(0) == ["PUT a"]
    assert held.status(on.now).state == "passing"
    on.registry.superseded = {"l2"}  # now it is another's
    await on.after(11)
    assert held.status(on.now).state == "superseded"


async def test_without_a_registry_it_tries_ever_more_seldom_and_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    on = Setting()
    on.registry.error = AWAY
    held = on.keeper.add(instance("a"), Alone())
    assert await on.after(0) == ["PUT a"]
    assert await on.after(0.1) == []
    for wait_s in (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0):
        assert await on.after(wait_s) == ["PUT a"]
    assert held.status(on.now).state == "unregistered"
    assert "does not answer" in (held.status(on.now).error or "")
    assert caplog.text.count("does not answer") == 1
    on.registry.error = None
    await on.after(15)
    assert held.status(on.now).error is None
    assert caplog.text.count("answers again") == 1


async def test_a_failed_renewal_is_tried_again_soon() -> None:
    on = Setting()
    held = on.keeper.add(instance("a"), Alone())
    await on.after(0)
    on.registry.error = AWAY
    await on.after(10)
    assert held.status(on.now).state == "passing"
    on.registry.error = None
    assert await on.after(0.3) == ["POST heartbeats l1"]


async def test_a_refusal_is_logged_in_full_once_and_tried_again_seldom(caplog: pytest.LogCaptureFixture) -> None:
    on = Setting()
    on.registry.error = REFUSED
    on.keeper.add(instance("a"), Alone())
    await on.after(0)
    assert await on.after(LAST_RETRY_S - 1) == []
    assert await on.after(2) == ["PUT a"]
    assert caplog.text.count("mend: another port") == 1


async def test_it_registers_when_the_port_listens_or_after_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    listening = False
    on = Setting(lambda: listening)
    on.keeper.add(instance("a"), Alone())
    assert await on.after(0) == []
    assert await on.after(5) == []
    listening = True
    assert await on.after(0.1) == ["PUT a"]
    listening = False
    on.keeper.add(instance("b"), Alone())
    assert await on.after(9) == []
    assert "PUT b" in await on.after(2)
    assert "nothing answers on 127.0.0.1:80" in caplog.text


async def test_a_service_of_datagrams_is_registered_at_once_since_its_port_accepts_nothing() -> None:
    on = Setting(lambda: False)
    on.keeper.add(msgspec.structs.replace(instance("a"), protocol="udp"), Alone())
    assert await on.after(0) == ["PUT a"]


class Follower(Alone):
    """The share of a process whose sister holds the lease until she dies."""

    def __init__(self) -> None:
        self.is_holder, self.lease, self.is_last = False, "sister", False

    def hold(self) -> bool:
        return self.is_holder

    def read_lease(self) -> str | None:
        return self.lease

    def leave(self) -> bool:
        return self.is_last


async def test_a_sister_process_takes_over_the_lease_within_a_second() -> None:
    on, share = Setting(), Follower()
    held = on.keeper.add(instance("a"), share)
    assert await on.after(0) == []
    assert held.status(on.now).state == "shared"
    share.is_holder = True
    assert await on.after(1) == ["POST heartbeats sister"]
    assert held.status(on.now).state == "passing"


async def test_who_leaves_before_its_sisters_ends_nothing() -> None:
    on, share = Setting(), Follower()
    held = on.keeper.add(instance("a"), share)
    await on.after(0)
    assert not on.keeper.leave(held)
    assert held.status(on.now).state == "gone"


async def test_the_last_one_out_keeps_the_lease_while_it_drains() -> None:
    on, share = Setting(), Follower()
    held = on.keeper.add(instance("a"), share)
    await on.after(0)
    share.is_last = True
    assert on.keeper.leave(held)
    assert held.status(on.now).state == "draining"
    assert await on.after(1) == ["POST heartbeats sister"]
    assert not on.keeper.leave(held)
    on.keeper.forget(held)
    assert await on.after(1000) == []


async def test_a_draining_instance_is_not_brought_back_by_a_registry_that_forgot_it() -> None:
    on = Setting()
    held = on.keeper.add(instance("a"), Alone())
    await on.after(0)
    assert on.keeper.leave(held)
    on.registry.unknown = {"l1"}
    await on.after(11)
    assert await on.after(100) == []


def test_waits_double_with_the_upper_half_at_random() -> None:
    assert [backoff_s(n, 1.0) for n in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert backoff_s(3, 0.0) == 0.8
    assert backoff_s(10_000, 1.0) == LAST_RETRY_S
