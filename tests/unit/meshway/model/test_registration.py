import json
import random
from typing import Any

import msgspec
import pytest

from meshway.model.registration import (
    MAX_BATCH,
    InstancePatch,
    Registration,
    decode_registrations,
    new_id,
    read_patch,
    read_registration,
    read_registrations,
)
from meshway.problem import Problem
from tests.parts.random_bodies import nearly_right


def read(raw: object, address: str | None = "10.0.0.7") -> Registration:
    return read_registration(raw, namespace="shop", service="books", instance_id="b1", address=address)


def errors_of(raw: object) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as refused:
        read(raw)
    assert refused.value.status == 422
    return [(error.path, error.code) for error in refused.value.errors]


def test_a_port_is_enough_and_the_address_is_the_callers() -> None:
    found = read({"port": 8000})
    assert (found.namespace, found.service, found.id) == ("shop", "books", "b1")
    assert (found.address, found.port, found.weight, found.ttl_s) == ("10.0.0.7", 8000, 1, 30)


def test_a_written_address_wins() -> None:
    assert read({"port": 1, "address": "books.internal"}).address == "books.internal"
    assert read({"port": 1, "address": "::1"}).address == "::1"


def test_an_instance_says_what_it_speaks_in_the_words_of_a_service() -> None:
    for protocol in ("http", "http2", "grpc", "tcp", "tls", "udp"):
        assert read({"port": 1, "protocol": protocol}).protocol == protocol


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, [("port", "missing_field")]),
        ({"port": 0}, [("port", "out_of_bounds")]),
        ({"port": 65536}, [("port", "out_of_bounds")]),
        ({"port": "80"}, [("port", "wrong_type")]),
        ({"port": 80, "ttl_s": 2}, [("ttl_s", "out_of_bounds")]),
        ({"port": 80, "ttl_s": 3601}, [("ttl_s", "out_of_bounds")]),
        ({"port": 80, "weight": 1001}, [("weight", "out_of_bounds")]),
        ({"port": 80, "protocol": "gopher"}, [("protocol", "out_of_bounds")]),
        ({"port": 80, "check": 1}, [("check", "wrong_type")]),
        ({"port": 80, "check": {"type": "icmp"}}, [("check.type", "out_of_bounds")]),
        ({"port": 80, "check": {"path": "/", "intervall": "5s"}}, [("check.intervall", "unknown_field")]),
        ({"port": 80, "check": {"interval": "1s"}}, [("check.timeout", "forbidden_combination")]),
        ({"port": 80, "check": {"service": "a"}}, [("check.service", "forbidden_combination")]),
        ({"port": 80, "check": {}, "ttl_s": 30}, [("check", "forbidden_combination")]),
        ({"port": 0, "check": {"interval": 5}}, [("port", "out_of_bounds"), ("check.interval", "bad_duration")]),
        ({"port": 80, "address": "169.254.169.254"}, [("address", "bad_address")]),
        ({"port": 80, "wieght": 1}, [("wieght", "unknown_field")]),
        ({"port": 80, "ports": {"Admin": 81}}, [("ports", "out_of_bounds")]),
        ({"port": 80, "address": "0.0.0.0"}, [("address", "bad_address")]),
        ({"port": 80, "address": "10.0.0.1:80"}, [("address", "bad_address")]),
        ({"port": 80, "address": "1.2.3"}, [("address", "bad_address")]),
        ({"port": 80, "address": "10.0.0.999"}, [("address", "bad_address")]),
        ({"port": 80, "address": "db.1"}, [("address", "bad_address")]),
        ({"port": 80, "metadata": {"a": "x" * 4096}}, [("metadata", "too_large")]),
        ({"port": 80, "id": "b2"}, [("id", "forbidden_combination")]),
        ([], [("", "wrong_type")]),
    ],
)
def test_what_is_wrong_is_named_with_its_path(raw: object, expected: list[tuple[str, str]]) -> None:
    assert errors_of(raw) == expected


def test_all_errors_come_at_once() -> None:
    assert errors_of({"port": 0, "weight": -1, "zones": "a"}) == [
        ("port", "out_of_bounds"),
        ("weight", "out_of_bounds"),
        ("zones", "unknown_field"),
    ]


def test_an_unknown_field_comes_with_the_nearest_right_one() -> None:
    with pytest.raises(Problem) as refused:
        read({"port": 1, "wieght": 2})
    assert "did you mean weight?" in refused.value.errors[0].message


