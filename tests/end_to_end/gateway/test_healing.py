"""What callers feel of a service that is partly sick, overloaded or gone: real processes under a load by the clock.

The short ones are judged by what does not depend on how busy this host is; the long ones, with the figures that were
promised, are soaks. All print what they saw.
"""

import asyncio
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.open_loop import run
from tests.parts.mesh import Mesh
from tests.parts.sick_services import Sick, SickServices

pytestmark = pytest.mark.alone
SECONDS_UNTIL_JUDGED = 3.0
SHORTLY = 2.0
Start = Callable[..., SickServices]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    running = Mesh(tmp_path_factory.mktemp("mesh"), 1, "--access-log", "off")
    yield running
    running.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[SickServices] = []

    def begin(name: str, *instances: Sick) -> SickServices:
        started.append(SickServices(tmp_path, name, *instances))
        return started[-1]

    yield begin
    for services in started:
        services.stop()


def serve(mesh: Mesh, name: str, services: SickServices, **policy: Any) -> None:
    """The instances as a service of this name, called as the policy says."""
    for number, port in enumerate(services.ports):
        mesh.register(name, f"i{number}", port)
    if policy:
        body = {"targets": [{"service": name}], **policy}
        mesh.apply(f"{{apiVersion: meshway/v1, kind: TrafficPolicy, metadata: {{name: {name}}}, spec: {body!r}}}")


def load(mesh: Mesh, name: str, rate_per_s: float, seconds: float, patience_s: float = 10.0) -> dict[str, float]:
    seed = random.randrange(1 << 32)
    port = int(mesh.mesh.rpartition(":")[2])
    host = f"{name}.default.mesh"
    told = asyncio.run(
        run("127.0.0.1", port, "/", rate_per_s=rate_per_s, seconds=seconds, seed=seed, name=host, patience_s=patience_s)
    )
    print(f"{name}: {rate_per_s:g}/s for {seconds:g} s, seed {seed}:", {key: round(told[key], 2) for key in told})
    return told


def failing(
    mesh: Mesh, start: Start, name: str, rate_per_s: float, seconds: float, unjudged_s: float = SECONDS_UNTIL_JUDGED
) -> float:
    """The share of failed calls where one instance of five fails at once, after the first seconds."""
    services = start(name, Sick(status=503), *[Sick(wait_s=0.002)] * 4)
    serve(mesh, name, services)
    load(mesh, name, rate_per_s, unjudged_s)
    told = load(mesh, name, rate_per_s, seconds)
    return told["failed"] / told["sent"]


def test_an_instance_that_fails_at_once_is_soon_called_no_more(mesh: Mesh, start: Start) -> None:
    assert failing(mesh, start, "failing", rate_per_s=200.0, seconds=2.0, unjudged_s=SHORTLY) <= 0.001


@pytest.mark.soak
def test_an_instance_that_fails_at_once_costs_a_thousandth_of_a_thousand_calls_a_second(
    mesh: Mesh, start: Start
) -> None:
    assert failing(mesh, start, "failing-long", rate_per_s=1000.0, seconds=30.0) <= 0.001


def first_of_five(mesh: Mesh, start: Start, name: str, wait_s: float) -> SickServices:
    """Five instances under peak EWMA; the first takes so long, the others 10 ms."""
    services = start(name, Sick(wait_s=wait_s), *[Sick(wait_s=0.01)] * 4)
    serve(mesh, name, services, load_balancer={"algorithm": "peak_ewma"})
    return services


def test_a_slow_instance_is_nearly_left_alone(mesh: Mesh, start: Start) -> None:
    services = first_of_five(mesh, start, "twenty", wait_s=0.2)
    load(mesh, "twenty", rate_per_s=100.0, seconds=SHORTLY)
    before = services.counts()
    load(mesh, "twenty", rate_per_s=100.0, seconds=3.0)
    calls = [now - then for now, then in zip(services.counts(), before, strict=True)]
    print(f"twenty: the slow one got {calls[0]} of {sum(calls)} calls")
    assert calls[0] < 0.02 * sum(calls)


