"""Instances over real sockets: come, renew, change, go, and be found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from meshway.tasks import spawn
from registry.gateways import Report
from tests.parts.conditions import until
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry

BOOKS = "/v1/namespaces/default/services/books"
ONE = BOOKS + "/instances/books-1"


async def test_an_instance_comes_is_known_again_and_goes(registry: RunningRegistry) -> None:
    body = {"port": 9080, "version": "v1", "tags": ["a"], "metadata": {"k": "v"}, "ports": {"admin": 9081}, "zone": "z"}
    new = await registry.call("PUT", ONE, body)
    assert new.status == 201
    assert new.headers["location"] == ONE
    assert new.headers["meshway-revision"] == str(new.json["revision"])
    assert new.json["address"] == "127.0.0.1", "the caller's address stands in for one that is not given"
    assert (new.json["generation"], new.json["ttl_s"], new.json["status"]) == (1, 30, "passing")

    same = await registry.call("PUT", ONE, body | {"lease_id": new.json["lease_id"]})
    assert (same.status, same.json["generation"], same.json["revision"]) == (200, 1, new.json["revision"])
    other = await registry.call("PUT", ONE, body)
    assert (other.status, other.json["generation"]) == (200, 2)
    stale = await registry.call("PUT", ONE, body | {"lease_id": new.json["lease_id"]})
    assert (stale.status, stale.json["code"]) == (409, "superseded")

    read = await registry.call("GET", ONE)
    assert read.json["version"] == "v1"
    assert "lease_id" not in read.json, "a lease is its holder's secret"
    for _ in range(2):
        gone = await registry.call("DELETE", ONE)
        assert (gone.status, gone.body) == (204, b"")
    assert (await registry.call("GET", ONE)).status == 404


async def test_an_id_is_made_for_who_brings_none_and_a_repeated_call_makes_no_second(registry: RunningRegistry) -> None:
    first = await registry.call("POST", BOOKS + "/instances", {"port": 1}, "Idempotency-Key: abc")
    again = await registry.call("POST", BOOKS + "/instances", {"port": 1}, "Idempotency-Key: abc")
    assert first.status == 201
    assert again.json["id"] == first.json["id"]
    other = await registry.call("POST", BOOKS + "/instances", {"port": 2}, "Idempotency-Key: abc")
    assert other.status == 422
    assert len((await registry.call("GET", BOOKS + "/instances")).json["items"]) == 1


async def test_a_thousand_instances_come_as_one_revision_and_their_leases_renew_at_once(
    registry: RunningRegistry,
) -> None:
    rows = [{"namespace": "shop", "service": "cart", "id": f"c-{at}", "port": 9000} for at in range(1000)]
    answer = await registry.call("POST", "/v1/registrations", {"instances": rows})
    assert answer.status == 200
    assert {row["revision"] for row in answer.json["instances"]} == {answer.json["revision"]} == {1}
    leases = [row["lease_id"] for row in answer.json["instances"]]
    renewed = await registry.call("POST", "/v1/heartbeats", {"leases": [*leases, "999-1-x"]})
    assert renewed.json == {"renewed": 1000, "unknown": ["999-1-x"], "superseded": []}

    found: list[str] = []
    path: str | None = "/v1/namespaces/shop/services/cart/instances?limit=400"
    while path:
        page = await registry.call("GET", path)
        found += [row["id"] for row in page.json["items"]]
        path = page.headers["link"].partition(">")[0].lstrip("<") if "next" in page.json else None
    assert sorted(found) == sorted(f"c-{at}" for at in range(1000))


async def test_one_bad_row_refuses_the_batch_and_every_error_is_told(registry: RunningRegistry) -> None:
    rows: list[dict[str, Any]] = [
        {"namespace": "shop", "service": "cart", "id": "a", "port": 9000},
        {"namespace": "shop", "service": "cart", "id": "b", "port": 70000},
        {"namespace": "shop", "service": "Cart_1", "id": "c", "prt": 9000},
    ]
    answer = await registry.call("POST", "/v1/registrations", {"instances": rows})
    assert answer.status == 422
    paths = {error["path"] for error in answer.json["errors"]}
    assert {"instances[1].port", "instances[2].service", "instances[2].prt"} <= paths
    assert (await registry.call("GET", "/v1/namespaces/shop/services")).json["items"] == []
    too_many = await registry.call("POST", "/v1/registrations", {"instances": rows[:1] * 1001})
    assert too_many.status == 422


async def test_a_patch_changes_what_it_names_and_draining_shows_in_the_counts(registry: RunningRegistry) -> None:
    await registry.register("books", "books-1", metadata={"a": "1", "b": "2"})
    patched = await registry.call("PATCH", ONE, {"status": "draining", "metadata": {"a": None, "c": "3"}, "weight": 5})
    assert patched.status == 200
    assert (patched.json["metadata"], patched.json["weight"]) == ({"b": "2", "c": "3"}, 5)
    service = (await registry.call("GET", BOOKS)).json
    assert service["status"] == {"passing": 0, "critical": 0, "draining": 1, "maintenance": 0}
    assert (await registry.call("PATCH", ONE, {"status": "critical"})).status == 422
    assert (await registry.call("PATCH", BOOKS + "/instances/none", {"weight": 1})).status == 404


async def test_a_heartbeat_by_id_renews_and_an_old_generation_is_told(registry: RunningRegistry) -> None:
    first = await registry.register("books", "books-1")
    assert (await registry.call("PUT", ONE + "/heartbeat")).json["renewed"] == 1
    await registry.register("books", "books-1")
    answer = await registry.call("POST", "/v1/heartbeats", {"leases": [first.json["lease_id"]]})
    assert answer.json["superseded"] == [first.json["lease_id"]]
    assert (await registry.call("PUT", BOOKS + "/instances/none/heartbeat")).status == 404


async def test_filters_narrow_and_a_wrong_filter_is_refused(registry: RunningRegistry) -> None:
    await registry.register("books", "a", version="v1", zone="z1", tags=["x", "y"])
    await registry.register("books", "b", version="v2", zone="z2", tags=["y"])
    for query, ids in {
        "version=v1": ["a"],
        "zone=z2": ["b"],
        "tag=y": ["a", "b"],
        "tag=x&version=v2": [],
        "status=passing": ["a", "b"],
        "status=critical": [],
    }.items():
        answer = await registry.call("GET", f"{BOOKS}/instances?{query}")
        assert [row["id"] for row in answer.json["items"]] == ids, query
    for query in ("status=well", "verison=v1", "limit=0", "limit=x", "cursor=!!!", "since=-1", "wait_s=nan"):
        answer = await registry.call("GET", f"{BOOKS}/instances?{query}")
        assert answer.status == 422, query


async def test_etags_tell_what_did_not_change(registry: RunningRegistry) -> None:
    await registry.register("books", "a")
    first = await registry.call("GET", BOOKS + "/instances")
    same = await registry.call("GET", BOOKS + "/instances", None, f"If-None-Match: {first.headers['etag']}")
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", first.headers["etag"])
    await registry.register("other", "o")
    assert (await registry.call("GET", BOOKS, None, f"If-None-Match: {first.headers['etag']}")).status == 304
    await registry.register("books", "b")
    changed = await registry.call("GET", BOOKS, None, f"If-None-Match: {first.headers['etag']}")
    assert changed.status == 200


@pytest.mark.parametrize(
    "place", [BOOKS, BOOKS + "/instances", "/v1/namespaces/default/services", "/v1/namespaces/-/services"]
)
async def test_a_blocking_query_waits_for_a_change_of_what_it_shows(registry: RunningRegistry, place: str) -> None:
    await registry.register("books", "a")
    revision = (await registry.call("GET", place)).headers["meshway-revision"]
    async with RawClient(registry.port) as client:
        client.send("GET", f"{place}?since={revision}&wait_s=20")
        waiting = spawn(client.answer(), name="waiting")
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await registry.register("books", "b")
        answer = await waiting
        assert answer.status == 200
        assert int(answer.headers["etag"].strip('"')) > int(revision)
        again = await client.call("GET", BOOKS)
        assert again.status == 200, "the connection serves on"


async def test_a_blocking_query_is_not_woken_by_others_and_ends_in_time(registry: RunningRegistry) -> None:
    await registry.register("books", "a")
    revision = (await registry.call("GET", BOOKS)).headers["meshway-revision"]
    async with RawClient(registry.port) as client:
        begun = asyncio.get_running_loop().time()
        client.send("GET", f"{BOOKS}?since={revision}&wait_s=0.3")
        await asyncio.sleep(0.05)
        await registry.register("other", "o")
        answer = await client.answer()
        assert answer.status == 200
        assert asyncio.get_running_loop().time() - begun >= 0.28
    assert len(registry.core.view.waiters) == 0


async def test_who_leaves_a_blocking_query_leaves_nothing_behind(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        client.send("GET", f"{BOOKS}/instances?since=0&wait_s=60")
        await until(lambda: len(registry.core.view.waiters) == 1)
    await until(lambda: not (len(registry.core.view.waiters) or registry.surface.connections))


async def test_pipelined_writes_and_reads_are_answered_in_order(registry: RunningRegistry) -> None:
    async with RawClient(registry.port) as client:
        for at in range(20):
            client.send("PUT", f"{BOOKS}/instances/i-{at}", {"port": 9000 + at})
            client.send("GET", f"{BOOKS}/instances/i-{at}")
        for at in range(20):
            assert (await client.answer()).json["id"] == f"i-{at}"
            read = await client.answer()
            assert (read.status, read.json["port"]) == (200, 9000 + at), "a read behind a write sees it"


async def test_the_answer_to_a_drain_waits_for_the_gateways(registry: RunningRegistry) -> None:
    await registry.register("books", "books-1")
    head = registry.core.view.revision
    registry.gateways.report(Report(node="a", revision=head))
    async with RawClient(registry.port) as client:
        client.send("PATCH", ONE, {"status": "draining"}, "Prefer: wait=10")
        await until(lambda: registry.core.view.revision > head)
        report = {"node": "a", "revision": head + 1, "refused": [], "evidence": [], "later": {"unknown": 1}}
        assert (await registry.call("POST", "/v1/reports", report)).status == 204
        assert (await client.answer(2)).headers["meshway-applied"] == "1/1"


async def test_evidence_of_answered_calls_reaches_the_leases(registry: RunningRegistry) -> None:
    await registry.register("books", "books-1", ttl_s=3)
    evidence = [
        {"namespace": "default", "service": "books", "id": "books-1"},
        {"namespace": "x", "service": "y", "id": "z"},
    ]
    report = {"node": "a", "revision": 1, "evidence": evidence}
    assert (await registry.call("POST", "/v1/reports", report)).status == 204
    row = registry.core.view.instance(("default", "books", "books-1"))
    assert row is not None
    assert (await registry.call("POST", "/v1/answers/q-1", {})).json["code"] == "no_question"


async def test_one_service_is_listed_and_awaited_over_every_namespace(registry: RunningRegistry) -> None:
    await registry.register("books", "b")
    row = {"namespace": "shop", "service": "books", "id": "a", "port": 9000}
    await registry.call("POST", "/v1/registrations", {"instances": [row]})
    await registry.register("films", "f")
    path = "/v1/namespaces/-/services/books/instances"
    first = (await registry.call("GET", f"{path}?limit=1")).json
    rest = (await registry.call("GET", f"{path}?limit=1&cursor={first['next']}")).json
    assert [(one["namespace"], one["id"]) for one in first["items"] + rest["items"]] == [
        ("default", "b"),
        ("shop", "a"),
    ]
    assert "next" not in rest
    async with RawClient(registry.port) as client:
        client.send("GET", f"{path}?since={registry.core.view.revision}&wait_s=10")
        await until(lambda: len(registry.core.view.waiters) == 1)
        await registry.register("books", "c")
        assert len((await client.answer(5.0)).json["items"]) == 3


async def test_a_patch_of_what_changed_meanwhile_is_refused_with_what_it_is_now(registry: RunningRegistry) -> None:
    revision = (await registry.register("cart", "c-1")).json["revision"]
    path = "/v1/namespaces/default/services/cart/instances/c-1"
    first = await registry.call("PATCH", path, {"weight": 3}, f'If-Match: "{revision}"')
    assert (first.status, first.headers["etag"]) == (200, f'"{revision + 1}"')
    stale = await registry.call("PATCH", path, {"weight": 4}, f'If-Match: "{revision}"')
    assert (stale.status, stale.json["code"], stale.json["current"]["weight"]) == (412, "precondition_failed", 3)
    assert (await registry.call("PATCH", path, {"weight": 5}, "If-Match: *")).status == 200
    assert (await registry.call("PATCH", path, {"weight": 6}, "If-Match: soon")).status == 400
