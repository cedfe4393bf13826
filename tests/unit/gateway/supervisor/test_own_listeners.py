"""Sockets of Listeners as documents come and go, on real ports."""

import socket
from typing import Any

import pytest

from gateway.listeners.sockets import open_slots
from gateway.supervisor.offer import OwnPlace
from gateway.supervisor.own_listeners import Own, OwnListeners
from meshway.snapshot import Change
from tests.parts.changes import document, gone
from tests.parts.ports import free_port, is_taken


def listener(port: int, name: str = "partner", **spec: Any) -> Change:
    return document("Listener", name, {"port": port, "protocol": "http"} | spec, "mesh")


class Bench:
    def __init__(self, *, is_insecure: bool = False, **more: Any) -> None:
        self.shown: list[Own] = []
        self.refusals = 0
        self.own = OwnListeners("gw-1", 2, self.shown.append, self._refused, is_insecure=is_insecure, **more)

    def _refused(self) -> None:
        self.refusals += 1

    async def take(self, *changes: Change) -> list[str]:
        self.own.take(changes)
        await self.own.settle()
        return [refusal.path for refusal in self.own.refused]

    @property
    def numbers(self) -> dict[str, int]:
        return {spot.name: spot.number for spot, _ in self.shown[-1]}


async def test_each_slot_has_a_socket_and_what_does_not_move_stays() -> None:
    on, first, second = Bench(), free_port(), free_port()
    assert await on.take(listener(first)) == []
    [(spot, sockets)] = on.shown[-1]
    assert (spot.name, spot.face, spot.spoken, len(sockets)) == ("partner", "edge", "http", 2)
    assert {each.getsockname() for each in sockets} == {("127.0.0.1", first)}
    await on.take(listener(first, hosts=["shop.example"]))
    assert len(on.shown) == 1
    await on.take(listener(first, protocol="https"))
    assert on.numbers == {"partner": 2}
    await on.take(listener(second), listener(first, "other"))
    assert set(on.numbers) == {"partner", "other"}
    assert (is_taken(first), is_taken(second)) == (True, True)
    assert on.own.urls() == {"other": f"http://127.0.0.1:{first}", "partner": f"http://127.0.0.1:{second}"}
    on.own.replace([listener(second)])
    await on.own.settle()
    assert (set(on.numbers), is_taken(first)) == ({"partner"}, False)
    await on.take(gone("Listener", "partner", "mesh"))
    assert (on.shown[-1], is_taken(second)) == ([], False)


async def test_an_address_is_left_for_another_one_of_the_same_port() -> None:
    on, port = Bench(is_insecure=True), free_port()
    await on.take(listener(port))
    assert await on.take(listener(port, address="0.0.0.0")) == []
    [(_, sockets)] = on.shown[-1]
    assert {each.getsockname() for each in sockets} == {("0.0.0.0", port)}


async def test_a_taken_port_leaves_the_former_one_until_it_is_free() -> None:
    on, port = Bench(), free_port()
    await on.take(listener(port))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert await on.take(listener(taken)) == ["spec.port"]
        assert (on.refusals, on.numbers, is_taken(port)) == (2, {"partner": 1}, True)
    await on.own.settle()
    assert (on.own.refused, on.refusals, on.numbers) == ([], 3, {"partner": 2})


async def test_a_port_is_pending_until_its_first_try_has_ended_and_its_fault_is_not_the_next_ports() -> None:
    on, free = Bench(), free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        on.own.take([listener(other.getsockname()[1])])
        assert [(each.name, each.is_pending) for each in on.own.refused] == [("partner", True)]
        await on.own.settle()
        assert [each.is_pending for each in on.own.refused] == [False]
        on.own.take([listener(other.getsockname()[1], hosts=["shop.example"])])
        assert [each.is_pending for each in on.own.refused] == [False]
        on.own.take([listener(free)])
        assert [each.is_pending for each in on.own.refused] == [True]
        await on.own.settle()
    assert (on.own.refused, on.own.urls()) == ([], {"partner": f"http://127.0.0.1:{free}"})


