"""Writes what Meshway is made of as a CycloneDX 1.6 document, from requirements.lock alone: `make sbom`.

Each part has its version, its package URL and the hashes of the files that may be installed; what tests and checks need
is among them. Licences are told of what is installed here. It bears no time and no random number.
"""

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
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pinned(NamedTuple):
    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(text: str) -> list[Pinned]:
    """Raises ValueError for a requirement that is not pinned with its hashes: nothing else may be installed."""
    found: list[Pinned] = []
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        line = entry.strip()
        if not line or line.startswith(("#", "--")):
            continue
        pinned, hashes = _PINNED.match(line), tuple(_HASH.findall(line))
        if pinned is None or not hashes:
            raise ValueError(f"requirements.lock: not pinned with hashes: {line[:80]}")
        found.append(Pinned(pinned[1], pinned[2], hashes))
    return found


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
        "dependencies": [{"ref": "meshway", "dependsOn": [_reference(part) for part in parts]}],
    }


def _component(part: Pinned) -> dict[str, Any]:
    licence = _licence(part)
    return {
        "type": "library",
        "bom-ref": _reference(part),
        "name": part.name,
        "version": part.version,
        "purl": _reference(part),
        "hashes": [{"alg": "SHA-256", "content": content} for content in part.hashes],
    } | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def _reference(part: Pinned) -> str:
    name = re.sub(r"[-_.]+", "-", part.name).lower()
    return f"pkg:pypi/{name}@{part.version}"


def _licence(part: Pinned) -> str:
    try:
        told = metadata.metadata(part.name)
    except metadata.PackageNotFoundError:
        return ""
    text = told.get("License-Expression") or told.get("License") or ""
    return text.splitlines()[0][:120] if text else ""


def main(out: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    made = document(read_lock(LOCK.read_text()), version)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=2) + "\n")
    print(f"{out}: {len(made['components'])} parts")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "sbom.cdx.json")
