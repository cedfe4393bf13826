"""Unit tests stand where their source stands, so that whoever changes a file finds what holds it."""

from pathlib import Path
from typing import Final

from tests.parts.processes import ROOT

UNIT: Final = ROOT / "tests" / "unit"
# What is no test of one module, and why.
OTHERS: Final = {
    "containers/test_compose_file.py": "docker-compose.yml and the Dockerfile",
    "containers/test_unit_file.py": "deploy/meshway-gateway.service",
    "docs/test_example_documents.py": "examples/",
    "docs/test_pages.py": "README.md and docs/",
    "docs/test_promises.py": "docs/internals/promises.md",
    "gateway/relay/test_holds.py": "call.py, where a filter holds the call; likewise",
    "gateway/relay/test_hedges.py": "further_attempts.py, where attempts run beside each other; likewise",
    "gateway/wire/http2/test_request_fuzz.py": "server_codec.py and fields.py against hyper-h2 and h11",
    "gateway/wire/http2/test_priorities.py": "server.py and client.py with the field `priority` and PRIORITY_UPDATE",
    "gateway/routing/test_reference.py": "tables of random documents against tests/parts/reference_matcher.py",
    "meshway/formats/test_published_fields.py": "conversion.py against the published schemas",
    "meshway/http1/test_head_fuzz.py": "head.py against h11 and httptools",
    "meshway/http1/test_raw_table.py": "the table of raw cases, read by head.py and framing.py",
    "meshway/http1/test_raw_table_can_fail.py": "the same table, read by lenient readers",
    "parts/test_fault_proxy.py": "tests/parts/fault_proxy.py, which spoils connections in other tests",
    "parts/test_fuzzing.py": "tests/parts/fuzzing.py, which judges parsers",
    "parts/test_history.py": "tests/parts/history.py and removals.py, which judge the registry",
    "parts/test_lease_history.py": "tests/parts/lease_history.py, likewise",
    "parts/test_stalls.py": "tests/parts/stalls.py, likewise",
    "parts/test_witnesses.py": "tests/parts/witnesses.py, likewise",
    "test_clean_tree.py": "every file",
    "test_mirror.py": "this file",
}


def test_every_unit_test_has_its_source_at_the_mirrored_path() -> None:
    lonely = [
        str(test)
        for test in (path.relative_to(UNIT) for path in sorted(UNIT.rglob("test_*.py")))
        if str(test) not in OTHERS and not (ROOT / source_of(test)).is_file()
    ]
    assert lonely == []


def test_the_list_of_others_holds_no_test_that_is_gone_or_has_a_source() -> None:
    stale = [name for name in OTHERS if not (UNIT / name).is_file() or (ROOT / source_of(Path(name))).is_file()]
    assert stale == []


def source_of(test: Path) -> Path:
    """`gateway/limits/test_key.py` → `gateway/limits/key.py`."""
    return test.with_name(test.name.removeprefix("test_"))
