"""docker-compose.yml keeps to the compose specification and to our own rules."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from meshway.model.decode import decode_spec
from tests.parts.compose import read_compose
from tests.parts.processes import ROOT

SCHEMA = json.loads((ROOT / "tests" / "parts" / "compose-spec.json").read_text())
SERVICES: dict[str, dict[str, Any]] = read_compose()["services"]


def test_the_file_keeps_to_the_specification() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(read_compose())


@pytest.mark.parametrize("wrong", ["services: {a: {image: x, prots: []}}", "services: {a: {healthcheck: {test: 7}}}"])
def test_the_specification_would_find_a_mistake(wrong: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(yaml.safe_load(wrong))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_locked_down_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d[\w.-]*", service["image"]), "an image with a version, never latest"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["healthcheck"].get("disable") or service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_planes_and_stores_start_without_a_profile_and_more_of_them_with_scale() -> None:
    assert named() == {"postgres", "valkey", "migrate", "registry", "tokens", "gateway"}
    assert named("scale") == {"registry-2", "gateway-2", "gateway-3", "balancer"}
    assert named("observability") == {"prometheus", "grafana", "traces", "telemetry"}
    assert named("demo") == set(SERVICES) - named() - named("scale") - named("observability")


def named(profile: str | None = None) -> set[str]:
    wanted = None if profile is None else [profile]
    return {name for name, service in SERVICES.items() if service.get("profiles") == wanted}


def test_only_registries_reach_the_stores_and_nothing_publishes_them() -> None:
    assert read_compose()["networks"] == {"store": {"internal": True}}
    assert {name for name, service in SERVICES.items() if "store" in service.get("networks", [])} == {
        "postgres", "valkey", "migrate", "registry", "registry-2",
    }  # fmt: skip
    for name in ("postgres", "valkey", "migrate"):
        assert (SERVICES[name]["networks"], SERVICES[name].get("ports")) == (["store"], None)


def test_each_sees_the_token_it_signs_in_by_and_no_other() -> None:
    """What the tokens' maker reads and writes lies in volumes whose folders the image gives to its user."""
    owned = (ROOT / "Dockerfile").read_text()
    for name, service in SERVICES.items():
        places = [volume.split(":")[1] for volume in service.get("volumes", []) if ":/tokens" in volume]
        environment = service.get("environment", {})
        signs_in_by = environment.get("MESHWAY_TOKEN_FILE") or environment.get("MESHWAY_BOOTSTRAP_TOKEN_FILE")
        if name == "tokens":
            assert len(places) == 5
            assert all(place in owned for place in places)
        elif name != "migrate":
            assert places == ([signs_in_by.rpartition("/")[0]] if signs_in_by else [])


def test_each_stops_before_what_it_needs_and_begins_after_it() -> None:
    """The engine starts in order of depends_on, and stops the other way round."""
    for name in ("registry", "registry-2"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert set(SERVICES["balancer"]["depends_on"]) == {"gateway", "gateway-2", "gateway-3"}
    # Longer than the 30 s a gateway drains, and than the 10 s in which a registry answers what is under way.
    assert SERVICES["gateway"]["stop_grace_period"] == "40s"
    assert SERVICES["registry"]["stop_grace_period"] == "20s"


def test_the_balancer_knows_every_plane_and_asks_whether_it_is_ready() -> None:
    text = (ROOT / "deploy" / "haproxy.cfg").read_text()
    for name in SERVICES:
        if name.startswith(("registry", "gateway")):
            assert f" {name}:8500 check" in text or text.count(f" {name}:858") == 2
    assert {f"127.0.0.1:{port}:{port}" for port in (9500, 9580, 9581)} == set(SERVICES["balancer"]["ports"])
    assert all(f"bind :{port}\n" in text for port in (9500, 9580, 9581))


def test_every_named_volume_is_declared_and_every_dependency_is_a_service() -> None:
    content = read_compose()
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    files = {source for source in used if source.startswith("./")}
    assert all((ROOT / file).exists() for file in files)
    used -= files
    assert used == set(content["volumes"])
    assert {name for service in SERVICES.values() for name in service.get("depends_on", {})} <= set(SERVICES)


def test_the_image_runs_as_nobody_in_particular_and_from_fixed_versions() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in dockerfile
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    assert 'CMD ["meshway", "healthcheck"]' in dockerfile


def test_the_key_that_seals_secrets_is_seen_by_registries_alone() -> None:
    seen = {name for name, service in SERVICES.items() if any("keys:" in one for one in service.get("volumes", []))}
    assert seen == {"registry", "registry-2"}
    for name in seen:
        assert SERVICES[name]["environment"]["MESHWAY_MASTER_KEY_FILE"] == "/keys/master.key"


def test_prometheus_asks_every_plane_and_spans_go_where_something_listens() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {name for job in scraped for place in job["dns_sd_configs"] for name in place["names"]}
    assert asked == {name for name in SERVICES if name.startswith(("registry", "gateway"))}
    token = SERVICES["prometheus"]["environment"]["MESHWAY_TOKEN_FILE"]
    assert [job["authorization"]["credentials_file"] for job in scraped if "authorization" in job] == [token]
    document = yaml.safe_load((ROOT / "deploy/telemetry.yml").read_text())
    assert decode_spec(document["kind"], document["spec"])[1] == []
    assert urlsplit(document["spec"]["otlp"]["endpoint"]).hostname in SERVICES
