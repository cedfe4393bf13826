"""Every operation of the description, called with what it allows and with what it forbids: no fault of ours, and no
answer that the description does not know.

`make test` sends a few calls to each operation, `make soak` a thousand to each that takes them within its share of the
time; how many each got is printed.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.parts.planes import Registry

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Their answers end when we have read enough of them.
ENDLESS = ("/v1/watch", "/v1/live", "/v1/feed", "/v1/tap", "/v1/logs/follow")
ENOUGH = 4096
FEW, MANY = 3, 1000
# Bodies of the large shapes take a tenth of a second each to think of: what quick operations leave of their share goes
# to those that come after them.
WITHIN_S = 1500.0
SLICE = 100
SEED = int(os.environ.get("MESHWAY_TEST_SEED") or random.randrange(2**32))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(tmp_path_factory.mktemp("fuzz"), "--dns-port", "off")
    yield running
    running.close()


def test_a_few_calls_of_every_operation_are_answered_as_described(registry: Registry) -> None:
    assert len(fuzz(registry, FEW)) >= 60


@pytest.mark.soak
def test_many_calls_of_every_operation_are_answered_as_described(registry: Registry) -> None:
    counts = fuzz(registry, MANY, WITHIN_S)
    print("\n".join(f"{calls:5} {name}" for name, calls in counts.items()))
    assert len(counts) >= 60
    assert min(counts.values()) >= SLICE


def fuzz(registry: Registry, calls: int, within_s: float | None = None) -> dict[str, int]:
    """How often each operation was called: in either mode, where it has anything to forbid, `calls` times, or as often
    as its share of the time allows. All failures at once.
    """
    print(f"MESHWAY_TEST_SEED={SEED}")
    schema = schemathesis.openapi.from_url(f"{registry.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # it raises
    turns = [
        (operation, mode) for operation in operations for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    failures: list[str] = []
    counts: dict[str, int] = {}
    ends_s = None if within_s is None else time.monotonic() + within_s
    for at, (operation, mode) in enumerate(turns):
        until_s = None
        if ends_s is not None:
            until_s = time.monotonic() + max(0.0, ends_s - time.monotonic()) / (len(turns) - at)
        name = f"{operation.method} {operation.path}"
        counts.setdefault(name, 0)
        try:
            counts[name] += call_often(operation, mode, calls, until_s)
        except Unsatisfiable:
            continue  # nothing can be said wrongly here
        except Exception as failure:
            failures.append(f"{name} {mode}: {failure}")
    assert not failures, "\n\n".join(failures)
    assert registry.process.is_running(), registry.process.text()
    assert "Traceback" not in registry.process.text()
    return counts


def call_often(operation: Any, mode: GenerationMode, calls: int, until_s: float | None) -> int:
    """At least SLICE calls, and further slices, each of another seed, until it is late. How many."""
    done = 0
    while done < calls and (until_s is None or not done or time.monotonic() < until_s):
        some = min(SLICE, calls - done)
        call_some(operation, mode, some, SEED + done)
        done += some
    return done


def call_some(operation: Any, mode: GenerationMode, calls: int, chance: int) -> None:
    @seed(chance)
    @settings(
        max_examples=calls,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        shorten(case)
        if operation.path in ENDLESS and (beginning := begun(case)) is not None:
            described = operation.definition.raw["responses"]["200"]["content"]
            assert beginning.headers["Content-Type"].partition(";")[0] in described
            return
        response = case.call(timeout=30.0)
        assert response.status_code < 500 or str(response.status_code) in operation.definition.raw["responses"]
        case.validate_response(response, checks=CHECKS)

    call()


def begun(case: Any) -> requests.Response | None:
    """An answer that has begun, with some of its body read; None when it was refused, which ends by itself."""
    session = requests.Session()
    with session, session.request(**case.as_transport_kwargs(), stream=True, timeout=30.0) as response:
        if response.status_code != 200:
            return None
        assert next(response.iter_content(ENOUGH))  # raises when the framing is broken
        return response


def shorten(case: Any) -> None:
    """What would wait for a change or for gateways waits for a moment, and health checks go to a port of this machine
    where nobody listens: not to an address that chance has made.
    """
    query = case.query or {}
    if "index" in query:
        query["wait"] = "10ms"
    if "since" in query:
        query["wait_s"] = "0.01"
    if case.headers and "Prefer" in case.headers:
        case.headers["Prefer"] = "wait=0"
    bodies = [case.body] if isinstance(case.body, dict) else []
    rows = bodies[0].get("instances") if bodies else None
    bodies += [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    for body in bodies:
        if isinstance(body.get("check"), dict):
            body["check"].pop("port", None)
            body |= {"address": "127.0.0.1", "port": 9}
        for name in ("Check", "Checks"):
            body.pop(name, None)
