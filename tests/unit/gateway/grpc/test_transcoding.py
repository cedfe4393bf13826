"""Messages and JSON, each of the other; with real descriptors, without a service."""

import json
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from gateway.grpc.transcoding import BadAnswer, BadRequest, TooLong, TooMany, Transcoder
from gateway.grpc.values import MOST_VALUES
from meshway.descriptor_files import read_descriptor_files
from meshway.protobuf import block, octets
from tests.parts.grpc_shop import HTTP_RULE, SERVICE, descriptor_set, http_rule


def transcoder(**fields: Any) -> Transcoder:
    return Transcoder(read_descriptor_files(descriptor_set()), [SERVICE], **fields)


def sent(call: str, body: bytes = b"", query: bytes = b"", **fields: Any) -> dict[str, Any]:
    """What Echo, or the method of that call, would read, as JSON."""
    made = transcoder(**fields)
    verb, _, path = call.partition(" ")
    found = made.paths.find(verb.encode(), path.encode())
    assert found is not None
    binding, values = found
    message = made.message(binding, values, query, body)
    shown = binding.method._replace(output=binding.method.input)
    read: dict[str, Any] = json.loads(made.text(shown, "", message))
    return read


def test_what_the_path_says_goes_before_the_body() -> None:
    read = sent("POST /v1/shelves/b/books", b'{"title": "Emma", "tags": ["a"]}', b"?book.sold=true")
    assert read == {"shelf": "b", "book": {"title": "Emma", "tags": ["a"], "sold": True}}


def test_no_body_is_an_empty_message() -> None:
    assert sent("POST /v1/books:echo") == {}
    assert sent("POST /v1/shelves/b/books") == {"shelf": "b"}


def test_parameters_are_read_by_both_names_of_a_field() -> None:
    for name in (b"filter.page_count", b"filter.pageCount"):
        assert sent("GET /v1/titles", query=b"?%b=3" % name) == {"filter": {"pageCount": 3}}


@pytest.mark.parametrize(
    ("call", "body", "query"),
    [
        ("POST /v1/books:echo", b"{", b""),
        ("POST /v1/books:echo", b"[" * 100_000, b""),
        ("POST /v1/books:echo", b'{"pageCount": "many"}', b""),
        ("POST /v1/books:echo", b"\xff", b""),
        ("POST /v1/books:echo", b'{"kind": Infinity}', b""),
        ("POST /v1/books:echo", b'{"\\ud800": 1}', b""),
        ("POST /v1/books:echo", b'{"title": "\\ud800"}', b""),
        ("GET /v1/titles", b"", b"?full=1"),
        ("GET /v1/titles", b"", b"?name.first=1"),
        ("GET /v1/titles", b"", b"?kind=POEM"),
        ("GET /v1/titles", b"", b"?since=yesterday"),
        ("GET /v1/titles", b"{}", b""),
    ],
)
def test_what_is_no_such_message_is_the_callers_fault(call: str, body: bytes, query: bytes) -> None:
    with pytest.raises(BadRequest):
        sent(call, body, query)


def test_a_caller_is_not_told_of_python() -> None:
    for body, query in ((b'{"pageCount": "many"}', b""), (b"", b"?filter.page_count=many")):
        with pytest.raises(BadRequest, match=r"page_?[cC]ount field: no whole number: 'many'"):
            sent("POST /v1/books:echo" if body else "GET /v1/titles", body, query)


def test_unknown_parameters_may_be_let_be() -> None:
    assert sent("GET /v1/titles", query=b"?utm=1&name=a", ignores_unknown=True) == {"name": "a"}


def test_an_answer_that_is_no_such_message_is_the_services_fault() -> None:
    made = transcoder()
    found = made.paths.find(b"GET", b"/v1/titles")
    assert found is not None
    with pytest.raises(BadAnswer):
        made.text(found[0].method, "", b"\xff\xff")


def test_a_failure_without_words_has_the_name_of_its_code() -> None:
    assert json.loads(transcoder().failure(5, None, None)) == {"code": 5, "message": "NOT_FOUND"}
    assert json.loads(transcoder().failure(5, b"100%25", b"&&&")) == {"code": 5, "message": "100%", "details": []}


@pytest.mark.parametrize(
    ("more", "services", "words"),
    [
        ([], ["shop.v1.Shops"], "no service"),
        ([("Other", http_rule("GET", "/v1/titles"))], [SERVICE], "stands for"),
        ([("Other", http_rule("GET", "/v1/other", "nothing"))], [SERVICE], "no field"),
        ([("Other", http_rule("GET", "/v1/other", response_body="nothing"))], [SERVICE], "no field"),
    ],
)
def test_descriptors_of_which_nothing_can_be_made_are_told(
    more: list[tuple[str, bytes]], services: list[str], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Transcoder(read_descriptor_files(descriptor_set(more)), services)


def test_descriptors_that_do_not_fit_together_are_told() -> None:
    with pytest.raises(ValueError, match="timestamp"):
        Transcoder(read_descriptor_files(descriptor_set(with_imports=False)), [SERVICE])
    torn = read_descriptor_files(octets(1, octets(1, b"a.proto") + octets(4, b"\x0a\x01A\x12\x04\x0a\x02b!")))
    with pytest.raises(ValueError, match=r"a\.proto"):
        Transcoder(torn, [])


def test_a_message_without_what_it_must_have_is_the_callers_fault() -> None:
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="old.proto", package="old", syntax="proto2")
    message = file.message_type.add(name="Key")
    message.field.add(name="id", number=1, type=kind.TYPE_STRING, label=kind.LABEL_REQUIRED)
    method = file.service.add(name="Keys").method.add(name="Get", input_type=".old.Key", output_type=".old.Key")
    method.options.MergeFromString(block(HTTP_RULE, http_rule("GET", "/keys")))
    files = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    made = Transcoder(read_descriptor_files(files), ["old.Keys"])
    found = made.paths.find(b"GET", b"/keys")
    assert found is not None
    assert made.message(*found, b"?id=1", b"") == octets(1, b"1")
    with pytest.raises(BadRequest):
        made.message(*found, b"", b"")


def test_a_body_holds_no_more_values_than_a_worker_has_time_for() -> None:
    """Of 4 MB that would be a million, and seconds in which nobody else is served."""
    few = json.dumps({"tags": ["x"] * (MOST_VALUES - 1)}).encode()
    assert len(sent("POST /v1/books:echo", few)["tags"]) == MOST_VALUES - 1
    for tags in (["x"] * MOST_VALUES, [{"a": [1] * 10}] * (MOST_VALUES // 10)):
        with pytest.raises(TooMany):
            sent("POST /v1/books:echo", json.dumps({"tags": tags}).encode())


def test_an_answer_holds_no_more_values_than_a_worker_has_time_for() -> None:
    made = transcoder()
    found = made.paths.find(b"POST", b"/v1/books:echo")
    assert found is not None
    binding, values = found
    tags = made.message(binding, values, b"", json.dumps({"tags": [""] * (MOST_VALUES - 10)}).encode())
    many = tags + octets(5, b"x") * 20
    assert json.loads(made.text(binding.method, "", tags))["tags"][:1] == [""]
    with pytest.raises(TooLong):
        made.text(binding.method, "", many)
