"""Envoy's check messages, held against the protobuf library."""

from typing import Any, Final

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.check_messages import (
    Attributes,
    CheckFault,
    HeaderChange,
    attributes_message,
    context_of,
    merged,
    read_check,
)
from tests.parts.ext_authz import CheckRequest, no, option, yes

TEXTS: Final = st.text(max_size=40)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def attributes(**changes: Any) -> Attributes:
    plain = Attributes(
        "", "", "", "", "", b"GET", {}, b"/", b"a.example", b"http", 0, b"HTTP/1.1", None, context_of({}), None
    )
    return plain._replace(**changes)


@given(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=4), st.integers(-1, 1 << 40), JSON)
def test_a_question_says_what_it_was_made_of(
    principal: str, service: str, context: dict[str, str], size: int, claim: Any
) -> None:
    asked = attributes(
        source_principal=principal,
        source_service=service,
        source_address="10.0.0.7",
        size=size,
        context=context_of(context),
        headers={b"x-a": "grüß".encode(), b"x-b": b"\xff"},
        claims={"of": claim},
    )
    read = CheckRequest.FromString(attributes_message(asked, b"id-1", 1_700_000_000.25)).attributes
    assert (read.source.principal, read.source.service) == (principal, service)
    assert read.source.address.socket_address.address == "10.0.0.7"
    assert (read.request.http.id, read.request.http.size) == ("id-1", size)
    assert (read.request.time.seconds, read.request.time.nanos) == (1_700_000_000, 250_000_000)
    assert {entry.key: entry.value for entry in read.context_extensions} == context
    assert {entry.key: entry.value for entry in read.request.http.headers} == {"x-a": "grüß", "x-b": "ÿ"}
    payload = Struct()
    payload.update({"jwt_payload": {"of": claim}})
    assert read.metadata_context.filter_metadata[0].value == payload


@pytest.mark.parametrize(("body", "text", "raw"), [(None, "", b""), (b"a", "a", b""), (b"\xff", "", b"\xff")])
def test_a_body_is_text_where_it_can_be(body: bytes | None, text: str, raw: bytes) -> None:
    read = CheckRequest.FromString(attributes_message(attributes(body=body), b"", 0.0)).attributes
    assert (read.request.http.body, read.request.http.raw_body) == (text, raw)


@given(JSON)
def test_what_an_answer_tells_is_read_as_it_was_written(value: Any) -> None:
    answer = yes()
    answer.dynamic_metadata.update({"of": value})
    assert read_check(answer.SerializeToString()).metadata == {"of": value}


def test_headers_are_changed_as_the_answer_says() -> None:
    answer = yes(
        headers=[
            option("A", "1"),
            option("b", "2", append=True),
            option("c", "3", append=False, action=1),
            option("d", "4", action=2),
            option("e", "5", action=3),
        ],
        headers_to_remove=["F"],
    )
    answer.ok_response.headers.add(header={"key": "g", "raw_value": b"\xe9"})
    checked = read_check(answer.SerializeToString())
    assert checked.headers == (
        HeaderChange(b"a", b"1", "set"),
        HeaderChange(b"b", b"2", "append"),
        HeaderChange(b"c", b"3", "if_absent"),
        HeaderChange(b"d", b"4", "set"),
        HeaderChange(b"e", b"5", "if_present"),
        HeaderChange(b"g", b"\xe9", "set"),
    )
    assert checked.removed == (b"f",)


def test_who_is_refused_by_a_code_is_refused_whatever_else_is_there() -> None:
    answer = no(-5)
    answer.ok_response.headers.add(header={"key": "a", "value": "b"})
    checked = read_check(answer.SerializeToString())
    assert (checked.passes, checked.headers) == (False, ())


def test_metadata_that_is_nested_too_deep_is_a_fault() -> None:
    value: Any = 1
    for _ in range(40):
        value = {"a": value}
    answer = yes()
    answer.dynamic_metadata.update({"of": value})
    with pytest.raises(CheckFault):
        read_check(answer.SerializeToString())


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_fault(message: bytes) -> None:
    try:
        read_check(message)
    except CheckFault:
        pass


def test_repeated_fields_are_joined_as_their_grammar_has_it() -> None:
    fields = [(b"a", b"1"), (b"cookie", b"x=1"), (b"a", b"2"), (b"cookie", b"y=2")]
    assert merged(fields) == {b"a": b"1, 2", b"cookie": b"x=1; y=2"}
