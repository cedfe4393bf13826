"""What is hashed of a call."""

import pytest

from gateway.balancing.hash_key import compile_hash, known_hash, part_of
from tests.parts.calls import call

SAME = [
    ("header", "x-user", call(headers={"X-User": "7"}), call("/b", headers={"x-user": "7", "X-Other": "1"})),
    ("cookie", "id", call(headers={"Cookie": "a=1; id=7"}), call(headers={"Cookie": "id=7; b=2"})),
    ("query", "id", call("/a?id=7&x=1"), call("/b?x=2&id=7")),
    ("source_ip", "", call(peer="10.0.0.7"), call("/b", peer="10.0.0.7")),
    ("path", "", call("/a?x=1"), call("/a?x=2")),
]
OTHERS = {
    "header": call(headers={"X-User": "8"}),
    "cookie": call(headers={"Cookie": "id=8"}),
    "query": call("/a?id=8"),
    "source_ip": call(peer="10.0.0.8"),
    "path": call("/b"),
}


@pytest.mark.parametrize(("kind", "name", "first", "second"), SAME, ids=[each[0] for each in SAME])
def test_equal_parts_hash_alike_and_others_otherwise(kind: str, name: str, first: object, second: object) -> None:
    hash_of = compile_hash(kind, name, lambda: 0.5)
    assert hash_of(first) == hash_of(second)  # type: ignore[arg-type]
    assert hash_of(first) != hash_of(OTHERS[kind])  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "name"), [("header", "x-user"), ("cookie", "id"), ("query", "id")])
def test_a_call_without_the_part_goes_anywhere(kind: str, name: str) -> None:
    chances = iter((0.1, 0.9))
    hash_of = compile_hash(kind, name, lambda: next(chances))
    assert [hash_of(call()) >> 60 for _ in range(2)] == [1, 14]


def test_a_cookie_is_found_by_its_whole_name() -> None:
    read = part_of("cookie", "id")
    assert read(call(headers={"Cookie": "xid=1; ID=2; id=3"})) == "3"
    assert read(call(headers={"Cookie": "idx=1"})) is None
    assert read(call()) is None


def test_a_block_that_comes_again_hashes_as_before_and_none_is_mistaken_for_another() -> None:
    for kind, name in (("header", "x-user"), ("cookie", "id")):
        hash_of, afresh = known_hash(kind, name), known_hash(kind, name)
        field = "X-User: {}" if kind == "header" else "Cookie: id={}"
        names = [field.format(number).partition(": ") for number in range(2_000)]  # more than are remembered
        calls = [call(headers={name: value}) for name, _, value in names]
        first = [hash_of(each) for each in calls]
        assert len(set(first)) == 2_000
        assert [hash_of(each) for each in calls] == first
        assert first[-1] == afresh(calls[-1])
