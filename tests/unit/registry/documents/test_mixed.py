"""A rule that would send calls of HTTP here and there to what speaks something else."""

import pytest

from meshway.problem import Problem
from registry.documents.applying import Written
from tests.parts.registry_bench import Bench, written

PORTS = [{"name": "pg", "port": 5432, "protocol": "tcp"}, {"name": "web", "port": 80}]


def service(name: str, *ports: dict[str, object]) -> Written:
    return written("Service", name, {"ports": list(ports)} if ports else {})


def route(*destinations: dict[str, object]) -> Written:
    rule = {"match": [{"path": {"prefix": "/"}}], "destinations": [{"weight": 1} | each for each in destinations]}
    return written("Route", "r", {"hosts": ["shop.example"], "rules": [rule]})


def refusal(bench: Bench, *documents: Written) -> Problem:
    with pytest.raises(Problem) as refused:
        bench.apply(*documents)
    return refused.value


def test_a_rule_whose_destinations_speak_differently_is_refused_at_the_one_that_is_not_called() -> None:
    bench = Bench()
    problem = refusal(bench, service("web"), service("db", *PORTS), route({"service": "web"}, {"service": "db"}))
    (error,) = problem.errors
    assert (problem.status, error.document, error.code) == (422, "Route default/r", "forbidden_combination")
    assert error.path == "spec.rules[0].destinations[1]"
    assert "db speaks tcp, and web beside it HTTP" in error.message


def test_the_port_that_is_asked_for_says_it_and_one_kind_alone_is_let_be() -> None:
    bench = Bench()
    bench.apply(service("web"), service("db", *PORTS), service("mail", PORTS[0]))
    bench.apply(route({"service": "web"}, {"service": "db", "port": "web"}))
    bench.apply(route({"service": "db"}, {"service": "mail"}))
    assert bench.view.revision == 3


def test_a_service_may_not_come_to_speak_otherwise_beneath_a_rule() -> None:
    bench = Bench()
    bench.apply(service("web"), service("db"), route({"service": "web"}, {"service": "db"}))
    problem = refusal(bench, service("db", PORTS[0]))
    assert (problem.status, problem.code, problem.errors[0].path) == (409, "in_use", "spec.rules[0].destinations[1]")
    bench.apply(service("db", PORTS[0]), route({"service": "web"}))
