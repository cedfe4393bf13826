import json
import re

import pytest

from tools.sbom import LOCK, NPM_LOCK, document, read_lock, read_npm_lock


def test_every_pinned_part_is_in_it_with_its_hashes() -> None:
    parts = read_lock(LOCK.read_text())
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(), re.MULTILINE))
    assert {part.name for part in parts} == pinned
    made = document(parts, "1.2.3")
    assert len(made["components"]) == len(made["dependencies"][0]["dependsOn"]) == len(parts) > 20
    uvloop = next(part for part in made["components"] if part["name"] == "uvloop")
    assert uvloop["purl"] == f"pkg:pypi/uvloop@{uvloop['version']}"
    assert all(re.fullmatch("[0-9a-f]{64}", one["content"]) for one in uvloop["hashes"])
    assert sum(len(part.hashes) for part in parts) == LOCK.read_text().count("--hash=")


def test_the_same_lock_gives_the_same_document() -> None:
    parts = read_lock(LOCK.read_text())
    assert json.dumps(document(parts, "1")) == json.dumps(document(parts, "1"))
    assert document(parts, "1")["serialNumber"] != document(parts[1:], "1")["serialNumber"]


@pytest.mark.parametrize("line", ["uvloop>=1", "uvloop==1.0", "https://example.org/a.whl"])
def test_what_is_not_pinned_with_hashes_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not pinned"):
        read_lock(f"# a lock\n{line}\n")


def test_the_consoles_packages_are_in_it_with_their_hashes() -> None:
    parts = read_npm_lock(NPM_LOCK.read_text())
    made = {part["name"]: part for part in document(parts, "1")["components"]}
    react = made["react"]
    assert react["purl"] == f"pkg:npm/react@{react['version']}"
    assert react["licenses"] == [{"license": {"name": "MIT"}}]
    assert re.fullmatch("[0-9a-f]{128}", react["hashes"][0]["content"])
    assert made["@mantine/core"]["purl"].startswith("pkg:npm/%40mantine/core@")


def test_a_package_of_the_console_without_a_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="not pinned"):
        read_npm_lock('{"packages": {"": {}, "node_modules/react": {"version": "19.0.0"}}}')
