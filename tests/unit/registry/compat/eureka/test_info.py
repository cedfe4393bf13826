from typing import Any

import pytest

from meshway.model.registration import InstancePatch
from meshway.problem import Problem
from registry.catalog.registering import Announce, Patch
from registry.compat.eureka.info import info_of, instance_id_of, read_info, service_of
from registry.compat.eureka.statuses import OVERRIDE
from registry.view.rows import InstanceRow
from tests.parts.eureka import info
from tests.parts.registry_bench import Bench


def announced(bench: Bench, **changed: Any) -> InstanceRow:
    announcement = read_info(info(**changed), changed.get("app", "orders"))
    registration = announcement.registration
    key = (registration.namespace, registration.service, registration.id)
    bench.commit(Announce(key, announcement.over, bench.renewed.append))
    row = bench.view.instance(key)
    assert row is not None
    return row


def patch(bench: Bench, row: InstanceRow, **fields: Any) -> InstanceRow:
    return bench.commit(Patch(row.key, InstancePatch(**fields), lambda row: row))


def test_what_a_client_sends_is_what_clients_read() -> None:
    row = announced(Bench())
    instance = row.instance
    assert (instance.namespace, instance.service, instance.address, instance.port) == (
        "default",
        "orders",
        "10.0.0.7",
        8080,
    )
    assert (row.ttl_s, instance.zone, instance.ports, instance.status) == (40, "z1", {}, "passing")
    sent = info()["instance"]
    shown = info_of(row)
    for name in sent.keys() - {"leaseInfo", "securePort"}:
        assert shown[name] == sent[name], name
    assert shown["leaseInfo"]["renewalIntervalInSecs"] == 10
    assert shown["leaseInfo"]["durationInSecs"] == 40
    assert shown["securePort"]["@enabled"] == "false"
    assert "actionType" not in shown


def test_an_instance_of_another_protocol_is_shown_by_its_own_names() -> None:
    bench = Bench()
    bench.register("books", "b1", port=9080)
    row = bench.view.instance(("default", "books", "b1"))
    assert row is not None
    shown = info_of(row, "ADDED")
    assert (shown["app"], shown["instanceId"], shown["vipAddress"]) == ("BOOKS", "b1", "books")
    assert (shown["hostName"], shown["ipAddr"], shown["actionType"]) == ("127.0.0.1", "127.0.0.1", "ADDED")
    assert shown["metadata"] == {"@class": "java.util.Collections$EmptyMap"}


def test_names_that_are_no_labels_come_back_as_they_were() -> None:
    row = announced(Bench(), app="MY_APP")
    assert row.instance.service == service_of("my_app") != "my_app"
    assert row.instance.id == instance_id_of("10.0.0.7:orders:8080")
    assert (info_of(row)["app"], info_of(row)["instanceId"]) == ("MY_APP", "10.0.0.7:orders:8080")
    assert service_of("Orders") == "orders"


def test_a_second_port_an_amazon_zone_and_a_version_are_ours_too() -> None:
    center = {"@class": "com.netflix.appinfo.AmazonInfo", "name": "Amazon", "metadata": {"availability-zone": "eu-1"}}
    row = announced(
        Bench(), securePort={"$": 8443, "@enabled": "true"}, dataCenterInfo=center, metadata={"version": "v2"}
    )
    assert (row.instance.ports, row.instance.zone, row.instance.version) == ({"secure": 8443}, "eu-1", "v2")
    assert info_of(row)["securePort"] == {"$": 8443, "@enabled": "true"}
    assert info_of(row)["dataCenterInfo"] == center


@pytest.mark.parametrize("status", ["DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"])
def test_what_is_not_up_takes_no_calls_and_is_shown_as_said(status: str) -> None:
    bench = Bench()
    row = announced(bench, status=status)
    assert (row.instance.status, info_of(row)["status"]) == ("maintenance", status)
    assert announced(bench, status="UP").instance.status == "passing"


def test_an_override_outlives_registrations_but_not_what_the_instance_knows_best() -> None:
    bench = Bench()
    row = announced(bench)
    row = patch(bench, row, metadata={OVERRIDE: "OUT_OF_SERVICE"}, status="maintenance")
    row = announced(bench, lastDirtyTimestamp="1700000009000")
    assert (info_of(row)["status"], info_of(row)["overriddenstatus"]) == ("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    row = announced(bench, status="DOWN")
    assert info_of(row)["status"] == "DOWN"
    row = announced(bench, status="UP")
    assert (row.instance.status, info_of(row)["status"]) == ("maintenance", "OUT_OF_SERVICE")


@pytest.mark.parametrize("asked", ["maintenance", "draining"])
def test_what_was_asked_in_our_own_words_ends_in_our_own_words(asked: str) -> None:
    bench = Bench()
    row = patch(bench, announced(bench), status=asked)
    again = announced(bench, lastDirtyTimestamp="1700000009000")
    assert (again.instance.status, info_of(again)["status"]) == (asked, "OUT_OF_SERVICE")
    assert patch(bench, row, status="passing").instance.status == "passing"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"hostName": None}, "Missing hostName"),
        ({"ipAddr": ""}, "Missing ipAddr"),
        ({"app": "OTHER", "hostName": "h"}, "Mismatched appName"),
        ({"status": "SLEEPY"}, "status 'SLEEPY'"),
        ({"port": {"$": 8080, "@enabled": "false"}}, "port is not enabled"),
        ({"port": {"$": 0, "@enabled": "true"}}, "port"),
        ({"port": {"$": "x", "@enabled": "true"}}, "no whole number"),
        ({"metadata": {"eureka.status": "UP"}}, "kept for the registry"),
        ({"metadata": {"a": {"b": "c"}}}, "a is no text"),
        ({"metadata": {"a": "x" * 5000}}, "above 4096"),
        ({"ipAddr": "0.0.0.0"}, "cannot be called"),
        ({"instanceId": "a\x00b"}, "instanceId"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Problem, match=reason) as refused:
        read_info(info(**changed), "orders")
    assert refused.value.status in (400, 422)


@pytest.mark.parametrize(("asked", "ttl_s"), [(0, 90), (1, 3), (90, 90), (100_000, 3600)])
def test_a_duration_is_held_to_what_leases_can_have(asked: int, ttl_s: int) -> None:
    assert announced(Bench(), leaseInfo={"durationInSecs": asked}).ttl_s == ttl_s
