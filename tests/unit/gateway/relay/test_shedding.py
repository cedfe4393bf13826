from dataclasses import replace

import pytest

from gateway.exchange import MESH, Exchange, Reply
from gateway.plan import RoutePlan
from gateway.relay.shedding import DEFAULT, MOST_PLANS, NOTHING, SHEDDABLE, Shedding
from gateway.routing.table import TablesHolder
from gateway.upstream.criticality import SHARES
from tests.parts.calls import call
from tests.parts.exchanges import plan
from tests.parts.one_route import one_route


def shedding(told: RoutePlan | None, level: int) -> Shedding:
    made = Shedding(TablesHolder(one_route(told)), lambda: 0.5)
    made.level = level
    return made


def of(criticality: bytes) -> RoutePlan:
    return replace(plan(), limit_share=SHARES[criticality])


def refusal(shed: Shedding, exchange: Exchange) -> Reply | None:
    found = shed.match(exchange)
    assert found is not None
    assert found.route == "default/books", "the log still says whose call it was"
    if not found.request_filters:
        return None
    (refuse,) = found.request_filters
    reply = refuse(exchange)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize(
    ("level", "shed"),
    [(NOTHING, set()), (SHEDDABLE, {b"sheddable"}), (DEFAULT, {b"sheddable", b"default"})],
)
def test_what_matters_least_is_refused_first_and_critical_calls_never(level: int, shed: set[bytes]) -> None:
    refused = {name for name in SHARES if refusal(shedding(of(name), level), call()) is not None}
    assert refused == shed


def test_a_refusal_says_when_to_come_back_and_by_whose_word() -> None:
    shed = shedding(of(b"default"), DEFAULT)
    reply = refusal(shed, call())
    assert reply is not None
    assert (reply.status, reply.reason, reply.flag, reply.policy) == (503, "overloaded", "OM", "gateway overload")
    assert b"Retry-After: 2\r\n" in reply.fields
    assert reply.body is not None
    assert b'"policy":"gateway overload"' in reply.body
    assert shed.shed == {"default": 1}


def test_a_caller_on_the_mesh_may_say_that_his_call_is_sheddable() -> None:
    shed = shedding(of(b"critical"), SHEDDABLE)
    assert refusal(shed, call(listener=MESH)) is None
    assert refusal(shed, call(listener=MESH, headers={"meshway-criticality": "sheddable"})) is not None
    assert refusal(shed, call(listener=MESH, headers={"meshway-criticality": "critical"})) is None


def test_a_call_of_no_route_stays_one() -> None:
    assert shedding(None, DEFAULT).match(call()) is None


def test_refusing_plans_are_made_once_a_rule_and_their_number_is_bounded() -> None:
    shed = shedding(of(b"default"), DEFAULT)
    assert shed.match(call()) is shed.match(call())
    for _ in range(MOST_PLANS + 5):
        shed._holder.tables = one_route(of(b"default"))
        shed.match(call())
    assert len(shed._plans) <= MOST_PLANS
    shed.forget()
    assert not shed._plans
