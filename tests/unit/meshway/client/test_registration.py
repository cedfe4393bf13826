"""A registration is filled in and judged before anything is sent."""

import re
from typing import Any

import msgspec
import pytest

from meshway.client.registration import default_id, describe, own_address
from meshway.client.settings import MeshSettings
from meshway.model.document import LABEL_PATTERN

SETTINGS = MeshSettings(namespace="shop", zone="a", address="10.0.0.7")


def test_a_restart_on_the_same_port_is_the_same_instance() -> None:
    first, again = (describe(SETTINGS, "reviews", 9080).id for _ in range(2))
    assert first == again
    assert describe(SETTINGS, "reviews", 9081).id != first


@pytest.mark.parametrize("host", ["web-1.example.org", "WEB_1", "x" * 90, "_", "ü"])
def test_an_id_is_always_a_name_the_registry_takes(host: str) -> None:
    made = default_id("s" * 60, host, 65535), default_id("reviews", host, 80)
    for name in made:
        assert len(name) <= 63
        assert re.fullmatch(LABEL_PATTERN, name), name


def test_shortened_ids_of_different_services_differ() -> None:
    assert default_id("s" * 50 + "a", "host-of-some-length", 80) != default_id(
        "s" * 50 + "b", "host-of-some-length", 80
    )


def test_what_is_said_wins_over_the_environment() -> None:
    settings = MeshSettings(namespace="shop", service="web", instance="web-7", zone="a", address="10.0.0.7")
    wanted = describe(settings, None, 80, zone="b", id="web-8", address="10.0.0.8", namespace="other")
    assert (wanted.namespace, wanted.service, wanted.id) == ("other", "web", "web-8")
    assert (wanted.zone, wanted.address) == ("b", "10.0.0.8")
    assert describe(settings, "api", 80).id == "web-7"


def test_the_body_holds_what_the_path_does_not() -> None:
    wanted = describe(SETTINGS, "reviews", 9080, version="v2", tags=["canary"], metadata={"team": "x"}, ttl_s=10)
    assert msgspec.json.decode(wanted.body()) == {
        "address": "10.0.0.7", "port": 9080, "version": "v2", "zone": "a", "tags": ["canary"],
        "metadata": {"team": "x"}, "ttl_s": 10,
    }  # fmt: skip
    assert wanted.path == f"/v1/namespaces/shop/services/reviews/instances/{wanted.id}"


@pytest.mark.parametrize(
    ("service", "port", "more", "message"),
    [
        ("Reviews", 80, {}, "service: 'Reviews'"),
        ("reviews\n", 80, {}, "service"),
        ("reviews", 0, {}, "port: 0 is no port"),
        ("reviews", 80, {"ports": {"grpc": 70000}}, "grpc: 70000 is no port"),
        ("reviews", 80, {"ttl_s": 1}, "ttl_s: 1 is out of bounds: 3 to 3600"),
        ("reviews", 80, {"weight": 1001}, "weight: 1001"),
        ("reviews", 80, {"namespace": "a.b"}, "namespace: 'a.b'"),
        (None, 80, {}, "MESHWAY_SERVICE"),
    ],
)
def test_a_mistake_in_the_program_is_told_at_once(service: str, port: int, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe(SETTINGS, service, port, **more)


def test_beside_a_registry_on_loopback_a_service_is_on_loopback() -> None:
    assert own_address("http://127.0.0.1:8500") == "127.0.0.1"


def test_a_registry_that_cannot_be_found_does_not_stop_a_service() -> None:
    assert own_address("http://nowhere.invalid:8500")
