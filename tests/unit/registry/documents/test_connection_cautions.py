"""What policies ask of connections that none has is told when it is written."""

from typing import Any

import pytest

from registry.documents.applying import Written
from tests.parts.registry_bench import Bench, written

STATIC = {"type": "static", "endpoints": [{"address": "10.0.0.7"}]}
DB = written("Service", "db", STATIC | {"ports": [{"name": "pg", "port": 5432, "protocol": "tcp"}]})
WEB = written("Service", "web", STATIC)
METHODS = [{"action": "deny", "to": [{"methods": ["GET"]}]}]
BUCKET = {"token_bucket": {"rate": "1/s"}}


def told(kind: str, spec: dict[str, Any], *targets: str) -> list[tuple[str, str]]:
    bench = Bench()
    document: Written = written(kind, "p", spec | {"targets": [{"service": name} for name in targets]})
    applied = bench.apply(DB, WEB, document)
    return [(each.path, each.code) for each in applied.warnings]


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("AccessPolicy", {"rules": METHODS}, "spec.rules[0].to"),
        ("RateLimit", BUCKET | {"key": ["source_ip", "header.X-Key"]}, "spec.key[1]"),
        ("RateLimit", BUCKET | {"match": [{"methods": ["GET"]}]}, "spec.match"),
    ],
)
def test_it_is_told_where_every_service_is_of_bytes(kind: str, spec: dict[str, Any], path: str) -> None:
    assert told(kind, spec, "db") == [(path, "never_matches")]
    assert told(kind, spec, "web") == []
    assert told(kind, spec, "db", "web") == []


def test_what_connections_have_is_not_told() -> None:
    assert told("AccessPolicy", {"rules": [{"action": "deny", "from": [{"cidr": ["10.0.0.0/8"]}]}]}, "db") == []
    assert told("RateLimit", BUCKET | {"key": ["source_ip", "principal"]}, "db") == []
