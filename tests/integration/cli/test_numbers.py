"""`meshway top` and `meshway map` as a person runs them."""

import json
import time
from collections.abc import Callable
from functools import partial
from itertools import count

import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row
from tests.parts.command import Ended
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry

Run = Callable[..., Ended]
_SEQUENCE = count(1)


def row(*key: str, calls: int, failed: int = 0, seconds: float = 0.01) -> Row:
    return Row(key, calls, failed, seconds=calls * seconds, buckets={bucket_of(seconds): calls})


def is_seen(registry: Registry, question: str, service: str) -> bool:
    """Whether it had calls."""
    answer = registry.client.get(f"/v1/insight/{question}").json()
    if "nodes" in answer:
        return any(node["id"] == service and node["figures"]["calls"] for node in answer["nodes"])
    return any(f"{item['namespace']}/{item['name']}" == service for item in answer["items"] if item["figures"]["calls"])


@pytest.fixture
def calls(registry: Registry, namespace: str) -> None:
    """Of the last half minute: 600 from outside to web, 240 of them on to cart, of which 24 failed."""
    ended = time.time() - 12.0
    registry.register("cart", "c-1", 9000, namespace=namespace)
    told = Numbers(
        node="gw-1",
        boot="boot-of-gw-1",
        sequence=next(_SEQUENCE),
        begun=ended - 2.0,
        ended=ended,
        edges=(
            row("edge", f"{namespace}/web", calls=600),
            row(f"{namespace}/web", f"{namespace}/cart", calls=240, failed=24, seconds=0.2),
        ),
    )
    answer = registry.client.post("/v1/telemetry", content=msgspec.json.encode(told))
    assert answer.status_code == 204, answer.text
    for question in ("services?window_s=300", "services", "topology"):  # each answer holds for two seconds
        wait_until(partial(is_seen, registry, question, f"{namespace}/web"), 10, what="the calls")


@pytest.mark.usefixtures("calls")
def test_top_tells_every_service_the_busiest_first(run: Run) -> None:
    ended = run("top", "--window", "5m")
    heading, first, second = ended.out.splitlines()
    assert heading.split() == ["SERVICE", "HEALTH", "INSTANCES", "CALLS", "ERRORS", "P50", "P95", "P99"]
    assert first.startswith("web")
    assert second.split()[:4] == ["cart", "■", "bad", "1/1"]
    assert "10.0%" in second
    assert " ms" in second


@pytest.mark.usefixtures("calls")
def test_top_may_be_ordered_by_errors_and_wide_it_says_why(run: Run) -> None:
    lines = run("top", "--window", "5m", "--sort", "errors", "-o", "wide").out.splitlines()
    assert lines[1].startswith("cart")
    assert lines[1].endswith("10.0% of calls fail")


@pytest.mark.usefixtures("calls")
def test_for_programs_it_is_the_answer_of_the_registry(run: Run, namespace: str) -> None:
    items = json.loads(run("top", "--window", "5m", "-o", "json").out)["items"]
    assert {item["name"]: item["figures"]["calls"] for item in items} == {"web": 600, "cart": 240}
    told = json.loads(run("map", "-o", "json").out)
    assert {edge["source"] for edge in told["edges"]} == {"edge", f"{namespace}/web"}


@pytest.mark.usefixtures("calls")
def test_the_map_tells_who_calls_whom_and_what_is_unwell(run: Run, namespace: str) -> None:
    ended = run("map")
    assert [line.split()[:3] for line in ended.out.splitlines()] == [
        ["CALLER", "SERVICE", "CALLS"],
        ["edge", "→", f"{namespace}/web"],
        [f"{namespace}/web", "→", f"{namespace}/cart"],
    ]
    assert f"■ {namespace}/cart: 10.0% of calls fail" in ended.err
    around = run("map", "cart")
    assert len(around.out.splitlines()) == 2
    assert f"{namespace}/cart" in around.out


def test_where_nothing_is_called_it_says_so(run: Run) -> None:
    ended = run("map")
    assert (ended.code, ended.out) == (0, "")
    assert "no calls in the last 15m" in ended.err
    assert "no service is known here" in run("top").err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("top", "--sort", "name"), 2, "--sort name is none of rps, errors, p95"),
        (("top", "--window", "soon"), 2, "--window"),
        (("map", "--level", "world"), 2, "--level world"),
        (("map", "-o", "yaml"), 2, "-o yaml"),
        (("map", "--at", "yesterday"), 6, "no point in time"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    ended = run(*words)
    assert ended.code == code
    assert said in ended.err
