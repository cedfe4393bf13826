"""`meshway rollout` as a person runs it."""

import json
from collections.abc import Callable

import pytest

from tests.parts.command import Ended
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry

Run = Callable[..., Ended]
_DOCUMENTS = """
apiVersion: meshway/v1
kind: Service
metadata: {name: reviews, namespace: NS}
spec: {subsets: [{name: v1, match: {version: v1}}, {name: v2, match: {version: v2}}]}
---
apiVersion: meshway/v1
kind: Route
metadata: {name: reviews, namespace: NS}
spec:
  hosts: [NS.example]
  rules:
    - name: all
      destinations: [{service: reviews, subset: v1, weight: 100}, {service: reviews, subset: v2, weight: 0}]
---
apiVersion: meshway/v1
kind: Rollout
metadata: {name: reviews-v2, namespace: NS}
spec:
  route: reviews
  rule: all
  stable: {service: reviews, subset: v1}
  canary: {service: reviews, subset: v2}
  steps: [{weight_percent: 5, hold: 1h}, {weight_percent: 12.5, hold: 1h}]
"""


@pytest.fixture
def begun(registry: Registry, namespace: str) -> None:
    registry.apply(_DOCUMENTS.replace("NS", namespace))
    path = f"/v1/rollouts/{namespace}/reviews-v2"
    wait_until(lambda: registry.client.get(path).json()["phase"] == "running", 20, what="the first step")


@pytest.mark.usefixtures("begun")
def test_it_is_shown_held_skipped_and_aborted(run: Run, namespace: str) -> None:
    shown = run("rollout", "status", "reviews-v2")
    assert shown.code == 0, shown.err
    first, heading, running, ahead = shown.out.splitlines()
    to_canary = f"5 % of rule all of reviews to {namespace}/reviews#v2, from {namespace}/reviews#v1"
    assert first == f"{namespace}/reviews-v2 running (step 1 of 2): {to_canary}"
    assert heading.split()[0] == "STEP"
    assert running.split()[:4] == ["~", "1", "5", "%"]
    assert running.endswith("not enough data")
    assert ahead.endswith("ahead")
    held = run("rollout", "hold", "reviews-v2", "--reason", "lunch")
    assert (held.code, "is holding (step 1 of 2)" in held.err) == (0, True), held.err
    again = run("rollout", "hold", "reviews-v2")
    assert again.code == 5, "there is nothing to do"
    assert "lunch" in again.err
    assert "12.5 % to" in run("rollout", "skip", "reviews-v2").err
    assert "reviews#v2 1250 (canary)" in run("get", "routes", "-o", "wide").out
    assert run("rollout", "abort", "reviews-v2", "--reason", "not today").code == 0
    watched = run("rollout", "status", "reviews-v2", "--watch")
    assert watched.code == 1, "it was aborted"
    assert "not today" in watched.out
    (listed,) = json.loads(run("rollout", "status", "-o", "json").out)["items"]
    assert (listed["name"], listed["phase"], listed["step"]) == ("reviews-v2", "aborted", 1)


def test_what_is_not_there_is_told_in_a_line(run: Run) -> None:
    missing = run("rollout", "promote", "nothing")
    assert missing.code == 4
    assert "Rollout" in missing.err
    assert "no rollouts here" in run("rollout", "status").err
