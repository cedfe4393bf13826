"""Who did what, in the transaction in which it was done: over both stores, by the API, and tampering found."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from meshway.audit import NOTHING_FORGOTTEN, AuditHead, AuditRow, fault_of
from meshway.snapshot import FrameReader, Tick
from registry.revisions import retention
from registry.rights.caller import TRUSTED
from registry.store.interface import StoreUnavailable
from registry.store.session import FILE_NAME
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer, made_token

if TYPE_CHECKING:
    from pathlib import Path

    from registry.revisions.retention import Retention
    from tests.parts.registry_wire import Answer
    from tests.parts.valkey import Valkey

ROUTE = {"spec": {"hosts": ["a.example"], "rules": [{"destinations": [{"service": "books"}]}]}}
PLACE = "/v1/namespaces/shop/routes/books"


class Page(msgspec.Struct):
    items: list[AuditRow]
    head: AuditHead
    forgotten: AuditHead = NOTHING_FORGOTTEN


async def audit(registry: RunningRegistry, line: str) -> Page:
    answer = await registry.call("GET", "/v1/audit?after=0&limit=1000", None, line)
    assert answer.status == 200, answer
    return msgspec.json.decode(answer.body, type=Page)


def outline(rows: list[AuditRow]) -> list[tuple[str, str, str, int]]:
    return [(row.principal, row.action, row.outcome, row.revision) for row in rows]


def detail(row: AuditRow) -> Any:
    return msgspec.json.decode(row.detail)


async def fill(registry: RunningRegistry, line: str, namespace: str = "shop") -> None:
    path = f"/v1/namespaces/{namespace}/services/books/instances/i"
    assert (await registry.call("PUT", path, {"port": 1}, line)).status in (200, 201)


async def test_a_row_says_who_did_what_and_how_in_its_own_transaction(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root = await bearer(registry, "root", "admin")
        ed = await bearer(registry, "ed", "editor@shop")
        await fill(registry, root)
        put = await registry.call("PUT", PLACE, ROUTE, ed)
        assert put.status == 201
        changed = {"spec": ROUTE["spec"] | {"hosts": ["b.example"]}}
        assert (await registry.call("PUT", PLACE, changed, ed)).status == 200
        assert (await registry.call("PUT", PLACE, changed, ed)).status == 200, "no change, and no row"
        assert (await registry.call("DELETE", PLACE, None, ed)).status == 204
        made = await registry.call("POST", "/v1/tokens", {"name": "ci", "grants": [{"role": "viewer"}]}, root)
        gone = f"/v1/tokens/{made.json['id']}"
        assert (await registry.call("DELETE", gone, None, root)).status == 204
        page = await audit(registry, root)
        assert outline(page.items) == [
            ("token:root", "instances", "done", 1),
            ("token:ed", f"PUT {PLACE}", "done", 2),
            ("token:ed", f"PUT {PLACE}", "done", 3),
            ("token:ed", f"DELETE {PLACE}", "done", 4),
            ("token:root", "POST /v1/tokens", "done", 0),
            ("token:root", f"DELETE {gone}", "done", 0),
        ]
        assert {row.address for row in page.items} == {"127.0.0.1"}
        assert detail(page.items[0]) == {"instances": [["put", "shop/books/i", 1]], "count": 1}
        assert detail(page.items[2])["changes"] == [
            {
                "op": "put",
                "document": "Route shop/books",
                "fields": [{"path": "spec.hosts[0]", "from": "a.example", "to": "b.example"}],
            }
        ]
        assert detail(page.items[3])["changes"] == [{"op": "delete", "document": "Route shop/books"}]
        assert detail(page.items[4])["changes"][0]["op"] == "create"
        assert made.json["token"].encode() not in msgspec.json.encode(page)
        assert fault_of(page.items, page.head) is None
        newest = await registry.call("GET", "/v1/audit?limit=2", None, root)
        assert [row["seq"] for row in newest.json["items"]] == [6, 5]
        older = await registry.call("GET", f"/v1/audit?limit=2&cursor={newest.json['next']}", None, root)
        assert [row["seq"] for row in older.json["items"]] == [4, 3]
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        await fill(registry, root, "bank")
        again = await audit(registry, root)
        assert again.head.seq == 7, "it goes on behind a restart"
        assert fault_of(again.items, again.head) is None


async def test_denied_writes_stand_there_too_and_denied_reads_do_not(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root, eve = await bearer(registry, "root", "admin"), await bearer(registry, "eve", "viewer@shop")
        await fill(registry, root)
        assert (await registry.call("PUT", PLACE, ROUTE, eve)).status == 403
        assert (await registry.call("PUT", "/v1/namespaces/bank/routes/x", ROUTE, eve)).status == 404
        apply = {"documents": [ROUTE | {"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "x"}}]}
        assert (await registry.call("POST", "/v1/apply", apply, eve)).status == 404
        assert (await registry.call("DELETE", "/eureka/apps/books/i", None, eve)).status == 404
        assert (await registry.call("DELETE", PLACE)).status == 401
        gone = await made_token(registry, "gone", "editor")
        await registry.core.callers.tokens.revoke(TRUSTED, gone.id)
        mistaken = f"Authorization: Bearer {gone.token}"
        assert (await registry.call("DELETE", PLACE, None, mistaken)).json["code"] == "token_revoked"
        beat = await registry.call("POST", "/v1/heartbeats", {"leases": ["x"]}, mistaken)
        assert beat.status == 401, "and no row: it comes again in a moment, and writes nothing"
        assert (await registry.call("POST", "/v1/reports", {}, eve)).status == 403
        for path in ("/v1/telemetry", "/v1/requests", "/v1/spans"):
            assert (await registry.call("POST", path, {}, mistaken)).status == 401
        foreign = "Origin: https://elsewhere.example"
        assert (await registry.call("DELETE", PLACE, None, root, foreign)).json["code"] == "foreign_origin"
        assert (await registry.call("GET", PLACE, None, mistaken)).status == 401
        assert (await registry.call("GET", "/v1/audit", None, eve)).status == 403
        assert (await registry.call("GET", "/v1/namespaces/bank/routes/x", None, eve)).status == 404
        await until(lambda: registry.core.view.audit_head.seq == 8)
        page = await audit(registry, root)
        assert [(row.principal, row.action, detail(row)["status"]) for row in page.items[1:]] == [
            ("token:eve", f"PUT {PLACE}", 403),
            ("token:eve", "PUT /v1/namespaces/bank/routes/x", 404),
            ("token:eve", "POST /v1/apply", 404),
            ("token:eve", "DELETE /eureka/apps/books/i", 404),
            ("anonymous", f"DELETE {PLACE}", 401),
            ("anonymous", f"DELETE {PLACE}", 401),
            ("anonymous", f"DELETE {PLACE}", 403),
        ]
        assert {row.outcome for row in page.items[1:]} == {"refused"}
        assert fault_of(page.items, page.head) is None


async def test_what_lies_beside_the_revisions_stands_there_without_its_secret(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        assert (await registry.call("POST", "/v1/identity/authority", {})).status == 201
        since = registry.core.view.audit_head.seq
        made = await registry.call("POST", "/v1/identity/enrolments", {"subject": "shop/books"})
        taken = await registry.call("POST", "/v1/identity/root-key")
        assert (made.status, taken.status) == (201, 200)
        assert (await registry.call("POST", "/v1/identity/root-key")).status == 409, "and no row"
        page = await audit(registry, "X: y")
        rows = [row for row in page.items if row.seq > since]
        assert outline(rows) == [
            ("loopback", "POST /v1/identity/enrolments", "done", 0),
            ("loopback", "POST /v1/identity/root-key", "done", 0),
        ]
        ((enrolment,), (root_key,)) = (detail(row)["changes"] for row in rows)
        assert enrolment == {"op": "create", "enrolment": made.json["subject"], "id": made.json["id"]}
        assert (root_key["op"], set(root_key)) == ("take", {"op", "root_key"})
        told = msgspec.json.encode(page)
        assert made.json["token"].encode() not in told
        assert b"PRIVATE KEY" not in told


async def test_without_its_row_nothing_is_done(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await fill(registry, "X: y")
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            other.execute("DROP TABLE audit")
            other.commit()
        refused = await registry.call("PUT", PLACE, ROUTE)
        assert refused.status == 503
        assert (await registry.call("GET", PLACE)).status == 404
        with pytest.raises(StoreUnavailable):
            await registry.core.store.audit_after(0, 10)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET principal = 'token:eve' WHERE seq = 3",
        "UPDATE audit SET detail = CAST(replace(detail, 'books', 'cooks') AS BLOB) WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq >= 4",
        "DELETE FROM audit",
        "UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE seq END WHERE seq IN (2, 3)",
    ],
)
async def test_what_is_done_to_the_rows_in_the_store_is_found(tmp_path: Path, statement: str) -> None:
    async with running_registry(tmp_path) as registry:
        for number in range(5):
            await fill(registry, "X: y", f"n{number}")
        page = await audit(registry, "X: y")
        assert (page.head.seq, fault_of(page.items, page.head)) == (5, None)
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            other.execute(statement)
            other.execute("UPDATE audit SET seq = -seq WHERE seq < 0")
            other.commit()
        page = await audit(registry, "X: y")
        assert fault_of(page.items, page.head) is not None


async def test_registries_that_share_a_store_share_one_chain(tmp_path: Path, database_url: str, valkey: Valkey) -> None:
    settings: dict[str, Any] = {"database_url": database_url, "redis_url": valkey.url}
    async with running_registry(tmp_path / "a", **settings) as one, running_registry(tmp_path / "b", **settings) as two:

        async def work(registry: RunningRegistry, name: str) -> None:
            for number in range(10):
                await fill(registry, "X: y", f"{name}{number}")
                await made_token(registry, f"{name}{number}", "viewer")
                body = {"name": f"x{name}{number}", "grants": [{"role": "viewer"}]}
                assert (await registry.call("POST", "/v1/tokens", body)).status == 201

        await asyncio.gather(
            *(work(registry, f"{letter}{at}") for registry, letter in ((one, "a"), (two, "b")) for at in range(2))
        )
        pages = [await audit(registry, "X: y") for registry in (one, two)]
        for page in pages:
            assert fault_of(page.items, page.head) is None
            counts = [detail(row).get("count", 1) for row in page.items]
            assert sum(counts) == 80, "each once"
        assert pages[0].head == pages[1].head


async def test_the_feed_tells_the_head_of_the_log(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await fill(registry, "X: y")
        follower = registry.core.feed.follow(since=None, epoch=None, node="g", wake=lambda: None)
        while follower.take():
            pass
        registry.core.feed.tick()
        (tick,) = FrameReader().feed(follower.take())
        head = registry.core.view.audit_head
        assert isinstance(tick, Tick)
        assert tick.audit == f"1:{head.hash.hex()}"
        follower.close()


@pytest.mark.proves("MeshSettings.retention", "Retention.audit")
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_rows_older_than_the_mesh_keeps_them_are_forgotten_and_the_chain_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    settings: dict[str, Any] = {}
    if kind == "postgres":
        settings["database_url"] = request.getfixturevalue("postgres").new_database()
    monkeypatch.setattr(retention, "_STEP_ROWS", 3)
    async with running_registry(tmp_path, **settings) as registry:
        for number in range(10):
            await fill(registry, "X: y", f"n{number}")
        await registry.core.retention.compact()
        page = await audit(registry, "X: y")
        assert (len(page.items), page.forgotten) == (10, NOTHING_FORGOTTEN)
        assert (await keeping(registry, "2159h")).status == 422
        assert (await keeping(registry, "2160h")).status == 201
        for age_s, kept in ((2159 * 3600.0, 11), (2161 * 3600.0, 1)):
            aged(registry.core.retention, age_s)
            await registry.core.retention.compact()
            page = await audit(registry, "X: y")
            assert len(page.items) == kept
            assert fault_of(page.items, page.head, page.forgotten) is None
        assert page.forgotten.seq == 11
        (told,) = page.items
        assert outline([told]) == [("registry", "retention", "done", 0)]
        assert detail(told)["changes"] == [{"op": "forget", "audit": "1-11", "hash": page.forgotten.hash}]
        await fill(registry, "X: y", "later")
        page = await audit(registry, "X: y")
        assert [row.seq for row in page.items] == [12, 13]
        assert fault_of(page.items, page.head, page.forgotten) is None
        assert fault_of(page.items[1:], page.head, page.forgotten) is not None
    async with running_registry(tmp_path, **settings) as registry:
        await fill(registry, "X: y", "restarted")
        page = await audit(registry, "X: y")
        assert fault_of(page.items, page.head, page.forgotten) is None
        assert page.head.seq == 14


async def keeping(registry: RunningRegistry, age: str) -> Answer:
    path = "/v1/namespaces/mesh/mesh-settings/mesh"
    return await registry.call("PUT", path, {"spec": {"retention": {"audit": age}}})


def aged(kept: Retention, age_s: float) -> None:
    """So much later, and due again."""
    kept._wall = lambda: time.time() + age_s
    kept._audit_due_s = 0.0
