"""How many values a message holds, as far as it matters."""

from typing import Any

import pytest
from google.protobuf import any_pb2, struct_pb2
from google.protobuf.message import Message

from gateway.grpc.values import has_more, holds_more

KNOWN: dict[str, type[Message]] = {"google.protobuf.Struct": struct_pb2.Struct}


def new(name: str) -> Message:
    return KNOWN[name]()


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(value)
    return made


def packed(message: Message, name: str = "") -> any_pb2.Any:
    made = any_pb2.Any()
    made.Pack(message)
    if name:
        made.type_url = f"type.googleapis.com/{name}"
    return made


LIST = struct({"a": list(range(30))})


@pytest.mark.parametrize(
    ("message", "has"),
    [
        (LIST, True),
        (struct({str(key): key for key in range(30)}), True),
        (struct({"a": {"b": {"c": list(range(30))}}}), True),
        (packed(LIST), True),
        (packed(packed(LIST), "google.protobuf.Struct"), False),  # no such message: nobody shows what is in it
        (packed(LIST, "shop.Unknown"), False),
        (struct({"a": "x" * 1_000}), False),
    ],
)
def test_all_that_it_holds_counts_however_deep(message: Message, has: bool) -> None:
    assert holds_more(message, new, 20) == has


def test_a_body_of_json_is_counted_alike() -> None:
    assert has_more({"a": [[1] * 10, {"b": 2} | {str(key): key for key in range(10)}]}, 20)
    assert not has_more({"a": [1] * 19}, 20)
