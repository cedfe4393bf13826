"""Filter expressions of Consul's lists."""

import random
import secrets

import pytest

from registry.compat.consul.filters import MAX_LENGTH, selecting
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.shapes import ConsulHealth
from registry.compat.consul.showing import health_of
from tests.parts.registry_bench import Bench


def _rows() -> list[ConsulHealth]:
    bench = Bench()
    bench.register("books", "b1", tags=("v1", "blue"), metadata={"zone": "a", "odd key": "x"}, port=80)
    bench.register("books", "b2", tags=("v2",), metadata={"zone": "b"}, port=81)
    bench.register("books", "b3", address="10.0.0.3", port=82)
    return [health_of(row) for row in bench.view.services["default", "books"].values()]


def _found(expression: str) -> list[str]:
    return [row.service.id.partition(":")[2] for row in selecting(expression, ConsulHealth)(_rows())]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("", ["b1", "b2", "b3"]),
        ('Service.Meta.zone == "a"', ["b1"]),
        ("Service.Meta.zone == a", ["b1"]),
        ("Service.Meta.zone != `a`", ["b2", "b3"]),
        ('Service.Meta["odd key"] == "x"', ["b1"]),
        ('"v1" in Service.Tags or Service.Port == 82', ["b1", "b3"]),
        ("v2 not in Service.Tags and not Service.Port == 82", ["b1"]),
        ('Service.Tags contains "blue"', ["b1"]),
        ("Service.Tags not contains blue", ["b2", "b3"]),
        ("Service.Tags is empty", ["b3"]),
        ("Service.Meta is not empty", ["b1", "b2"]),
        ("zone in Service.Meta", ["b1", "b2"]),
        ('Node.Address matches "^10[.]"', ["b3"]),
        ("Node.Address not matches `^10[.]`", ["b1", "b2"]),
        ("not (Service.Port == 80 or Service.Port == 81)", ["b3"]),
        ("Service.EnableTagOverride == false and Service.Weights.Passing == 1", ["b1", "b2", "b3"]),
        ('Service.ID == "books:b1" or Service.ID == "books:b2" and Service.Port == 80', ["b1"]),
    ],
)
def test_it_leaves_what_matches(expression: str, found: list[str]) -> None:
    assert _found(expression) == found


@pytest.mark.parametrize(
    "expression",
    [
        "Service.Nothing == 1",
        "Checks.Status == passing",
        "Service.ID.x == 1",
        "Service.Port",
        "Service.Port ==",
        "== 1",
        "(Service.Port == 1",
        "Service.Port == 1 Service.Port == 2",
        "Service.Port is 1",
        'Service.ID matches "("',
        'Service.ID == "open',
        "Service.Port = 1",
        "(" * 200 + "Service.Port == 1" + ")" * 200,
        "not " * 200 + "Service.Port == 1",
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_what_is_no_filter_is_refused_and_filters_nothing(expression: str) -> None:
    with pytest.raises(Refusal, match="Failed to create filter"):
        selecting(expression, ConsulHealth)


def test_whatever_is_written_is_a_filter_or_refused() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    words = ["Service.Port", "Service.Tags", "Node.Meta", "==", "!=", "in", "not", "and", "or", "is", "empty", "(", ")"]
    words += ["contains", "matches", '"a"', "`b`", "1", "[", "]", '"', "\\", "é", "Service.Meta.x", "."]
    rows, taken = _rows(), 0
    for _ in range(5_000):
        expression = " ".join(chance.choice(words) for _ in range(chance.randrange(1, 7)))
        try:
            selecting(expression, ConsulHealth)(rows)
            taken += 1
        except Refusal:
            continue
    assert taken > 0
