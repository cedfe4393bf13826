"""Writes what Meshway is made of as a CycloneDX 1.6 document, from its two locks alone: `make sbom`.

Each part has its version, its package URL and the hashes of the files that may be installed; what tests, checks and the
console's build need is among them. Licences of Python's packages are told of what is installed here. It bears no time
and no random number.
"""

import base64
import hashlib
import json
import re
import sys
import tomllib
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.lock"
NPM_LOCK: Final = ROOT / "admin_ui" / "package-lock.json"
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pinned(NamedTuple):
    """url: a package URL. hashes: in hexadecimal, by algorithm's name."""

    name: str
    version: str
    url: str
    hashes: tuple[tuple[str, str], ...]
    licence: str


def read_lock(text: str) -> list[Pinned]:
    """Raises ValueError for a requirement that is not pinned with its hashes: nothing else may be installed."""
    found: list[Pinned] = []
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        line = entry.strip()
        if not line or line.startswith(("#", "--")):
            continue
        pinned, hashes = _PINNED.match(line), tuple(("SHA-256", each) for each in _HASH.findall(line))
        if pinned is None or not hashes:
            raise ValueError(f"requirements.lock: not pinned with hashes: {line[:80]}")
        url = f"pkg:pypi/{re.sub(r'[-_.]+', '-', pinned[1]).lower()}@{pinned[2]}"
        found.append(Pinned(pinned[1], pinned[2], url, hashes, _licence(pinned[1])))
    return found


def read_npm_lock(text: str) -> list[Pinned]:
    """Raises ValueError for a package without a hash."""
    found: set[Pinned] = set()
    for place, package in json.loads(text)["packages"].items():
        name = place.rpartition("node_modules/")[2]
        if not name:
            continue
        algorithm, _, digest = package.get("integrity", "").partition("-")
        if algorithm != "sha512":
            raise ValueError(f"package-lock.json: not pinned with a SHA-512: {place}")
        content = base64.b64decode(digest, validate=True).hex()
        url = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
        found.add(Pinned(name, package["version"], url, (("SHA-512", content),), package.get("license", "")))
    return sorted(found)


def document(parts: list[Pinned], version: str) -> dict[str, Any]:
    """version: Meshway's."""
    serial = uuid.UUID(bytes=hashlib.sha256(repr((version, parts)).encode()).digest()[:16], version=4)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "meshway",
                "name": "meshway",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(part) for part in parts],
        "dependencies": [{"ref": "meshway", "dependsOn": [part.url for part in parts]}],
    }


def _component(part: Pinned) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": part.url,
        "name": part.name,
        "version": part.version,
        "purl": part.url,
        "hashes": [{"alg": algorithm, "content": content} for algorithm, content in part.hashes],
    } | ({"licenses": [{"license": {"name": part.licence}}]} if part.licence else {})


def _licence(name: str) -> str:
    try:
        told: Any = metadata.metadata(name)  # a Message, whose type says so from Python 3.12 on only
    except metadata.PackageNotFoundError:
        return ""
    text = told.get("License-Expression") or told.get("License") or ""
    return text.splitlines()[0][:120] if text else ""


def main(out: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    made = document(read_lock(LOCK.read_text()) + read_npm_lock(NPM_LOCK.read_text()), version)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=2) + "\n")
    print(f"{out}: {len(made['components'])} parts")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "sbom.cdx.json")
