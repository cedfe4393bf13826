"""A split that keeps each caller at one destination."""

import random
from collections import Counter

from gateway.compiler.sticky import choose_for_caller
from gateway.exchange import Exchange
from gateway.plan import Parts
from gateway.upstream.cluster import Cluster
from meshway.model.rule_actions import Sticky
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.endpoints import endpoints
from tests.parts.one_route import cluster

PARTS = Parts(now=ManualClock(), random=random.random)


def split(*names: str) -> list[Cluster]:
    made = []
    for name in names:
        one = cluster(*endpoints(1), now=ManualClock())
        one.name = name
        made.append(one)
    return made


def test_a_key_of_the_call_decides_and_the_weights_hold() -> None:
    clusters = split("v1", "v2")
    choose = choose_for_caller(clusters, clusters, [70, 30], Sticky(key="header", name="X-User"), PARTS)
    users = [call(headers={"X-User": str(number)}) for number in range(2_000)]
    first = [choose(user).name for user in users]
    assert [choose(user).name for user in users] == first
    assert abs(Counter(first)["v1"] - 1_400) < 5 * (2_000 * 0.7 * 0.3) ** 0.5


def test_who_has_no_cookie_gets_one_and_comes_back_to_the_same() -> None:
    choose = choose_for_caller(*2 * (split("v1", "v2"),), [1, 1], Sticky(key="cookie", name="mw-v"), PARTS)
    for _ in range(20):
        first = call()
        chosen = choose(first)
        name, _, rest = first.added.partition(b": ")
        assert name == b"Set-Cookie"
        again = call(headers={"Cookie": rest.partition(b";")[0].decode()})
        assert choose(again) is chosen
        assert again.added == b""


def test_an_empty_cookie_is_none() -> None:
    choose = choose_for_caller(*2 * (split("v1", "v2"),), [1, 1], Sticky(key="cookie", name="mw-v"), PARTS)
    callers = [call(headers={"Cookie": "mw-v="}) for _ in range(40)]
    assert len({choose(caller).name for caller in callers}) == 2
    assert all(caller.added.startswith(b"Set-Cookie: mw-v=") for caller in callers)


def test_a_cookie_lives_and_is_sent_as_the_document_says() -> None:
    exchange: Exchange = call()
    choose_for_caller(*2 * (split("v1", "v2"),), [1, 1], Sticky(key="cookie", name="v"), PARTS)(exchange)
    assert exchange.added.endswith(b"; Path=/; Max-Age=86400; SameSite=Lax; HttpOnly\r\n")


def test_callers_of_a_destination_without_endpoints_go_to_their_next_and_return() -> None:
    clusters = split("v1", "v2", "v3")
    choose = choose_for_caller(clusters, clusters, [1, 1, 1], Sticky(key="query", name="u"), PARTS)
    users = [call(f"/?u={number}") for number in range(300)]
    before = [choose(user) for user in users]
    kept = clusters[1].endpoints
    clusters[1].set_endpoints(())
    during = [choose(user) for user in users]
    assert all(new is old for old, new in zip(before, during, strict=True) if old is not clusters[1])
    assert {new.name for old, new in zip(before, during, strict=True) if old is clusters[1]} == {"v1", "v3"}
    clusters[1].set_endpoints(kept)
    assert [choose(user) for user in users] == before
    for one in clusters:
        one.set_endpoints(())
    assert [choose(user) for user in users] == before, "its own says that it has nobody"


def test_a_slice_of_a_destination_moves_nobody_to_another_one() -> None:
    stable, canary = split("v1", "v2")
    sticky = Sticky(key="header", name="x-user")
    whole = choose_for_caller(["stable", "canary"], [stable, canary], [90, 10], sticky, PARTS)
    cut = choose_for_caller(["stable", "control", "canary"], [stable, stable, canary], [80, 10, 10], sticky, PARTS)
    users = [call(headers={"X-User": str(number)}) for number in range(4_000)]
    chosen = [cut(user) for user in users]
    assert [each == "canary" for each in chosen] == [whole(user) == "canary" for user in users]
    assert chosen == [cut(user) for user in users]
    for name, share in (("control", 0.1), ("canary", 0.1)):
        assert abs(chosen.count(name) - 4_000 * share) < 5 * (4_000 * share * (1 - share)) ** 0.5
    stable.set_endpoints(())
    assert {cut(user) for user in users} == {"canary"}
