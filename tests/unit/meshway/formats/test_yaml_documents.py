"""YAML is read with the place of every field, and nothing in it runs, loops or explodes."""

import pytest

from meshway.formats.yaml_documents import read_documents
from meshway.problem import FieldError, Problem

TEXT = """\
apiVersion: meshway/v1
kind: Route
metadata: {name: cart}
spec:
  rules:
    - retry: {on: [reset], max_retries: 3}
      naem: x
---
---
- kind: Service
- kind: RateLimit
"""


def refusal(text: str) -> FieldError:
    with pytest.raises(Problem) as refused:
        read_documents(text)
    (error,) = refused.value.errors
    return error


def test_every_document_of_the_stream_is_read_and_empty_ones_are_left_out() -> None:
    assert [one.raw["kind"] for one in read_documents(TEXT)] == ["Route", "Service", "RateLimit"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", (1, 1)),
        ("metadata.name", (3, 12)),
        ("spec.rules[0]", (6, 7)),
        ("spec.rules[0].naem", (7, 7)),
        ("spec.rules[0].retry.on[0]", (6, 20)),
        ("spec.rules[0].destinations", (6, 7)),
        ("spec.nothing.at[3].all", (4, 1)),
    ],
)
def test_a_field_or_the_block_around_it_has_a_place(path: str, place: tuple[int, int]) -> None:
    assert read_documents(TEXT)[0].place(path) == place


def test_errors_come_in_the_order_of_the_text() -> None:
    written = read_documents(TEXT)[0]
    errors = [FieldError(path=path, code="x", message="") for path in ("spec.rules[0].naem", "kind")]
    assert [(error.path, error.line, error.column) for error in written.locate(errors)] == [
        ("kind", 2, 1),
        ("spec.rules[0].naem", 7, 7),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: [off, no, yes]", {"on": ["off", "no", "yes"]}),
        ("a: true", {"a": True}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 2026-11-24", {"a": "2026-11-24"}),
        ("a: 010", {"a": 10}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 1.5", {"a": 1.5}),
        ('a: "1"', {"a": "1"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: !!str 1", {"a": "1"}),
        ("1: a", {"1": "a"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ('{"a": [1, null, false]}', {"a": [1, None, False]}),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert read_documents(text)[0].raw == value


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [1\nb: 2", "bad_yaml", (2, 2)),
        ("a: 1\na: 2", "duplicate", (2, 1)),
        ("a: !!python/object/new:os.system [x]", "unsupported", None),
        ("a: !!python/name:os.system x", "unsupported", (1, 4)),
        ("a: !!binary aGk=", "unsupported", (1, 4)),
        ("a: &x {b: *x}", "too_large", None),
        ("a: &x {b: 1}\nc:\n  <<: *x", "unsupported", (3, 3)),
        ("[a]: 1", "wrong_type", (1, 1)),
        ("a: \x01", "bad_yaml", (1, 4)),
        ("a: b\n\tc: d", "bad_yaml", (2, 1)),
        ("[" * 200 + "]" * 200, "too_large", None),
        ("[" * 200_000, "bad_yaml", None),
        ("a: " + "x" * (1025 << 10), "too_large", (1, 1)),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(text: str, code: str, place: tuple[int, int] | None) -> None:
    error = refusal(text)
    assert error.code == code
    if place is not None:
        assert (error.line, error.column) == place


def test_a_tab_is_called_one() -> None:
    assert refusal("a: b\n\tc: d").message == "a tab stands where YAML takes spaces alone"


def test_a_billion_laughs_are_cut_short() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    assert refusal("\n".join(lines)).code == "too_large"
