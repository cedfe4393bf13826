"""Documents, apply and history over real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from registry.gateways import Report

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry

ROUTE = "/v1/namespaces/default/routes/shop"
SPEC: dict[str, Any] = {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "cart"}]}]}
YAML = b"""\
apiVersion: meshway/v1
kind: Service
metadata: {name: cart}
spec: {description: the cart}
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: cart}
spec:
  targets: [{service: cart}]
  token_bucket: {rate: 5/s}
"""


async def _cart(registry: RunningRegistry) -> None:
    await registry.register("cart", "c-1")


async def test_a_document_is_created_replaced_read_and_deleted(registry: RunningRegistry) -> None:
    await _cart(registry)
    created = await registry.call("PUT", ROUTE, {"spec": SPEC})
    assert created.status == 201
    assert created.json["metadata"]["updated_by"] == "loopback"
    tag = created.headers["etag"]
    assert tag == f'"{created.json["metadata"]["revision"]}"' == f'"{created.headers["meshway-revision"]}"'

    same = await registry.call("PUT", ROUTE, created.json)
    assert (same.status, same.headers["meshway-result"], same.headers["etag"]) == (200, "unchanged", tag)
    assert (await registry.call("GET", ROUTE, None, f"If-None-Match: {tag}")).status == 304
    changed = await registry.call("PUT", ROUTE, {"spec": SPEC | {"priority": 5}}, f"If-Match: {tag}")
    assert changed.status == 200

    assert [
        row["metadata"]["name"] for row in (await registry.call("GET", "/v1/namespaces/-/routes")).json["items"]
    ] == ["shop"]
    gone = await registry.call("DELETE", ROUTE)
    assert (gone.status, gone.body) == (204, b"")
    assert (await registry.call("GET", ROUTE)).status == 404
    assert (await registry.call("DELETE", ROUTE)).status == 404


async def test_a_stale_if_match_is_refused_with_the_current_document(registry: RunningRegistry) -> None:
    await _cart(registry)
    first = await registry.call("PUT", ROUTE, {"spec": SPEC})
    second = await registry.call("PUT", ROUTE, {"spec": SPEC | {"priority": 5}})
    stale = await registry.call("PUT", ROUTE, {"spec": SPEC}, f"If-Match: {first.headers['etag']}")
    assert stale.status == 412
    assert stale.headers["content-type"] == "application/problem+json"
    assert stale.json["current"]["metadata"]["revision"] == second.json["metadata"]["revision"]
    assert (await registry.call("DELETE", ROUTE, None, f"If-Match: {first.headers['etag']}")).status == 412
    assert (await registry.call("PUT", ROUTE, {"spec": SPEC}, "If-None-Match: *")).status == 412
    assert (await registry.call("PUT", ROUTE, {"spec": SPEC}, "If-Match: *")).status == 200
    assert (await registry.call("PUT", ROUTE + "2", {"spec": SPEC}, "If-Match: *")).status == 412
    assert (await registry.call("PUT", ROUTE, {"spec": SPEC}, "If-Match: yes")).status == 400


async def test_a_service_shows_its_document_and_counts_and_may_be_written_back_as_read(
    registry: RunningRegistry,
) -> None:
    await _cart(registry)
    place = "/v1/namespaces/default/services/cart"
    default = (await registry.call("GET", place)).json
    assert default["status"]["passing"] == 1
    assert "revision" not in default["metadata"]
    written = await registry.call("PUT", place, default | {"spec": {"owner": "shop"}})
    assert written.status == 201, written.body
    read = (await registry.call("GET", place)).json
    assert (read["spec"], read["metadata"]["revision"]) == ({"owner": "shop"}, written.json["metadata"]["revision"])
    again = await registry.call("PUT", place, read)
    assert again.headers["meshway-result"] == "unchanged"
    assert (await registry.call("DELETE", place)).status == 204
    left = (await registry.call("GET", place)).json
    assert left == default, "its instances make it a service as before"


async def test_yaml_is_applied_as_one_revision_and_once_more_changes_nothing(registry: RunningRegistry) -> None:
    dry = await registry.call("POST", "/v1/apply?dry_run=true", YAML, "Content-Type: application/yaml")
    assert [row["result"] for row in dry.json["documents"]] == ["created", "created"]
    assert registry.core.view.revision == 0
    for kind in ("Content-Type: application/yaml", "Content-Type: application/x-www-form-urlencoded"):
        applied = await registry.call("POST", "/v1/apply", YAML, kind)
        assert (applied.status, applied.json["revision"]) == (200, 1), applied.body
    assert [row["result"] for row in applied.json["documents"]] == ["unchanged", "unchanged"]


async def test_json_applies_and_deletes_together_with_what_changed(registry: RunningRegistry) -> None:
    await registry.call("POST", "/v1/apply", YAML)
    limit = {
        "apiVersion": "meshway/v1",
        "kind": "RateLimit",
        "metadata": {"name": "cart"},
        "spec": {"targets": [{"service": "cart"}], "token_bucket": {"rate": "9/s"}},
    }
    answer = await registry.call("POST", "/v1/apply", {"documents": [limit]})
    (row,) = answer.json["documents"]
    assert row["changes"] == [{"path": "spec.token_bucket.rate", "from": "5/s", "to": "9/s"}]
    gone = await registry.call("POST", "/v1/apply", {"delete": [{"kind": "RateLimit", "name": "cart"}]})
    assert [row["result"] for row in gone.json["documents"]] == ["deleted"]
    wrong: list[Any] = [{}, {"documents": {}}, {"documents": [], "delet": []}, {"delete": [{"kind": "Route"}]}, [1]]
    for body in wrong:
        assert (await registry.call("POST", "/v1/apply", body)).status == 422, body


async def test_every_error_of_every_document_is_told_with_its_line(registry: RunningRegistry) -> None:
    text = YAML.replace(b"rate: 5/s", b"rate: 5").replace(b"description:", b"descripton:")
    answer = await registry.call("POST", "/v1/apply", text, "Content-Type: application/yaml")
    assert answer.status == 422
    errors = {error["path"]: error for error in answer.json["errors"]}
    assert errors["spec.descripton"]["line"] == 4
    assert "description" in errors["spec.descripton"]["message"]
    assert errors["spec.token_bucket.rate"]["line"] == 11
    assert errors["spec.token_bucket.rate"]["document"] == "RateLimit default/cart"
    assert registry.core.view.revision == 0
    broken = await registry.call("POST", "/v1/apply", b"a: [1", "Content-Type: application/yaml")
    assert broken.status == 422
    assert broken.json["errors"][0]["line"]


async def test_a_large_apply_is_read_beside_the_loop_and_lands_whole(registry: RunningRegistry) -> None:
    await _cart(registry)
    documents = [
        {
            "apiVersion": "meshway/v1",
            "kind": "Route",
            "metadata": {"name": f"r-{at}"},
            "spec": {"hosts": [f"h{at}.example"], "rules": [{"destinations": [{"service": "cart"}]}]},
        }
        for at in range(600)
    ]
    answer = await registry.call("POST", "/v1/apply", {"documents": documents})
    assert answer.status == 200
    assert len(answer.json["documents"]) == 600


async def test_an_apply_is_done_once_under_its_key(registry: RunningRegistry) -> None:
    first = await registry.call("POST", "/v1/apply", YAML, "Idempotency-Key: k1")
    again = await registry.call("POST", "/v1/apply", YAML, "Idempotency-Key: k1")
    assert again.json == first.json, "the first answer again, not `unchanged`"
    assert (await registry.call("POST", "/v1/apply", YAML + b"\n", "Idempotency-Key: k1")).status == 422


async def test_history_tells_who_what_and_when_and_brings_back(registry: RunningRegistry) -> None:
    await _cart(registry)
    await registry.call("PUT", ROUTE, {"spec": SPEC})
    await registry.call("PUT", ROUTE, {"spec": SPEC | {"priority": 5}})
    listed = (await registry.call("GET", "/v1/revisions?limit=1")).json
    assert [row["revision"] for row in listed["items"]] == [3]
    older = (await registry.call("GET", f"/v1/revisions?limit=1&cursor={listed['next']}")).json
    assert [row["revision"] for row in older["items"]] == [2]
    one = (await registry.call("GET", "/v1/revisions/r3")).json
    assert one["documents"][0]["changes"] == [{"path": "spec.priority", "from": None, "to": 5}]
    assert (await registry.call("GET", "/v1/revisions/2/diff?to=3")).json["documents"][0]["name"] == "shop"
    restored = await registry.call("POST", "/v1/revisions/2/restore")
    assert (restored.status, restored.json["revision"]) == (200, 4)
    assert "priority" not in (await registry.call("GET", ROUTE)).json["spec"]
    for path in ("/v1/revisions/99", "/v1/revisions/x", "/v1/revisions/99/diff"):
        assert (await registry.call("GET", path)).status == 404, path


async def test_gateways_show_what_they_run_and_refused_and_a_write_waits_for_them(registry: RunningRegistry) -> None:
    refused = [{"kind": "Route", "namespace": "default", "name": "shop", "path": "spec", "reason": "why"}]
    report = {"node": "g1", "version": "0.1.0", "zone": "z", "workers": 2, "revision": 0, "refused": refused}
    await registry.call("POST", "/v1/reports", report)
    (state,) = (await registry.call("GET", "/v1/gateways")).json["items"]
    assert (state["node"], state["live"], state["workers"]) == ("g1", True, 2)
    # It is not one that only waits for what will come by itself.
    assert state["refused"] == [refused[0] | {"is_pending": False}]
    assert (await registry.call("GET", "/v1/gateways/g1")).json["node"] == "g1"
    assert (await registry.call("GET", "/v1/gateways/g2")).status == 404
    answer = await registry.call("POST", "/v1/apply", YAML, "Prefer: wait=0")
    assert (answer.headers["meshway-applied"], answer.headers["meshway-pending"]) == ("0/1", "g1")
    registry.gateways.report(Report(node="g1", revision=1))
    answer = await registry.call("POST", "/v1/apply", YAML, "Prefer: wait=5")
    assert answer.headers["meshway-applied"] == "1/1"


async def test_namespaces_come_by_use(registry: RunningRegistry) -> None:
    assert (await registry.call("GET", "/v1/namespaces")).json["items"] == [
        {"name": "default", "self_preservation": []}
    ]
    await registry.call("PUT", "/v1/namespaces/shop/services/a/instances/a1", {"port": 1})
    assert [row["name"] for row in (await registry.call("GET", "/v1/namespaces")).json["items"]] == ["default", "shop"]


async def test_metrics_are_prometheus_text(registry: RunningRegistry) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    await _cart(registry)
    answer = await registry.call("GET", "/metrics")
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }
    assert values["meshway_revision"] == 1
    assert values["meshway_leases"] == 1
    assert values["meshway_registry_commit_duration_seconds_count"] == 1
    assert 0 < values["meshway_registry_log_memory_bytes"] < 1000


async def test_a_document_in_json_may_be_pretty_and_a_body_that_is_none_is_told(registry: RunningRegistry) -> None:
    await _cart(registry)
    text = json.dumps({"spec": SPEC}, indent=2).encode()
    assert (await registry.call("PUT", ROUTE, text)).status == 201
    wrong = await registry.call("PUT", ROUTE, text[:-3] + b"oops")
    assert (wrong.status, wrong.json["code"]) == (400, "malformed_json")
    assert wrong.json["errors"][0]["line"] > 1
    other = await registry.call("PUT", ROUTE, {"kind": "RateLimit", "metadata": {"name": "x"}, "spec": SPEC})
    assert {error["path"] for error in other.json["errors"]} == {"kind", "metadata.name"}


async def test_an_apply_is_refused_when_a_document_moved_since_it_was_read(registry: RunningRegistry) -> None:
    await _cart(registry)
    body: dict[str, Any] = {"documents": [{"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "shop"}}]}
    body["documents"][0]["spec"] = SPEC
    body["if_match"] = [{"kind": "Route", "name": "shop", "revision": 0}]
    created = await registry.call("POST", "/v1/apply", body)
    assert created.status == 200
    again = await registry.call("POST", "/v1/apply", body)
    assert (again.status, again.json["code"]) == (412, "precondition_failed")
    assert again.json["current"]["metadata"]["revision"] == created.json["revision"]
    body["if_match"][0] |= {"revision": "2", "kind": "Root"}
    wrong = await registry.call("POST", "/v1/apply", body)
    assert (wrong.status, [error["path"] for error in wrong.json["errors"]]) == (422, ["if_match[0].revision"])


async def test_an_apply_tells_where_its_documents_were_written_and_a_put_does_not(registry: RunningRegistry) -> None:
    await _cart(registry)
    body: dict[str, Any] = {"documents": [{"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "shop"}}]}
    body["documents"][0]["spec"] = SPEC
    source = {"file": "shop/cart.yaml", "line": 3, "lines": {"spec": 6}}
    body["sources"] = [{"kind": "Route", "name": "shop", "source": source}]
    assert (await registry.call("POST", "/v1/apply", body)).status == 200
    read = await registry.call("GET", ROUTE)
    assert read.json["metadata"]["source"] == {"file": "shop/cart.yaml", "line": 3}
    (entry,) = (await registry.call("GET", "/v1/revisions?kind=Route&name=shop")).json["items"]
    assert entry["documents"][0]["source"] == "shop/cart.yaml:3"
    changed = await registry.call("PUT", ROUTE, read.json | {"spec": SPEC | {"priority": 5}})
    assert changed.status == 200, "what is read may be written back"
    assert "source" not in (await registry.call("GET", ROUTE)).json["metadata"]
    await registry.call("POST", f"/v1/revisions/{entry['revision']}/restore")
    assert (await registry.call("GET", ROUTE)).json["metadata"]["source"]["line"] == 3
    body["sources"][0]["source"] = {"file": "/etc/lin/cart.yaml", "line": 0}
    wrong = await registry.call("POST", "/v1/apply", body)
    paths = [error["path"] for error in wrong.json["errors"]]
    assert (wrong.status, paths) == (422, ["sources[0].source.file", "sources[0].source.line"])


async def test_the_history_of_one_document_says_what_each_revision_changed(registry: RunningRegistry) -> None:
    await _cart(registry)
    await registry.call("PUT", ROUTE, {"spec": SPEC})
    await registry.call("PUT", "/v1/namespaces/default/services/cart", {"spec": {}})
    await registry.call("PUT", ROUTE, {"spec": SPEC | {"priority": 5}})
    await registry.call("DELETE", ROUTE)
    path = "/v1/revisions?kind=Route&name=shop"
    shown = (await registry.call("GET", path)).json["items"]
    assert [entry["documents"][0]["result"] for entry in shown] == ["deleted", "changed", "created"]
    assert shown[1]["documents"][0]["changes"] == [{"path": "spec.priority", "from": None, "to": 5}]
    first = (await registry.call("GET", f"{path}&limit=2")).json
    assert first["items"] == shown[:2]
    assert (await registry.call("GET", f"{path}&limit=2&cursor={first['next']}")).json == {"items": shown[2:]}
    assert (await registry.call("GET", "/v1/revisions?kind=Route&name=never")).json == {"items": []}
    for query, wrong in (("kind=Route", "query.name"), ("kind=route&name=shop", "query.kind")):
        refused = await registry.call("GET", f"/v1/revisions?{query}")
        assert (refused.status, refused.json["errors"][0]["path"]) == (422, wrong)


async def test_documents_are_read_as_they_were_at_a_revision(registry: RunningRegistry) -> None:
    await _cart(registry)
    first = await registry.call("PUT", ROUTE, {"spec": SPEC})
    then = first.json["metadata"]["revision"]
    await registry.call("PUT", ROUTE, {"spec": SPEC | {"hosts": ["other.example"]}})
    await registry.call("POST", "/v1/apply", YAML, "Content-Type: application/yaml")
    path = f"/v1/revisions/{then}/documents"
    assert (await registry.call("GET", f"{path}?kind=Route&namespace=default")).json == {"items": [first.json]}
    assert (await registry.call("GET", f"{path}?kind=RateLimit")).json == {"items": []}
    assert (await registry.call("GET", f"{path}?kind=Route&namespace=elsewhere")).json == {"items": []}
    await registry.call("DELETE", ROUTE)
    now = await registry.call("GET", "/v1/revisions/r3/documents")
    assert [item["metadata"]["name"] for item in now.json["items"]] == ["shop"]
    two = [(await registry.call("GET", f"/v1/revisions/4/documents?limit=1{more}")).json for more in ("", "")]
    assert len(two[0]["items"]) == 1
    rest = (await registry.call("GET", f"/v1/revisions/4/documents?cursor={two[0]['next']}")).json
    kinds = [item["kind"] for item in [*two[0]["items"], *rest["items"]]]
    assert (kinds, "next" in rest) == (["RateLimit", "Route", "Service"], False)
    for wrong, status in (("99/documents", 404), ("4/documents?kind=Rout", 422), ("x/documents", 404)):
        assert (await registry.call("GET", f"/v1/revisions/{wrong}")).status == status


async def test_a_document_that_is_applied_unchanged_must_lead_somewhere_as_well(registry: RunningRegistry) -> None:
    def service(*subsets: str) -> dict[str, Any]:
        spec = {"subsets": [{"name": name, "match": {"version": name}} for name in subsets]}
        return {"apiVersion": "meshway/v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": spec}

    spec = SPEC | {"rules": [{"destinations": [{"service": "cart", "subset": "v2"}]}]}
    route = {"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "shop"}, "spec": spec}
    first = await registry.call("POST", "/v1/apply", {"documents": [service("v1", "v2"), route]})
    assert first.status == 200
    taken = await registry.call("POST", "/v1/apply", {"documents": [service("v1"), route]})
    assert (taken.status, taken.json["code"]) == (409, "in_use")
    assert '"v2" is not a subset of Service default/cart' in taken.json["detail"]
    more = await registry.call("POST", "/v1/apply", {"documents": [service("v2", "v3"), route]})
    assert [row["result"] for row in more.json["documents"]] == ["changed", "unchanged"]
