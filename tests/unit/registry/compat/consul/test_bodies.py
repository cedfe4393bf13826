"""Bodies as Consul decodes them."""

import pytest

from registry.compat.consul.bodies import Fields, read_body
from registry.compat.consul.refusals import Refusal


def test_names_are_found_in_any_case_and_null_is_absent() -> None:
    fields = read_body(b'{"enable_tag_override": true, "PORT": 80, "name": "x", "Tags": null, "Future": {}}')
    assert fields.flag("EnableTagOverride")
    assert fields.number("Port", 0) == 80
    assert fields.text("Name") == "x"
    assert fields.get("Tags") is None
    assert fields.text("Address") == ""


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="Request decode failed") as refused:
        read_body(body)
    assert refused.value.status == 400


def test_a_value_of_another_type_is_refused_by_its_place() -> None:
    fields = read_body(b'{"Checks": [{"TTL": "10s"}, {"TTL": []}], "Weights": 3, "Port": true, "Name": "a\\u0000"}')
    first, second = fields.objects("Checks")
    assert first.duration_s("TTL") == 10
    with pytest.raises(Refusal, match=r"Checks\[1\]\.TTL must be a duration"):
        second.duration_s("TTL")
    with pytest.raises(Refusal, match="Weights is no JSON object"):
        fields.object("Weights")
    with pytest.raises(Refusal, match="Port must be a whole number"):
        fields.number("Port", 0)
    with pytest.raises(Refusal, match="Name must be text"):
        fields.text("Name")


def test_an_object_without_a_value_is_empty() -> None:
    assert Fields({}).is_empty()
    assert Fields({"TTL": "", "HTTP": None}).is_empty()
    assert not Fields({"TTL": "1s"}).is_empty()