def test_a_name_that_is_no_label_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        read_registration({"port": 1}, namespace="Shop", service="books", instance_id="b_1", address="::1")
    assert [(error.path, error.code) for error in refused.value.errors] == [
        ("namespace", "bad_name"),
        ("id", "bad_name"),
    ]


def test_without_any_address_it_is_asked_for() -> None:
    with pytest.raises(Problem) as refused:
        read({"port": 1}, address=None)
    assert refused.value.errors[0].path == "address"


def test_metadata_holds_64_keys_and_no_more() -> None:
    assert len(read({"port": 1, "metadata": {f"k{n}": "" for n in range(64)}}).metadata) == 64
    assert errors_of({"port": 1, "metadata": {f"k{n}": "" for n in range(65)}}) == [("metadata", "out_of_bounds")]


def test_a_batch_names_every_bad_row() -> None:
    rows: list[Any] = [{"service": "books", "id": "b1", "port": 1}, {"service": "books", "id": "b2"}, 7]
    rows.append({"service": "books", "id": "b1", "port": 2})
    with pytest.raises(Problem) as refused:
        read_registrations({"instances": rows}, address="::1")
    assert [(error.path, error.code) for error in refused.value.errors] == [
        ("instances[1].port", "missing_field"),
        ("instances[2]", "wrong_type"),
        ("instances[3].id", "duplicate"),
    ]


@pytest.mark.parametrize(
    "raw", [{}, [], {"instances": []}, {"instances": [{}] * (MAX_BATCH + 1)}, {"instances": [], "x": 1}]
)
def test_a_batch_has_a_form_and_a_size(raw: object) -> None:
    with pytest.raises(Problem):
        read_registrations(raw, address="::1")


def test_a_batch_makes_the_ids_it_is_not_given() -> None:
    one, other = read_registrations({"instances": [{"service": "books", "port": 1}] * 2}, address="::1")
    assert one.id != other.id
    assert one.id.startswith("books-")


_FULL_ROW = {
    "namespace": "shop",
    "service": "books",
    "id": "b1",
    "address": "10.0.0.1",
    "port": 8000,
    "ports": {"admin": 8001},
    "protocol": "http",
    "version": "v1",
    "zone": "a",
    "weight": 2,
    "tags": ["blue"],
    "metadata": {"team": "a"},
    "ttl_s": 10,
    "check": None,
}
_ROWS = [_FULL_ROW, {"service": "books", "id": "b2", "port": 8000}]


def test_a_batch_in_order_is_decoded_in_one_step() -> None:
    raw = {"instances": _ROWS}
    assert decode_registrations(json.dumps(raw).encode(), address="::1") == read_registrations(raw, address="::1")


@pytest.mark.parametrize(
    "row",
    [
        {"service": "books", "port": 1},
        {"service": "books", "id": "b2", "port": 1},
        {"service": "books", "id": "b3", "port": 1, "check": {"type": "tcp"}},
        {"service": "books", "id": "b3", "port": 1, "namespace": "mesh"},
        {"service": "books", "id": "b3", "port": 1, "address": "nowhere at all"},
        {"service": "books", "id": "b3", "port": 1, "metadata": {"k": "v" * 5000}},
        {"service": "books", "id": "b3"},
    ],
)
def test_what_needs_a_closer_look_is_left_to_it(row: dict[str, Any]) -> None:
    assert decode_registrations(json.dumps({"instances": [*_ROWS, row]}).encode(), address="::1") is None


def test_without_the_callers_address_a_batch_is_left_to_the_closer_look() -> None:
    assert decode_registrations(json.dumps({"instances": _ROWS}).encode(), address=None) is None


def test_what_is_decoded_in_one_step_is_what_the_closer_look_finds() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    decoded = 0
    for _ in range(2000):
        body = nearly_right(chance, {"instances": _ROWS})
        rows = decode_registrations(body, address="::1")
        if rows is not None:
            decoded += 1
            assert rows == read_registrations(msgspec.json.decode(body), address="::1"), body
    assert decoded > 20


def test_a_made_id_is_a_label_even_for_the_longest_service() -> None:
    assert read_registrations({"instances": [{"service": "s" * 63, "port": 1}]}, address="::1")[0].id
    assert len(new_id("s" * 63)) == 63


def test_a_patch_knows_null_in_metadata_and_refuses_what_cannot_change() -> None:
    assert read_patch({"metadata": {"a": None}}) == InstancePatch(metadata={"a": None})
    with pytest.raises(Problem) as refused:
        read_patch({"port": 1, "status": "critical"})
    assert [(error.path, error.code) for error in refused.value.errors] == [
        ("port", "unknown_field"),
        ("status", "out_of_bounds"),
    ]
