"""Whatever is wrong is answered as a problem document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry

ONE = "/v1/namespaces/default/services/books/instances/books-1"
CASES: list[tuple[str, str, object, int, str, str]] = [
    ("GET", "/nowhere", None, 404, "not_found", "openapi"),
    ("GET", "/v1/nowhere", None, 404, "not_found", ""),
    ("GET", "/v1/watch/", None, 404, "not_found", ""),
    ("GET", "/v1/namespaces/default/rutes", None, 404, "unknown_kind", "did you mean routes?"),
    ("PUT", "/v1/heartbeats", {}, 405, "method_not_allowed", ""),
    ("PATCH", "/v1/apply", {}, 405, "method_not_allowed", ""),
    ("BREW", "/v1/apply", {}, 405, "method_not_allowed", ""),
    ("PUT", ONE, b"{", 400, "malformed_json", "line 1"),
    ("PUT", ONE, b'{"port": 80,\n "x"', 400, "malformed_json", "line 2"),
    ("PUT", ONE, None, 400, "malformed_json", "empty"),
    ("PUT", ONE, [], 422, "invalid_request", ""),
    ("PUT", ONE, {}, 422, "invalid_request", "port"),
    ("PUT", ONE, {"port": 70000}, 422, "invalid_request", "70000"),
    ("PUT", ONE, {"port": "http"}, 422, "invalid_request", "port"),
    ("PUT", ONE, {"prot": 80, "port": 80}, 422, "invalid_request", "did you mean"),
    ("PUT", ONE, {"port": 80, "check": {"type": "smtp"}}, 422, "invalid_request", "check"),
    ("POST", "/v1/reports", {"node": "gw", "mass_removal_guard": 2**64}, 422, "invalid_request", "mass_removal_guard"),
    ("PUT", ONE, {"port": 80, "ttl_s": 1}, 422, "invalid_request", "ttl_s"),
    ("PUT", ONE, {"port": 80, "service": "other"}, 422, "invalid_request", "service"),
    ("PUT", ONE, {"port": 80, "metadata": {"k": "v" * 5000}}, 422, "invalid_request", "metadata"),
    ("PUT", "/v1/namespaces/default/services/Books_/instances/a", {"port": 80}, 422, "invalid_request", "service"),
    ("PUT", "/v1/namespaces/mesh/services/a/instances/a", {"port": 80}, 422, "invalid_request", "mesh"),
    ("PATCH", ONE, {"weigth": 1}, 422, "invalid_request", "weight"),
    ("POST", "/v1/heartbeats", {"leases": []}, 422, "invalid_request", "leases"),
    ("POST", "/v1/heartbeats", {"lease": ["a"]}, 422, "invalid_request", "leases"),
    ("POST", "/v1/heartbeats", {"leases": ["a"] * 10_001}, 422, "invalid_request", "10000"),
    ("POST", "/v1/reports", {"revision": 1}, 422, "invalid_request", "node"),
    ("POST", "/v1/registrations", {"instances": []}, 422, "invalid_request", "instances"),
    ("POST", "/v1/apply?dryrun=true", {}, 422, "invalid_request", "dry_run"),
    ("POST", "/v1/apply?rehearse=1h", {}, 422, "invalid_request", "dry_run"),
    ("POST", "/v1/apply?dry_run=true&rehearse=1", {}, 422, "invalid_request", "rehearse"),
    ("POST", "/v1/apply?dry_run=true&rehearse=25h", {}, 422, "invalid_request", "24h"),
    ("PUT", "/v1/namespaces/default/routes/r", {"spec": {"ruls": []}}, 422, "invalid_document", "rules"),
    ("PUT", "/v1/namespaces/default/routes/R_1", {"spec": {}}, 422, "invalid_document", ""),
    ("GET", "/v1/namespaces/default/services/none", None, 404, "not_found", ""),
    ("POST", "/v1/answers/q", {}, 404, "no_question", ""),
    ("PUT", ONE, b'{"port": ' + b"9" * 400 + b"}", 422, "invalid_request", "port"),
    ("PUT", ONE, b'{"port": NaN}', 400, "malformed_json", "column 10"),
    ("PUT", ONE, b'{"port": 1,\n "zone": "\xff"}', 400, "malformed_json", "line 2, column 11"),
    ("PUT", ONE, b"[" * 100_000, 400, "malformed_json", "recursion"),
    ("POST", "/v1/reports", b'{"new": ' + b"[" * 100_000, 400, "malformed_json", "recursion"),
    ("POST", "/v1/reports", {"node": "g", "revision": 2**70}, 422, "invalid_request", "revision"),
    ("GET", "/v1/namespaces/default/services/Books_/instances", None, 422, "invalid_request", "Books_"),
    ("GET", "/v1/namespaces/default/services/Books_", None, 422, "invalid_request", "Books_"),
    ("GET", "/v1/namespaces/Shop_/services", None, 422, "invalid_request", "Shop_"),
    ("GET", "/v1/namespaces/Shop_/routes", None, 422, "invalid_request", "Shop_"),
    ("POST", "/v1/apply", {"delete": [{"kind": "Rute", "name": "r"}]}, 422, "invalid_request", "Route"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "says"), CASES)
async def test_what_is_wrong_is_told_as_a_problem(
    registry: RunningRegistry, method: str, path: str, body: object, status: int, code: str, says: str
) -> None:
    answer = await registry.call(method, path, body, "X-Request-Id: req-12345678")
    assert (answer.status, answer.json["code"]) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["type"] == f"https://meshway.example/problems/{code}"
    assert answer.json["instance"] == "req-12345678"
    assert "meshway-revision" in answer.headers
    assert says in answer.body.decode()
    if status == 405:
        assert answer.headers["allow"]
    assert registry.core.view.revision == 0


async def test_allow_names_the_methods_of_both_sides(registry: RunningRegistry) -> None:
    answer = await registry.call("PATCH", "/v1/namespaces/default/services/books")
    assert answer.headers["allow"] == "GET, HEAD, PUT, DELETE"


async def test_several_errors_come_at_once(registry: RunningRegistry) -> None:
    answer = await registry.call("PUT", ONE, {"port": 0, "wieght": 1, "ttl_s": 9999, "address": "0.0.0.0"})
    assert {error["path"] for error in answer.json["errors"]} >= {"port", "wieght", "ttl_s"}


async def test_a_body_too_large_is_refused_with_the_limit(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        client.writer.write(f"PUT {ONE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n".encode())
        client.writer.write(b"x" * 200_000)
        answer = await client.answer()
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        assert await client.reader.read() == b""


async def test_other_sites_are_refused_over_the_wire_too(registry: RunningRegistry) -> None:
    answer = await registry.call("GET", "/v1/namespaces", None, "Host: rebound.example:8500")
    assert (answer.status, answer.json["code"]) == (403, "foreign_host")
    answer = await registry.call("POST", "/v1/apply", {}, "Origin: http://evil.example")
    assert (answer.status, answer.json["code"]) == (403, "foreign_origin")


async def test_a_head_has_no_body_and_the_connection_goes_on(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        for path in ("/v1/namespaces", "/v1/namespaces/default/services", "/openapi.json", "/v1/nowhere"):
            head = await client.call("HEAD", path)
            body = await client.call("GET", path)
            assert (head.status, head.headers.get("content-length")) == (
                body.status,
                body.headers.get("content-length"),
            ), path
