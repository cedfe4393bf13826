"""Who calls, and what its token says of it."""

import re

import pytest

from meshway.identity import (
    ANONYMOUS,
    IdentityFault,
    Principal,
    claim,
    claim_texts,
    parse_spiffe_id,
    parse_subject,
    serial_hash,
)
from meshway.model.document import LABEL_PATTERN

CLAIMS = {
    "sub": "ada",
    "realm": {"roles": ["reader", "admin"], "deep": {"level": 7}},
    "https://id.example/roles": ["buyer"],
    "a.b": "whole",
    "a": {"b": "path"},
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("sub", "ada"),
        ("realm.roles", ["reader", "admin"]),
        ("realm.deep.level", 7),
        ("https://id.example/roles", ["buyer"]),
        ("a.b", "whole"),
        ("realm.nothing", None),
        ("sub.ada", None),
        ("realm.roles.0", None),
        ("none", None),
        ("", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_its_path(path: str, found: object) -> None:
    assert claim(CLAIMS, path) == found


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("ada", ("ada",)),
        (7, ("7",)),
        (True, ("true",)),
        (["a", 1, False], ("a", "1", "false")),
        ([["a"], {"b": 1}, None, "c"], ("c",)),
        ({"a": 1}, ()),
        (1.5, ()),
        (None, ()),
    ],
)
def test_only_plain_claims_are_compared(value: object, texts: tuple[str, ...]) -> None:
    assert claim_texts(value) == texts


def test_nobody_is_proved_unless_somebody_proves_it() -> None:
    assert (ANONYMOUS.method, ANONYMOUS.consumer, ANONYMOUS.service, ANONYMOUS.claims) == ("", "", "", {})
    assert Principal("a").claims is not Principal("b").claims


WORKLOAD = "spiffe://mesh.internal/ns/shop/svc/books"


@pytest.mark.parametrize(
    "text",
    [
        WORKLOAD,
        WORKLOAD + "/instance/books-1.host_A",
        "spiffe://mesh.internal/meshway/gateway/edge-1.example.com",
        "spiffe://a/ns/x/svc/y",
        f"spiffe://{'d' * 255}/ns/{'n' * 63}/svc/{'s' * 63}",
    ],
)
def test_the_three_forms_are_read_and_written_alike(text: str) -> None:
    assert parse_spiffe_id(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://",
        "spiffe:///ns/shop/svc/books",
        "SPIFFE://mesh.internal/ns/shop/svc/books",
        "https://mesh.internal/ns/shop/svc/books",
        "spiffe://Mesh.internal/ns/shop/svc/books",
        "spiffe://mesh.internal:443/ns/shop/svc/books",
        "spiffe://user@mesh.internal/ns/shop/svc/books",
        f"spiffe://{'d' * 256}/ns/shop/svc/books",
        "spiffe://mesh.internal",
        "spiffe://mesh.internal/",
        WORKLOAD + "/",
        WORKLOAD + "\n",
        WORKLOAD + "?a=b",
        WORKLOAD + "#a",
        WORKLOAD + "/instance",
        WORKLOAD + "/instance/",
        WORKLOAD + "/instance/..",
        WORKLOAD + "/instance/a/b",
        WORKLOAD + "/version/1",
        "spiffe://mesh.internal/ns/shop/svc/%62ooks",
        "spiffe://mesh.internal/ns/Shop/svc/books",
        "spiffe://mesh.internal/ns/shop/svc/..",
        "spiffe://mesh.internal/ns//svc/books",
        "spiffe://mesh.internal//ns/shop/svc/books",
        f"spiffe://mesh.internal/ns/{'n' * 64}/svc/books",
        "spiffe://mesh.internal/ns/shop/sa/books",
        "spiffe://mesh.internal/svc/books/ns/shop",
        "spiffe://mesh.internal/meshway/gateway/",
        "spiffe://mesh.internal/meshway/gateway/.",
        "spiffe://mesh.internal/meshway/gateway/a/b",
        "spiffe://mesh.internal/meshway/registry/a",
        "spiffe://mesh.internal/ns/shop/svc/böoks",
        "spiffe://mesh.internal\x00/ns/shop/svc/books",
    ],
)
def test_no_other_form_is_a_name(text: str) -> None:
    with pytest.raises(IdentityFault):
        parse_spiffe_id(text)


def test_a_workloads_principal_is_its_service_and_never_its_copy() -> None:
    one = parse_spiffe_id(WORKLOAD + "/instance/b1").principal("mtls")
    assert one == parse_spiffe_id(WORKLOAD).principal("mtls")
    assert (one.name, one.namespace, one.service) == (WORKLOAD, "shop", "books")


def test_a_gateways_principal_is_no_service() -> None:
    gateway = parse_spiffe_id("spiffe://mesh.internal/meshway/gateway/h1").principal("mtls")
    assert (gateway.name, gateway.service) == ("spiffe://mesh.internal/meshway/gateway/h1", "")


def test_people_name_a_subject_by_namespace_and_service_or_as_a_gateway() -> None:
    assert parse_subject("shop/books", "mesh.internal").text == WORKLOAD
    assert parse_subject("gateway/h1", "mesh.internal").gateway == "h1"
    for text in ("books", "shop/", "/books", "shop/books/1", "Shop/books", "gateway/", "gateway/a/b", ""):
        with pytest.raises(IdentityFault):
            parse_subject(text, "mesh.internal")


def test_names_here_are_the_models_labels() -> None:
    """The model stands above this file, so its pattern cannot be shared."""
    labels = re.compile(LABEL_PATTERN)
    for text in ("a", "a-b", "-a", "a-", "A", "a.b", "a" * 63, "a" * 64, "0", "", "a_b"):
        try:
            parse_subject(f"shop/{text}", "mesh.internal")
        except IdentityFault:
            assert labels.match(text) is None
        else:
            assert labels.match(text) is not None


def test_every_serial_has_a_hash_of_its_own() -> None:
    serials = (0, 1, 127, 128, 255, 256, 1 << 159, -1, -128, -129)
    hashes = {serial_hash(serial) for serial in serials}
    assert len(hashes) == len(serials) - 1  # as bytes -1 is 255: of the two, authorities may give the latter alone
    assert all(0 <= one < 1 << 64 for one in hashes)
