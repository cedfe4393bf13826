"""Query strings as Consul reads them."""

import pytest

from registry.compat.consul.queries import DEFAULT_WAIT_S, MAX_WAIT_S, ConsulQuery
from registry.compat.consul.refusals import Refusal


def test_bare_names_are_flags_and_unknown_ones_are_passed_over() -> None:
    query = ConsulQuery("passing&cached&stale&tag=a&tag=b&future=1&near=_agent")
    assert query.flag("passing")
    assert not query.flag("absent")
    assert query.all("tag") == ["a", "b"]
    assert not ConsulQuery("passing=false").flag("passing")
    assert query.namespace == "default"
    assert ConsulQuery("ns=shop&dc=dc1").namespace == "shop"


def test_the_body_s_namespace_goes_before_the_query_s() -> None:
    query = ConsulQuery("ns=shop")
    assert query.namespace_or("") == "shop"
    assert query.namespace_or("mail") == "mail"


def test_a_wait_has_a_default_a_maximum_and_up_to_a_sixteenth_more() -> None:
    assert ConsulQuery("").wait_s(lambda: 0.0) == DEFAULT_WAIT_S
    assert ConsulQuery("wait=0s").wait_s(lambda: 0.0) == DEFAULT_WAIT_S
    assert ConsulQuery("wait=16s").wait_s(lambda: 1.0) == 17.0
    assert ConsulQuery("wait=24h").wait_s(lambda: 0.0) == MAX_WAIT_S
    assert ConsulQuery("index=812").index() == 812
    assert ConsulQuery("index=").index() == 0


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("dc=mars", "No path to datacenter"),
        ("stale&consistent", "conflicting"),
        ("ns=No_Label", "Invalid namespace"),
        ("peer=other", "Peers"),
        ("&".join(f"p{n}=1" for n in range(200)), "more than"),
    ],
)
def test_what_cannot_be_answered_is_refused(query: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        ConsulQuery(query)


@pytest.mark.parametrize("index", ["-1", "x", "9" * 30, "1.5", "²"])
def test_an_index_is_a_whole_number(index: str) -> None:
    with pytest.raises(Refusal, match="Invalid index"):
        ConsulQuery(f"index={index}").index()


def test_bad_values_are_said_by_name() -> None:
    with pytest.raises(Refusal, match="Invalid wait time"):
        ConsulQuery("wait=soon").wait_s()
    with pytest.raises(Refusal, match="passing"):
        ConsulQuery("passing=maybe").flag("passing")
    with pytest.raises(Refusal, match="Missing value"):
        ConsulQuery("").needed_flag("enable")