@pytest.mark.soak
def test_a_slow_instance_is_hardly_felt_by_the_slowest_hundredth(mesh: Mesh, start: Start) -> None:
    """In turns, the middle of the rounds: another program's burst on this host is felt by one of them."""
    names = {"well": 0.01, "twenty": 0.2}
    for name, wait_s in names.items():
        first_of_five(mesh, start, f"{name}-long", wait_s)
        load(mesh, f"{name}-long", rate_per_s=300.0, seconds=SECONDS_UNTIL_JUDGED)
    rounds = [[load(mesh, f"{name}-long", rate_per_s=300.0, seconds=6.0)["p99_ms"] for name in names] for _ in range(7)]
    well_ms, slow_ms = (statistics.median(p99s) for p99s in zip(*rounds, strict=True))
    print(f"p99 with five that are well {well_ms:.1f} ms, with a slow one among them {slow_ms:.1f} ms")
    assert slow_ms <= 1.5 * well_ms


def overloaded(
    mesh: Mesh, start: Start, name: str, seconds: float, unjudged_s: float = SECONDS_UNTIL_JUDGED, **policy: Any
) -> float:
    """Answers within a second, as a share of what the service can give, at three times that."""
    at_once, wait_s = 10, 0.05
    services = start(name, Sick(at_once=at_once, wait_s=wait_s))
    serve(mesh, name, services, **policy)
    capacity = at_once / wait_s
    load(mesh, name, capacity / 2.0, unjudged_s)
    told = load(mesh, name, capacity * 3.0, seconds, patience_s=1.0)
    goodput = told["good"] / seconds / capacity
    print(f"{name}: goodput {goodput:.0%} of {capacity:g}/s")
    return goodput


def test_an_overloaded_service_goes_on_answering_under_adaptive_concurrency(mesh: Mesh, start: Start) -> None:
    with_limit = overloaded(mesh, start, "limited", 4.0, SHORTLY, adaptive_concurrency={"tolerance": 2.0})
    without = overloaded(mesh, start, "unlimited", 4.0, SHORTLY)
    assert with_limit > 0.6
    assert without < 0.5


@pytest.mark.soak
def test_an_overloaded_service_gives_nine_tenths_under_adaptive_concurrency_and_less_than_half_without(
    mesh: Mesh, start: Start
) -> None:
    assert overloaded(mesh, start, "limited-long", 30.0, adaptive_concurrency={"tolerance": 2.0}) >= 0.9
    assert overloaded(mesh, start, "unlimited-long", 30.0) < 0.5


def storm(
    mesh: Mesh, start: Start, name: str, rate_per_s: float, seconds: float, **budget: float
) -> tuple[float, float]:
    """Three tiers that each retry, the last one down. Attempts on that one, over the calls of its callers, and over
    those to the first tier."""
    mesh_port = int(mesh.mesh.rpartition(":")[2])
    first, second, third = (f"{name}-{tier}" for tier in ("a", "b", "c"))
    retry = {"max_retries": 3, "statuses": [503]} | ({"budget": budget} if budget else {})
    told: dict[str, SickServices] = {}
    for tier, below in ((third, None), (second, third), (first, second)):
        calls = (mesh_port, f"{below}.default.mesh") if below else None
        told[tier] = start(tier, *[Sick(status=503, calls=calls)] * 2)
        serve(mesh, tier, told[tier], retry=retry, outlier_detection={"enabled": False})
    offered = load(mesh, first, rate_per_s, seconds)["sent"]
    attempts = {tier: sum(services.counts()) for tier, services in told.items()}
    print(f"{name}: {offered:g} calls, attempts {attempts}")
    return attempts[third] / attempts[second], attempts[third] / offered


@pytest.mark.parametrize(
    ("name", "rate_per_s", "seconds", "budget", "most"),
    [
        ("storm", 60.0, 4.0, {"min_per_second": 0}, 1.2),
        pytest.param("storm-long", 200.0, 30.0, {"min_per_second": 0}, 1.2, marks=pytest.mark.soak),
        # By default ten seconds' minimum may be spent before the share is as much: once, whatever the time.
        pytest.param("storm-default", 200.0, 30.0, {}, 1.2 + 10 * 10 / (200 * 30), marks=pytest.mark.soak),
    ],
)
def test_retries_at_three_tiers_are_no_storm(
    mesh: Mesh, start: Start, name: str, rate_per_s: float, seconds: float, budget: dict[str, float], most: float
) -> None:
    over_callers, over_first = storm(mesh, start, name, rate_per_s, seconds, **budget)
    assert 1.0 < over_callers <= most
    assert 1.0 < over_first <= 1.8
