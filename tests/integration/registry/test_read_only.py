"""A read-only registry: what people decide is refused whoever asks, what programs say goes on."""

from __future__ import annotations

from pathlib import Path

from registry.api.description import api_operations
from registry.read_only import is_change
from tests.parts.registry import running_registry

ROUTE = {"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "r", "namespace": "shop"}}
DOCUMENTS = {"documents": [ROUTE | {"spec": {"hosts": ["a.example"], "rules": [{"respond": {"status": 204}}]}}]}


async def test_what_people_decide_is_refused_and_services_go_on(tmp_path: Path) -> None:
    async with running_registry(tmp_path, read_only=True) as registry:
        at = "/v1/namespaces/shop/services/books/instances/b-1"
        assert (await registry.call("PUT", at, {"port": 9000})).status == 201
        assert (await registry.call("PATCH", at, {"status": "draining"})).status == 200
        refused = await registry.call("POST", "/v1/apply", DOCUMENTS)
        assert (refused.status, refused.json["code"]) == (403, "read_only")
        assert (await registry.call("POST", "/v1/apply?dry_run=true", DOCUMENTS)).status == 200
        assert (await registry.call("GET", "/v1/session")).json["read_only"] is True
        assert (await registry.call("GET", "/v1/about")).json["read_only"] is True


async def test_every_operation_that_changes_something_is_refused_to_an_admin(tmp_path: Path) -> None:
    async with running_registry(tmp_path, read_only=True) as registry:
        changes = [row for row in api_operations() if is_change(row.method, row.right)]
        assert len(changes) > 20
        for row in changes:
            path = row.path.format(**{"namespace": "shop", "plural": "routes", "name": "r"} | dict(row.example))
            answer = await registry.call(row.method, path, row.example_body)
            assert (answer.status, answer.json["code"]) == (403, "read_only"), row.id


async def test_without_it_the_same_is_done(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        assert (await registry.call("POST", "/v1/apply", DOCUMENTS)).status == 200
        assert (
            "read_only" not in (await registry.call("GET", "/v1/session")).json
            or not (await registry.call("GET", "/v1/session")).json["read_only"]
        )
