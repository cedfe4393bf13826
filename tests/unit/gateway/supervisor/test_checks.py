from typing import Any

from gateway.feed.last_good import merge
from gateway.supervisor.checks import CheckTargets
from gateway.upstream.health import EndpointKey
from meshway.outbound.health import Check
from meshway.snapshot import Change
from tests.parts.changes import document, gone, left, running


def policy(name: str = "checked", namespace: str = "default", targets: Any = (), **check: Any) -> Any:
    spec: dict[str, Any] = {"health_check": {"type": "http", "path": "/up"} | check}
    if targets:
        spec["targets"] = list(targets)
    return document("TrafficPolicy", name, spec, namespace)


class Host:
    """Entries as a supervisor holds them, and whom it has checked."""

    def __init__(self, *entries: Change) -> None:
        self.entries = {entry.key: entry for entry in entries}
        self._targets = CheckTargets(self.entries.values)
        self._targets.replace()

    def take(self, *changes: Change) -> bool:
        merge(self.entries, changes)
        return self._targets.take(changes)

    def wanted(self) -> dict[EndpointKey, Check]:
        return self._targets.wanted()


def test_without_a_policy_nobody_is_asked() -> None:
    targets = Host(running("books", "b1"))
    assert targets.wanted() == {}
    assert not targets.take(running("books", "b2")), "an instance is no reason to look again"


def test_the_endpoints_of_a_namespace_are_asked_with_every_default_filled_in() -> None:
    targets = Host(running("books", "b1", port=9001), running("books", "b1", namespace="other"), policy())
    [(key, check)] = targets.wanted().items()
    assert (key, check.address, check.port) == (("default", "books", "b1"), "127.0.0.1", 9001)
    settings = check.settings
    assert (settings.path, settings.expect, settings.interval_s) == ("/up", ((200, 299),), 10.0)
    assert (settings.unhealthy_after, settings.healthy_after) == (3, 2)


def test_a_service_s_own_policy_wins_field_by_field() -> None:
    targets = Host(
        running("books", "b1"),
        policy(interval="5s"),
        policy("own", targets=[{"service": "books"}], path="/own", port=9100),
    )
    [check] = targets.wanted().values()
    assert (check.port, check.settings.path, check.settings.interval_s) == (9100, "/own", 5.0)


def test_who_left_or_shall_not_be_called_is_not_asked() -> None:
    targets = Host(
        policy(), running("a", "1"), running("a", "2", status="maintenance"), running("a", "3", status="draining")
    )
    assert list(targets.wanted()) == [("default", "a", "1")]
    assert targets.take(left("a", "1"))
    assert targets.wanted() == {}


def test_static_endpoints_are_asked_too() -> None:
    spec = {"type": "static", "endpoints": [{"address": "192.0.2.1", "port": 80}]}
    targets = Host(policy(), document("Service", "legacy", spec))
    assert list(targets.wanted()) == [("default", "legacy", "192.0.2.1:80")]


def test_who_wants_to_know_the_caller_is_told_that_it_is_the_gateway() -> None:
    spec = {"targets": [{"service": "books"}], "connection": {"proxy_protocol": "v1"}}
    targets = Host(policy(), running("books", "1"), running("films", "1"), document("TrafficPolicy", "p", spec))
    told = {key[1]: check.preamble for key, check in targets.wanted().items()}
    assert told == {"books": b"PROXY UNKNOWN\r\n", "films": b""}


def test_a_check_begins_as_calls_on_the_port_that_it_asks() -> None:
    ports = [{"name": "web", "port": 80}, {"name": "admin", "port": 81, "target_port": 9100}]
    services = [document("Service", name, {"ports": ports}) for name in ("web", "admin", "other")]
    own = [
        policy("web", targets=[{"service": "web"}]),
        policy("admin", targets=[{"service": "admin"}], port=9100),
        policy("other", targets=[{"service": "other"}], port=9200),
    ]
    by_port = [
        document(
            "TrafficPolicy",
            f"{name}-{port}",
            {"targets": [{"service": name, "port": port}], "connection": {"proxy_protocol": version}},
        )
        for name in ("web", "admin", "other")
        for port, version in (("web", "v1"), ("admin", "off"))
    ]
    unnamed = document(
        "TrafficPolicy",
        "unnamed",
        {"targets": [{"service": "unnamed", "port": "http"}], "connection": {"proxy_protocol": "v1"}},
    )
    instances = [running(name, "1") for name in ("web", "admin", "other", "unnamed")]
    targets = Host(*services, *own, *by_port, policy("u", targets=[{"service": "unnamed"}]), unnamed, *instances)
    begins = {key[1]: bool(check.preamble) for key, check in targets.wanted().items()}
    assert begins == {"web": True, "admin": False, "other": False, "unnamed": True}


def test_a_policy_that_goes_ends_its_checks() -> None:
    targets = Host(policy(), running("a", "1"))
    assert targets.take(document("TrafficPolicy", "checked", {}))
    assert targets.wanted() == {}


def test_a_process_that_registered_anew_is_asked_anew() -> None:
    targets = Host(policy(), running("a", "1", generation=1))
    before = targets.wanted()
    targets.take(running("a", "1", generation=2))
    assert targets.wanted() != before


def test_a_policy_that_comes_later_finds_everybody_who_runs() -> None:
    targets = Host(running("a", "1"), running("a", "2"))
    targets.take(running("a", "3"), left("a", "2"))
    assert targets.take(policy(), running("a", "4"))
    assert sorted(identity for _, _, identity in targets.wanted()) == ["1", "3", "4"]
    assert targets.take(left("a", "3"))
    assert sorted(identity for _, _, identity in targets.wanted()) == ["1", "4"]


def test_who_came_and_left_while_nobody_was_checked_is_known_as_well() -> None:
    targets = Host(policy(), running("a", "1"))
    assert targets.take(gone("TrafficPolicy", "checked"))
    assert not targets.take(running("a", "2"), left("a", "1"))
    assert targets.take(policy())
    assert list(targets.wanted()) == [("default", "a", "2")]


def test_instances_of_a_strict_namespace_are_checked_by_tls_of_the_mesh() -> None:
    def secured() -> list[object]:
        found = [check.secured for check in targets.wanted().values()]
        return [each[2].mode if isinstance(each, tuple) else None for each in found]

    targets = Host(running("books", "b1"), policy())
    assert secured() == [None]
    assert targets.take(document("MeshSettings", "mesh", {"mtls": "strict"}, "mesh"))
    assert secured() == ["mesh"]
    assert targets.take(document("Namespace", "default", {"mtls": "permissive"}, "mesh"))
    assert secured() == [None]
    assert targets.take(gone("Namespace", "default", "mesh"), gone("MeshSettings", "mesh", "mesh"))
    assert secured() == [None]
