from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshway.cli.logged import where_it_went
from meshway.cli.running import Ready, RunFolder

MESH = "http://127.0.0.1:8581"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a mesh that runs."""
    folder = RunFolder(tmp_path)
    folder.note(Ready(registry="", edge="", mesh=MESH, admin="", pids={}))
    (tmp_path / "log").mkdir()
    return tmp_path


def log(data: Path, *lines: dict[str, Any], rest: bytes = b"") -> None:
    whole = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    (data / "log" / "access.jsonl").write_bytes(whole + rest)


def line(request_id: str, **fields: Any) -> dict[str, Any]:
    known = {"route": "shop/cart", "rule": "all", "instance": "cart-1", "attempts": 1, "request_id": request_id}
    return known | fields


def test_route_rule_and_instance_are_those_of_the_call(data: Path) -> None:
    log(data, line("a1"), line("b2", rule="beta", instance="cart-2"), line("c3"))
    assert where_it_went(data, MESH, "b2") == "route shop/cart rule beta → instance cart-2"


def test_more_than_one_attempt_is_told(data: Path) -> None:
    log(data, line("a1", attempts=3))
    assert where_it_went(data, MESH, "a1") == "route shop/cart rule all → instance cart-1, 3 attempts"


def test_a_call_that_reached_nobody_tells_its_route_alone(data: Path) -> None:
    log(data, line("a1", instance="", attempts=0), line("b2", route="", rule="", instance=""))
    assert where_it_went(data, MESH, "a1") == "route shop/cart rule all"
    assert where_it_went(data, MESH, "b2") is None


def test_another_gateways_log_is_not_asked(data: Path) -> None:
    log(data, line("a1"))
    assert where_it_went(data, "http://127.0.0.1:9999", "a1") is None


def test_without_a_mesh_on_this_machine_nothing_is_known(tmp_path: Path) -> None:
    assert where_it_went(tmp_path, MESH, "a1") is None


def test_a_line_that_is_still_being_written_is_not_read(data: Path) -> None:
    log(data, line("b2"), rest=msgspec.json.encode(line("a1"))[:-1])
    assert where_it_went(data, MESH, "a1") is None
