"""Checks that Consul's agent runs, as checks that the registry runs."""

from typing import Any

import pytest

from meshway.problem import Problem
from meshway.units import Duration
from registry.compat.consul.asked import read_asked
from registry.compat.consul.bodies import Fields
from registry.compat.consul.refusals import Refusal

ADDRESS = "10.0.0.7"


def _read(kind: str = "HTTP", **fields: Any) -> Any:
    return read_asked(Fields({"Interval": "10s"} | fields), kind, ADDRESS)


def test_a_url_is_the_path_the_port_and_the_host_that_is_asked_for() -> None:
    check = _read(HTTP="http://10.0.0.7:8081/ready?deep=1", Timeout="3s", Method="get", Header={})
    assert (check.type, check.path, check.port, check.host) == ("http", "/ready?deep=1", 8081, None)
    assert (check.interval, check.timeout) == (Duration(10.0), Duration(3.0))
    # As in Consul, one answer decides unless more are wanted.
    assert (check.unhealthy_after, check.healthy_after) == (1, 1)
    named = _read(HTTP="http://books-host", FailuresBeforeCritical=3, SuccessBeforePassing=2)
    assert (named.path, named.port, named.host) == ("/", 80, "books-host")
    assert (named.unhealthy_after, named.healthy_after) == (3, 2)
    assert _read(HTTP="http://localhost:1/", Header={"Host": ["books.example"]}).host == "books.example"
    assert _read(HTTP="http://127.0.0.1:1/").host is None


def test_a_timeout_ends_before_the_next_question() -> None:
    assert _read(HTTP="http://10.0.0.7/").timeout == Duration(9.0)
    assert _read(HTTP="http://10.0.0.7/", Interval="5s", Timeout="30s").timeout == Duration(4.5)


def test_tcp_and_grpc_are_asked_at_their_port() -> None:
    tcp = _read("TCP", TCP="10.0.0.7:5432")
    assert (tcp.type, tcp.port) == ("tcp", 5432)
    grpc = _read("GRPC", GRPC="10.0.0.7:9090/shop.Orders", GRPCUseTLS=False)
    assert (grpc.type, grpc.port, grpc.service) == ("grpc", 9090, "shop.Orders")
    assert _read("GRPC", GRPC="[::1]:9090").service is None


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("HTTP", {"HTTP": "http://10.0.0.7/", "Interval": ""}, "Interval must be > 0"),
        ("HTTP", {"HTTP": "https://10.0.0.7/"}, "is not asked"),
        ("HTTP", {"HTTP": "10.0.0.7:80"}, "is not asked"),
        ("HTTP", {"HTTP": "http://u:p@10.0.0.7/"}, "is not asked"),
        ("HTTP", {"HTTP": "http://10.0.0.7:99999/"}, "is no URL"),
        ("HTTP", {"HTTP": "http://10.0.0.8/"}, "not the service's address"),
        ("HTTP", {"HTTP": "http://10.0.0.7/", "Method": "POST"}, "Method POST"),
        ("HTTP", {"HTTP": "http://10.0.0.7/", "Header": {"Authorization": ["x"]}}, "but for Host"),
        ("HTTP", {"HTTP": "http://10.0.0.7/", "Header": {"Host": "x"}}, "lists of texts"),
        ("HTTP", {"HTTP": "http://10.0.0.7/", "Body": "x"}, "Body of checks"),
        ("TCP", {"TCP": "10.0.0.7"}, "no HOST:PORT"),
        ("TCP", {"TCP": "10.0.0.7:x"}, "no HOST:PORT"),
        ("TCP", {"TCP": "10.0.0.8:80"}, "not the service's address"),
        ("GRPC", {"GRPC": "10.0.0.7:1", "GRPCUseTLS": True}, "GRPCUseTLS"),
    ],
)
def test_what_is_not_asked_is_refused(kind: str, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refused:
        _read(kind, **fields)
    assert refused.value.status == 400


def test_what_our_own_rules_forbid_is_their_problem() -> None:
    with pytest.raises(Problem) as refused:
        _read(HTTP="http://10.0.0.7/", Interval="100ms")
    assert refused.value.status == 422
    with pytest.raises(Problem):
        _read(HTTP="http://10.0.0.7/", FailuresBeforeCritical=1000)
