from typing import Any

import pytest

from meshway.model.registration import InstancePatch
from meshway.problem import Problem
from registry.catalog.registering import Announce, Patch
from registry.compat.nacos.hosts import (
    announced_by_beat,
    beat_interval_ms,
    host_of,
    is_enabled,
    modification,
    read_beat,
    read_host,
)
from registry.compat.nacos.names import place_of
from registry.leases.writes import with_status
from registry.view.rows import InstanceRow
from tests.parts.registry_bench import Bench

SENT = {"serviceName": "orders", "ip": "10.0.0.7", "port": "8080"}


def announced(bench: Bench, **changed: str) -> InstanceRow:
    parameters = SENT | changed
    announcement = read_host(parameters, place_of(parameters))
    bench.commit(Announce(announcement.key, announcement.over, bench.renewed.append))
    row = bench.view.instance(announcement.key)
    assert row is not None
    return row


def modified(bench: Bench, row: InstanceRow, **parameters: str) -> InstanceRow:
    return bench.commit(Patch(row.key, modification(row.instance, parameters), lambda row: row))


def test_what_a_client_sends_is_what_clients_read() -> None:
    row = announced(Bench(), weight="2.5", metadata='{"colour": "blue"}', clusterName="c1", groupName="blue")
    assert row.instance.service.startswith("blue-orders-")
    assert (row.instance.weight, row.ttl_s, row.instance.status) == (2, 15, "passing")
    host = host_of(row, "blue@@orders")
    assert host | {"metadata": {}} == host | {
        "instanceId": "10.0.0.7#8080#c1#blue@@orders",
        "ip": "10.0.0.7",
        "port": 8080,
        "weight": 2.5,
        "clusterName": "c1",
        "metadata": {},
    }
    assert host["metadata"] == {"colour": "blue"}


@pytest.mark.parametrize(
    ("sent", "ours"), [("0", 0), ("0.0", 0), ("0.2", 1), ("1", 1), ("1.0", 1), ("2.6", 3), ("5000", 1000)]
)
def test_a_weight_is_rounded_for_the_calls_and_kept_for_nacos(sent: str, ours: int) -> None:
    row = announced(Bench(), weight=sent)
    assert row.instance.weight == ours
    assert host_of(row, "x")["weight"] == float(sent)


def test_its_own_times_of_beats_are_kept() -> None:
    metadata = "preserved.heart.beat.timeout=6500,preserved.heart.beat.interval=2000"
    row = announced(Bench(), metadata=metadata)
    assert (row.ttl_s, beat_interval_ms(row.instance)) == (7, 2000)


def test_what_is_disabled_stays_so_until_it_is_enabled() -> None:
    bench = Bench()
    row = announced(bench, enabled="false")
    assert (row.instance.status, is_enabled(row)) == ("maintenance", False)
    assert announced(bench, enabled="true").instance.status == "passing"
    row = modified(bench, row, enable="False")
    assert row.instance.status == "maintenance"
    beat = announced_by_beat(read_beat('{"ip": "10.0.0.7", "port": 8080}'), place_of(SENT), "DEFAULT")
    assert beat.enabled is None
    row = modified(bench, row, enabled="true")
    assert (row.instance.status, is_enabled(row)) == ("passing", True)


@pytest.mark.parametrize("asked", ["maintenance", "draining"])
def test_what_was_asked_in_our_own_words_ends_in_our_own_words(asked: Any) -> None:
    bench = Bench()
    row = announced(bench)
    bench.commit(Patch(row.key, InstancePatch(status=asked), lambda row: row))
    assert announced(bench, weight="7").instance.status == asked


def test_a_persistent_instance_is_what_its_check_finds() -> None:
    bench = Bench()
    row = announced(bench, ephemeral="false")
    assert (row.instance.check, row.instance.status, row.wanted) == ({"type": "tcp"}, "critical", "passing")
    host = host_of(row, "x")
    assert (host["ephemeral"], host["healthy"], host["enabled"]) == (False, False, True)
    well = with_status(row, "passing", 2)
    bench.view.services["default", "orders"][row.instance.id] = well
    assert announced(bench, ephemeral="false", weight="3").instance.status == "passing"
    assert announced(bench, ephemeral="false", enabled="false").instance.status == "maintenance"
    assert announced(bench).instance.check is None


def test_a_modification_changes_what_it_names() -> None:
    bench = Bench()
    row = announced(bench, weight="2.5", metadata="a=1,b=2")
    row = modified(bench, row, metadata='{"b": 3}')
    assert (host_of(row, "x")["metadata"], host_of(row, "x")["weight"]) == ({"b": "3"}, 2.5)
    row = modified(bench, row, weight="4")
    assert (host_of(row, "x")["metadata"], host_of(row, "x")["weight"], row.instance.weight) == ({"b": "3"}, 4.0, 4)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ip": ""}, "'ip' is required"),
        ({"port": "x"}, "'port' is no whole number"),
        ({"port": "0"}, "port"),
        ({"ip": "0.0.0.0"}, "cannot be called"),
        ({"weight": "nan"}, "not within 0 and 10000"),
        ({"weight": "-1"}, "not within"),
        ({"weight": "1e9"}, "not within"),
        ({"ephemeral": "maybe"}, "neither true nor false"),
        ({"clusterName": "a b"}, "cluster name can only"),
        ({"metadata": "{"}, "it is no JSON"),
        ({"metadata": "colour"}, "metadata format incorrect"),
        ({"metadata": "[1]"}, "metadata format incorrect"),
        ({"metadata": '{"a": {}}'}, "is no text"),
        ({"metadata": '{"nacos.weight": "1"}'}, "kept for the registry"),
        ({"serviceName": ""}, "'serviceName' is required"),
        ({"serviceName": "@@x"}, "'serviceName' is illegal"),
        ({"serviceName": "a\x00"}, "'serviceName' is illegal"),
        ({"namespaceId": "A b"}, "namespaceId"),
        ({"namespaceId": "mesh"}, "no services"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(changed: dict[str, str], reason: str) -> None:
    parameters = SENT | changed
    with pytest.raises(Problem, match=reason) as refused:
        read_host(parameters, place_of(parameters))
    assert refused.value.status in (400, 422)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"ip": 1, "port": 1}', '{"ip": "a"}', '{"ip":"a","port":1,"cluster":"é"}']
)
def test_a_beat_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read_beat(text)
    assert refused.value.status == 400
