"""A program's own log, shipped by the SDK to a real registry."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshway.client import Mesh, MeshSettings
from meshway.client import log_handler as module
from meshway.client.propagation import _inbound, note
from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.processes import ROOT

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def kept(registry: Registry, **query: str) -> list[dict[str, Any]]:
    answer = registry.client.get("/v1/logs", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
def mesh(registry: Registry) -> Mesh:
    return Mesh(MeshSettings(registry=registry.url, namespace="shop"))


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    log = logging.getLogger("shop.checkout")
    log.setLevel(logging.DEBUG)
    yield log
    for handler in list(log.handlers):
        log.removeHandler(handler)
        handler.close()


def test_a_line_arrives_with_its_level_its_trace_and_what_was_said_with_it(
    registry: Registry, mesh: Mesh, log: logging.Logger
) -> None:
    handler = mesh.log_handler("checkout", port=9080, version="v2")
    log.addHandler(handler)
    token = _inbound.set(note([("traceparent", f"00-{TRACE}-{SPAN}-01")]))
    try:
        log.warning("order %s refused", "o-1", extra={"order": "o-1"})
        try:
            raise ValueError("no card")
        except ValueError:
            log.exception("failed")
    finally:
        _inbound.reset(token)
    handler.flush()
    failed, refused = kept(registry, service="shop/checkout")
    assert refused["text"] == "order o-1 refused"
    assert (refused["severity"], refused["logger"]) == ("warn", "shop.checkout")
    assert (refused["trace_id"], refused["span_id"]) == (TRACE, SPAN)
    assert refused["attributes"].items() >= {"order": "o-1"}.items()
    assert refused["resource"] == {"service.version": "v2"}
    assert refused["instance"].startswith("checkout-")
    assert (failed["severity"], failed["attributes"]["exception.type"]) == ("error", "ValueError")
    assert "raise ValueError" in failed["attributes"]["exception.stacktrace"]
    assert [item["text"] for item in kept(registry, text="card")] == ["failed"]


def test_without_a_registry_nobody_waits_and_the_lines_arrive_when_it_is_there(
    registry: Registry, mesh: Mesh, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.1)
    monkeypatch.setattr(module, "MOST_WAITING", 50)
    registry.process.stop()
    handler = mesh.log_handler("checkout")
    log.addHandler(handler)
    for at in range(60):
        log.info("line %d", at)
    wait_until(lambda: handler._has_failed, 10)
    assert handler.dropped == 10
    registry.start()
    wait_until(lambda: not handler._waiting and not handler._has_failed, 20)
    texts = [item["text"] for item in kept(registry)]
    assert texts == [f"line {at}" for at in reversed(range(10, 60))]


PROGRAM = """
import logging, os, sys
from meshway.client import Mesh
logging.getLogger().addHandler(Mesh.from_env().log_handler())
logging.warning("of the parent")
child = os.fork()
logging.warning("last words of %s", "the child" if child == 0 else "the parent")
if child == 0:
    logging.shutdown()
    os._exit(0)
os.waitpid(child, 0)
"""


def test_the_last_words_of_a_program_and_of_its_children_arrive_once(registry: Registry, tmp_path: Path) -> None:
    env = {
        "MESHWAY_URL": registry.url,
        "MESHWAY_NAMESPACE": "shop",
        "MESHWAY_SERVICE": "batch",
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | env, check=True, timeout=60, cwd=tmp_path)
    texts = sorted(item["text"] for item in kept(registry, service="shop/batch"))
    assert texts == ["last words of the child", "last words of the parent", "of the parent"]


def test_a_program_must_have_a_name(mesh: Mesh) -> None:
    with pytest.raises(ValueError, match="which service"):
        mesh.log_handler()