@pytest.mark.parametrize(
    ("spec", "is_insecure", "paths"),
    [
        ({"address": "0.0.0.0"}, False, ["spec.address"]),
        ({"address": "0.0.0.0"}, True, []),
        ({"address": "0.0.0.0", "protocol": "https"}, False, []),
        ({"address": "0.0.0.0", "enabled": False}, False, []),
        ({"address": "0.0.0.0", "gateways": [{"prefix": "other"}]}, False, []),
    ],
)
async def test_others_are_served_without_tls_only_where_that_was_asked_for(
    spec: dict[str, Any], is_insecure: bool, paths: list[str]
) -> None:
    on = Bench(is_insecure=is_insecure)
    assert await on.take(listener(free_port(), **spec)) == paths


async def test_two_that_swap_ports_do_not_stand_in_each_others_way() -> None:
    on, first, second, third = Bench(), free_port(), free_port(), free_port()
    await on.take(listener(first), listener(second, "other"))
    on.own.take([listener(second), listener(first, "other")])
    await on.own.settle()
    urls = {"other": f"http://127.0.0.1:{first}", "partner": f"http://127.0.0.1:{second}"}
    assert ([refusal.reason for refusal in on.own.refused], on.own.urls()) == ([], urls)
    await on.take(listener(third), listener(second, "other"), listener(first, "another"))
    assert on.own.refused == []
    assert on.own.urls() == {
        "another": f"http://127.0.0.1:{first}",
        "other": f"http://127.0.0.1:{second}",
        "partner": f"http://127.0.0.1:{third}",
    }


async def test_a_port_is_not_taken_from_one_that_stays() -> None:
    on, first = Bench(), free_port()
    await on.take(listener(first))
    assert await on.take(listener(first, "other")) == ["spec.port"]
    assert set(on.numbers) == {"partner"}


async def test_http_3_stands_beside_a_listener_at_its_port_of_udp() -> None:
    given, own = free_port(), free_port()
    on = Bench(given={"edge-tls": ("127.0.0.1", given), "edge": ("127.0.0.1", free_port())})
    beside: dict[str, Any] = {"http3": {"enabled": True}}
    assert (
        await on.take(document("Listener", "edge-tls", beside, "mesh"), listener(own, protocol="https", **beside)) == []
    )
    opened = {(spot.name, spot.spoken): sockets for spot, sockets in on.shown[-1]}
    assert set(opened) == {("edge-tls", "http3"), ("partner", "https"), ("partner", "http3")}
    assert [each.type for each in opened["partner", "http3"]] == [socket.SOCK_DGRAM] * 2
    assert opened["edge-tls", "http3"][0].getsockname() == ("127.0.0.1", given)
    assert opened["partner", "http3"][0].getsockname() == ("127.0.0.1", own)
    assert set(on.own.urls().values()) == {f"https://127.0.0.1:{given}", f"https://127.0.0.1:{own}"}
    on.own.replace([listener(own, protocol="https")])
    await on.own.settle()
    assert [(spot.name, spot.spoken) for spot, _ in on.shown[-1]] == [("partner", "https")]
    await on.take(listener(own, protocol="http3"))
    assert [(spot.name, spot.spoken) for spot, _ in on.shown[-1]] == [("partner", "http3")]


async def test_http_3_is_refused_where_it_is_not_installed_and_the_rest_stands() -> None:
    on, port = Bench(has_http3=False), free_port()
    assert await on.take(listener(port, protocol="https", http3={"enabled": True})) == ["spec.http3"]
    assert "meshway[http3]" in on.own.refused[0].reason
    assert [(spot.name, spot.spoken) for spot, _ in on.shown[-1]] == [("partner", "https")]
    assert await on.take(listener(port, protocol="http3")) == ["spec.protocol"]


async def test_what_the_gateway_before_had_open_and_nobody_asks_for_is_let_go() -> None:
    on, kept, left = Bench(), free_port(), free_port()
    on.own.inherited = {
        OwnPlace(name, "127.0.0.1", port, "edge", "http"): open_slots("127.0.0.1", port, 2, "spec.port")
        for name, port in (("partner", kept), ("gone", left))
    }
    assert await on.take(listener(kept)) == []
    on.own.let_go_inherited()
    assert (set(on.numbers), is_taken(kept), is_taken(left)) == ({"partner"}, True, False)


async def test_one_whose_place_is_taken_opens_nothing_in_the_way_of_the_other_one() -> None:
    on, first, second = Bench(), free_port(), free_port()
    await on.take(listener(first))
    on.own.is_over = True
    assert await on.take(listener(first), listener(second, "late")) == []
    assert (set(on.numbers), is_taken(second)) == ({"partner"}, False)
