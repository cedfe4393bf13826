import random

import pytest

from meshway.descriptor_files import MOST_FIELDS, HttpRule, read_descriptor_files
from meshway.protobuf import ProtobufFault, block, octets
from tests.parts.grpc_shop import HTTP_RULE, SERVICE, descriptor_set, http_rule


def test_services_have_their_methods_with_all_rules_of_each() -> None:
    found = read_descriptor_files(descriptor_set([("Drop", http_rule("DELETE", "/v1/books"))]))
    assert found.missing == []
    methods = {method.name: method for method in found.services[SERVICE]}
    assert methods["GetBook"].rules == (
        HttpRule("GET", "/v1/{name=shelves/*/books/*}", "", ""),
        HttpRule("GET", "/v1/any/{name=**}", "", ""),
    )
    assert methods["CreateBook"].rules[0].body == "book"
    assert methods["Titles"].rules[0].response_body == "books"
    assert methods["Drop"].rules[0].method == "DELETE"
    assert (methods["ListBooks"].is_server_streaming, methods["ListBooks"].is_client_streaming) == (True, False)
    assert (methods["Echo"].input, methods["Titles"].output) == ("shop.v1.Book", "shop.v1.Books")


def test_files_that_are_imported_and_not_there_are_named() -> None:
    found = read_descriptor_files(descriptor_set(with_imports=False))
    assert found.missing == ["google/protobuf/timestamp.proto"]


def test_whatever_comes_is_read_or_told() -> None:
    seed = random.randrange(2**32)
    chance, whole = random.Random(seed), descriptor_set()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read_descriptor_files(bytes(data[: chance.randrange(len(data))]))
        except ProtobufFault:
            continue
        except Exception as error:
            pytest.fail(f"seed {seed}: {error!r}")
    with pytest.raises(ProtobufFault):
        read_descriptor_files(b"")


def test_a_set_that_holds_more_than_can_be_read_at_once_is_refused() -> None:
    """Packed, each of these has some kilobytes."""
    name, rule = octets(1, b"f.proto"), http_rule("GET", "/a")
    for _ in range(2000):
        rule = http_rule("GET", "/a", others=[rule])
    method = block(2, block(4, block(HTTP_RULE, rule)))
    for file in (
        name + b"\x38\x01" * MOST_FIELDS,
        name + block(6, octets(1, b"S") + block(2, b"") * MOST_FIELDS),
        name + block(6, octets(1, b"S") + method),
    ):
        with pytest.raises(ProtobufFault):
            read_descriptor_files(block(1, file))
    with pytest.raises(ProtobufFault):
        read_descriptor_files(block(1, name) * MOST_FIELDS)
    many = block(6, octets(1, b"S") + block(2, octets(1, b"Get")) * 5000)
    assert len(read_descriptor_files(block(1, name + many)).services["S"]) == 5000
