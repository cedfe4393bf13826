"""`meshway alert` as a person runs it."""

import json
import re
import time
from collections.abc import Callable
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


@pytest.fixture
def failing(registry: Registry, namespace: str) -> None:
    """Twenty minutes ago, for one minute, each second call of cart failed."""
    registry.register("cart", "c-1", 9000, namespace=namespace)
    service, buckets = f"{namespace}/cart", {bucket_of(0.1): 50}
    for seconds in range(0, 60, 10):
        ended = time.time() // 60 * 60 - 1_200.0 + seconds + 5.0
        told = Numbers(
            node="gw-1",
            boot="boot-of-alerts",
            sequence=next(_SEQUENCE),
            begun=ended - 2.0,
            ended=ended,
            edges=(Row(("edge", service), 50, 25, seconds=5.0, buckets=buckets),),
            routes=(Row((service, "all", service, "5xx", "UF"), 50, 25, buckets=buckets),),
        )
        answer = registry.client.post("/v1/telemetry", content=msgspec.json.encode(told))
        assert answer.status_code == 204, answer.text


@pytest.mark.usefixtures("failing")
def test_a_rule_is_tried_on_what_was(run: Run) -> None:
    ended = run("alert", "try", "service=cart error_ratio > 2 % for 0s")
    assert ended.code == 0, ended.err
    heading, row = ended.out.splitlines()
    assert heading.split() == ["FROM", "UNTIL", "ABOUT", "SUMMARY"]
    assert "service=cart" in row
    assert "50 %" in row
    assert "would not have fired" in run("alert", "try", "service=cart error_ratio > 60 %").err


def test_a_wrong_query_is_shown_where_it_is_wrong(run: Run) -> None:
    ended = run("alert", "try", "service=cart eror_ratio > 2 %")
    assert ended.code == 2
    assert "column 14" in ended.err
    assert "did you mean error_ratio?" in ended.err
    assert "\n             ^" in ended.err


def test_what_is_so_now_cannot_be_tried(run: Run) -> None:
    ended = run("alert", "try", "service=cart instances_passing < 1")
    assert ended.code == 6
    assert "nothing is kept of it" in ended.err


def test_rules_are_listed_with_what_is_built_in(run: Run, registry: Registry, namespace: str) -> None:
    spec = {"query": "service=cart rate > 1/s", "enabled": False, "severity": "info"}
    answer = registry.client.put(f"/v1/namespaces/{namespace}/alerts/own", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    listed = run("alert", "rules", "-A").out
    assert re.search(r"mesh/builtin-breaker-open +built in +on +■ critical +service=\* breaker_open > 0", listed), (
        listed
    )
    (row,) = run("alert", "rules").out.splitlines()[1:]
    assert re.search(rf"{namespace}/own +document +off +○ info +service=cart rate > 1/s +nobody", row), row


def test_a_silence_is_made_told_and_ended(run: Run) -> None:
    made = run("alert", "silence", "service=cart", "alert!=slow", "--for", "2h", "--reason", "is being moved")
    assert made.code == 0, made.err
    silence = made.out.strip()
    listed = run("alert", "list", "--silences")
    assert silence in listed.out
    assert "service=cart alert!=slow" in listed.out
    assert "is being moved" in listed.out
    assert run("alert", "unsilence", silence).code == 0
    assert run("alert", "unsilence", silence).code == 4
    assert "no silences" in run("alert", "list", "--silences").err
    assert run("alert", "silence", "cart", "--for", "2h", "--reason", "x").code == 2
    assert run("alert", "silence", "a=b", "--for", "721h", "--reason", "x").code == 6


@pytest.mark.usefixtures("failing")
def test_an_objective_shows_what_is_left(run: Run, registry: Registry, namespace: str) -> None:
    spec = {"target": {"service": "cart"}, "indicator": {"availability": {"bad": ["UF"]}}, "target_percent": 50}
    answer = registry.client.put(f"/v1/namespaces/{namespace}/objectives/half", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    told = json.loads(run("alert", "objectives", "-o", "json").out)["items"]
    assert told[0]["budget"]["calls"] == 300
    shown = run("alert", "objectives").out
    assert f"{namespace}/half" in shown
    assert "-100.0%" in shown
    of = {"namespace": namespace}
    wait_until(lambda: registry.client.get("/v1/alerts", params=of).json()["items"], within_s=60.0, every_s=0.5)
    (row,) = run("alert", "list").out.splitlines()[1:]
    assert "firing" in row
    assert "half: errors burn 2 times too fast over 72h, -100% of the budget is left" in row
    assert "nothing fires" in run("alert", "list", "--state", "resolved").err
