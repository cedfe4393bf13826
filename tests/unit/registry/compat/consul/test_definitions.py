"""What a client says of a service, as a registration of ours."""

from typing import Any

import pytest

from meshway.problem import Problem
from registry.compat.consul.attributes import Attributes
from registry.compat.consul.bodies import Fields
from registry.compat.consul.definitions import (
    KEPT_TTL_S,
    MIN_TTL_S,
    ServiceDefinition,
    read_check,
    read_checks,
    read_service,
)
from registry.compat.consul.refusals import Refusal


def _read(**body: Any) -> ServiceDefinition:
    fields = Fields(body)
    return read_service(
        fields, name="Name", check=read_checks(fields, "10.0.0.9"), namespace="default", address="10.0.0.9"
    )


def test_a_whole_definition_is_ours_and_what_is_left_stays_beside_it() -> None:
    read = _read(
        Name="Books",
        ID="books:1",
        Address="10.0.0.7",
        Port=8080,
        Tags=["v1"],
        Meta={"version": "1.2", "owner": "ana"},
        Weights={"Passing": 5, "Warning": 2},
        EnableTagOverride=True,
        TaggedAddresses={"wan": {"Address": "203.0.113.7", "Port": 80}},
        Locality={"Region": "eu", "Zone": "eu-1"},
        Check={"TTL": "14.2s", "CheckID": "alive", "Name": "lives", "DeregisterCriticalServiceAfter": "2m"},
    )
    ours = read.registration
    assert (ours.service, ours.address, ours.port, ours.tags) == ("books", "10.0.0.7", 8080, ("v1",))
    assert (ours.version, ours.zone, ours.weight, ours.ttl_s) == ("1.2", "eu-1", 5, 15)
    assert ours.metadata == {"version": "1.2", "owner": "ana"}
    assert ours.id.startswith("books-1-")
    assert read.attributes == Attributes(
        id="books:1",
        check="ttl",
        check_id="alive",
        check_name="lives",
        passing_weight=5,
        warning_weight=2,
        tagged={"wan": ("203.0.113.7", 80)},
        tag_override=True,
        deregister_s=120,
    )
    assert read.initial == ""


def test_what_is_not_said_has_consul_s_defaults() -> None:
    read = _read(Name="books", Port=8080, Check=None, Checks=[], Weights=None, Tags=None, Meta=None)
    assert (read.consul_id, read.registration.id, read.registration.address) == ("books", "books", "10.0.0.9")
    assert (read.registration.ttl_s, read.attributes.check, read.initial) == (KEPT_TTL_S, "", "passing")
    assert read.attributes.id == ""


def test_a_ttl_is_bounded_by_what_a_lease_can_be() -> None:
    assert read_check(Fields({"TTL": "1s"}), "10.0.0.9").ttl_s == MIN_TTL_S
    assert read_check(Fields({"ttl": 30_000_000_000, "Status": "passing"}), "10.0.0.9").ttl_s == 30
    with pytest.raises(Refusal, match="at most 3600s"):
        read_check(Fields({"TTL": "24h"}), "10.0.0.9")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"Port": 1}, "Missing service name"),
        ({"Name": "a_b", "Port": 1}, "Invalid service name"),
        ({"Name": "a", "Port": 1, "ID": "x" * 300}, "Invalid service ID"),
        ({"Name": "a", "Port": 1, "Kind": "connect-proxy"}, "Kind of services is not supported"),
        ({"Name": "a", "Port": 1, "Connect": {"SidecarService": {}}}, "Connect of services"),
        ({"Name": "a", "Port": 1, "Meta": {"consul-registration": "{}"}}, "the registry's own"),
        ({"Name": "a", "Port": 1, "Meta": {"n": 1}}, "Meta must be"),
        ({"Name": "a", "Port": 1, "Weights": {"Warning": -1}}, "Weights.Warning"),
        ({"Name": "a", "Port": 1, "TaggedAddresses": {"lan": {"Port": 70_000}}}, "TaggedAddresses.lan.Port"),
        ({"Name": "a", "Port": 1, "Checks": [{"TTL": "5s"}, {"TTL": "6s"}]}, "one lease and so one check"),
        ({"Name": "a", "Port": 1, "Check": {"Args": ["/bin/x"], "Interval": "5s"}}, "Args checks are not supported"),
        ({"Name": "a", "Port": 1, "Check": {"Name": "n"}}, "one of TTL, HTTP, TCP and GRPC"),
        ({"Name": "a", "Port": 1, "Check": {"TTL": "5s", "TCP": "10.0.0.9:1"}}, "one of TTL, HTTP, TCP and GRPC"),
        ({"Name": "a", "Port": 1, "Check": {"TTL": "5s", "Status": "fine"}}, "Invalid check status"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_consul_s_form(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refused:
        _read(**body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Port": 0},
        {"Port": 1, "Address": "0.0.0.0"},
        {"Port": 1, "Tags": [1]},
        {"Port": 1, "Weights": {"Passing": 2000}},
    ],
)
def test_what_our_model_does_not_take_is_its_problem(body: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        _read(Name="a", **body)
    assert refused.value.status == 422
