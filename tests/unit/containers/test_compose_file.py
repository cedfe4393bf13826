"""docker-compose.yml keeps to the compose specification and to our own rules."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

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
    assert re.fullmatch(r"[a-z0-9./-]+:\d[\w.-]*", service["image"]), "an image with a version, never latest"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["healthcheck"].get("disable") or service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_only_the_planes_start_without_a_profile() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"registry", "gateway"}
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]} == set(SERVICES) - {
        "registry",
        "gateway",
    }


def test_every_named_volume_is_declared_and_every_dependency_is_a_service() -> None:
    content = read_compose()
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(content["volumes"])
    assert {name for service in SERVICES.values() for name in service.get("depends_on", {})} <= set(SERVICES)


def test_the_image_runs_as_nobody_in_particular_and_from_fixed_versions() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in dockerfile
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    assert 'CMD ["meshway", "healthcheck"]' in dockerfile
