"""Tokens over the API: told once, kept hashed, never above their maker's own, refused soon after they are revoked."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from registry.people.keeping import PeopleKeeping
from registry.revisions.draft import OfPeople
from registry.rights import tokens
from registry.rights.bootstrap import Bootstrap
from registry.rights.caller import TRUSTED
from registry.store.interface import TokenRecord
from tests.parts.conditions import until, until_told
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer, made_token
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from registry.revisions.draft import Draft
    from tests.parts.valkey import Valkey

SECONDS = 5.0


async def create(registry: RunningRegistry, line: str, name: str, *grants: tuple[str, str], **more: Any) -> Any:
    rows = [{"role": role, "namespace": namespace} for role, namespace in grants]
    return await registry.call("POST", "/v1/tokens", {"name": name, "grants": rows} | more, line)


async def test_a_token_is_told_once_and_is_in_no_list_and_no_file(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root = await bearer(registry, "root", "admin")
        made = await create(registry, root, "ci", ("editor", "shop"), expires_in_s=3600)
        assert (made.status, made.headers["cache-control"]) == (201, "no-store")
        text = made.json["token"]
        session = (await registry.call("GET", "/v1/session", None, f"Authorization: Bearer {text}")).json
        assert (session["principal"], sorted(session["rights"])) == ("token:ci", ["shop"])
        assert abs(session["expires_at"] - time.time() - 3600) < 60
        listed = await registry.call("GET", "/v1/tokens", None, root)
        assert [item["name"] for item in listed.json["items"]] == ["root", "ci"]
        assert text.encode() not in listed.body
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or text[13:].encode() not in file.read_bytes(), file
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        assert (await registry.call("GET", "/v1/session", None, f"Authorization: Bearer {text}")).status == 200


async def test_nobody_gives_more_than_they_have(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root = await bearer(registry, "root", "admin")
        head = await bearer(registry, "head", "namespace-admin@shop", "viewer@bank")
        for grants, status in (
            ([("editor", "shop")], 201),
            ([("namespace-admin", "shop")], 201),
            ([("viewer", "bank")], 403),
            ([("viewer", "none")], 404),
            ([("viewer", "*")], 403),
            ([("admin", "*")], 403),
            ([("gateway", "*")], 403),
            ([("viewer", "shop"), ("viewer", "bank")], 403),
        ):
            made = await create(registry, head, f"t{status}-{len(grants)}-{grants[0][0]}", *grants)
            assert made.status == status, (grants, made)
        assert (await create(registry, head, "w1", service="shop/books")).status == 201
        assert (await create(registry, head, "w2", service="bank/books")).status == 403
        assert (await create(registry, root, "w3", ("admin", "shop"))).status == 422
        assert (await create(registry, root, "w4")).status == 422
        assert (await create(registry, root, "head", ("viewer", "*"))).json["code"] == "name_taken"
        seen = {item["name"] for item in (await registry.call("GET", "/v1/tokens", None, head)).json["items"]}
        assert "root" not in seen
        assert "head" not in seen, "it lies in bank, too, where it may read no tokens"
        assert "w1" in seen


async def test_nobody_takes_back_more_than_they_have(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root = await bearer(registry, "root", "admin")
        head = await bearer(registry, "head", "namespace-admin")
        made = {role: await made_token(registry, f"an-{role}", role) for role in ("admin", "gateway", "editor")}
        statuses = {}
        for role, token in made.items():
            statuses[role] = (await registry.call("DELETE", f"/v1/tokens/{token.id}", None, head)).status
        assert statuses == {"admin": 403, "gateway": 403, "editor": 204}
        for role in ("admin", "gateway"):
            assert (await registry.call("DELETE", f"/v1/tokens/{made[role].id}", None, root)).status == 204


async def test_a_revoked_token_is_refused_and_its_streams_end(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root, made = await bearer(registry, "root", "admin"), await made_token(registry, "eve", "viewer")
        line = f"Authorization: Bearer {made.token}"
        async with (
            RawClient(registry.port) as watch,
            RawClient(registry.port) as other,
            RawClient(registry.port) as kept,
        ):
            for client, sent in ((watch, line), (other, root)):
                client.send("GET", "/v1/watch", None, sent)
                assert (await client.head()).status == 200
            assert (await kept.call("GET", "/v1/session", None, line)).status == 200
            assert (await registry.call("DELETE", f"/v1/tokens/{made.id}", None, line)).status == 403
            assert (await registry.call("DELETE", f"/v1/tokens/{made.id}", None, root)).status == 204
            assert (await registry.call("DELETE", f"/v1/tokens/{made.id}", None, root)).status == 204
            answer = await kept.call("GET", "/v1/session", None, line)
            assert (answer.status, answer.json["code"]) == (401, "token_revoked")
            async with asyncio.timeout(10):
                await watch.reader.read()
            assert len(registry.core.feed.watchers) == 1, "the other one's goes on"


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_token_that_is_revoked_while_its_body_comes_writes_nothing(tmp_path: Path, pieces: int) -> None:
    """pieces: in which the rest of the body comes."""
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root, made = await bearer(registry, "root", "admin"), await made_token(registry, "eve", "editor")
        body = b'{"port": 9000}'
        for path, line, status in (("late", f"Authorization: Bearer {made.token}", 401), ("meanwhile", root, 201)):
            async with RawClient(registry.port) as client:
                place = f"/v1/namespaces/shop/services/books/instances/{path}"
                head = f"PUT {place} HTTP/1.1\r\nHost: localhost\r\n{line}\r\nContent-Length: {len(body)}\r\n"
                client.writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
                assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                assert (await registry.call("DELETE", f"/v1/tokens/{made.id}", None, root)).status == 204
                for at in range(pieces):
                    client.writer.write(body[at * len(body) // pieces : (at + 1) * len(body) // pieces])
                    await client.writer.drain()
                assert (await client.answer()).status == status
        assert list(registry.core.view.services[("shop", "books")]) == ["meanwhile"]


async def test_streams_end_when_their_token_is_over(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        made = await made_token(registry, "eve", "viewer", expires_in_s=0.5)
        async with RawClient(registry.port) as client:
            client.send("GET", "/v1/watch", None, f"Authorization: Bearer {made.token}")
            assert (await client.head()).status == 200

            def is_cut() -> bool:
                registry.surface.end_revoked()
                return not registry.core.feed.watchers

            await until(is_cut)


async def test_the_last_admin_cannot_be_revoked(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        first, second = await made_token(registry, "one", "admin"), await made_token(registry, "two", "admin")
        await made_token(registry, "over", "admin", expires_in_s=0.001)
        line = f"Authorization: Bearer {first.token}"
        assert (await registry.call("DELETE", f"/v1/tokens/{second.id}", None, line)).status == 204
        refused = await registry.call("DELETE", f"/v1/tokens/{first.id}", None, line)
        assert (refused.status, refused.json["code"]) == (409, "last_admin")
        assert (await registry.call("GET", "/v1/tokens", None, line)).status == 200


async def test_the_bootstrap_token_makes_the_first_admin_and_is_refused_from_then_on(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        line = f"Authorization: Bearer {(tmp_path / 'bootstrap.token').read_text().strip()}"
        assert (await create(registry, line, "gateway", ("gateway", "*"))).status == 201
        made = await create(registry, line, "root", ("admin", "*"))
        assert made.status == 201
        assert (await create(registry, line, "other", ("admin", "*"))).status == 401
        root = f"Authorization: Bearer {made.json['token']}"
        assert (await create(registry, root, "other", ("viewer", "*"))).status == 201


async def test_what_one_registry_revokes_the_other_refuses_within_seconds(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    settings = {"database_url": database_url, "redis_url": valkey.url, "trusts_loopback": False}
    async with running_registry(tmp_path / "a", **settings) as one, running_registry(tmp_path / "b", **settings) as two:
        made = await made_token(one, "eve", "viewer")
        line = f"Authorization: Bearer {made.token}"

        async def is_let_in() -> bool:
            return (await two.call("GET", "/v1/session", None, line)).status == 200

        async def is_refused() -> bool:
            return (await two.call("GET", "/v1/session", None, line)).status == 401

        await until_told(is_let_in, 30)
        root = await bearer(one, "root", "admin")
        assert (await one.call("DELETE", f"/v1/tokens/{made.id}", None, root)).status == 204
        began = time.monotonic()
        await until_told(is_refused, 30)
        assert time.monotonic() - began < 2 * SECONDS, "on an idle machine below 2.5 s"
        assert (await one.call("GET", "/v1/session", None, line)).status == 401


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_what_is_over_for_a_month_is_forgotten_and_what_is_not_stays(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    shared = kind == "postgres"
    settings = {"database_url": request.getfixturevalue("postgres").new_database()} if shared else {}
    async with running_registry(tmp_path, **settings) as registry:
        now = time.time()
        for name in ("live", "revoked", "over", "lasts"):
            await made_token(registry, name, "viewer")
        for name in ("first admin", "next admin"):
            await made_token(registry, name.replace(" ", "-"), "admin", expires_in_s=60.0)
        core, held = registry.core, {record.name: record for record in registry.core.view.tokens.values()}
        await core.callers.tokens.revoke(TRUSTED, held["revoked"].id)
        over = msgspec.structs.replace(held["over"], expires_at=now + 60.0)
        lasts = msgspec.structs.replace(held["lasts"], expires_at=now + 400 * 86_400.0)
        for record in (over, lasts):
            await core.revisions.submit(_Put(record))
        core.view.tokens |= {over.id: over, lasts.id: lasts}  # nothing but a revocation changes one that is known
        admins = {"first-admin", "next-admin"}
        for days, left in (
            (29.0, {"live", "revoked", "over", "lasts"} | admins),
            (31.0, {"live", "lasts", "first-admin"}),
            (32.0, {"live", "lasts", "first-admin"}),
        ):
            keeping = PeopleKeeping(core.view, core.store, core.revisions, core.callers.session_callers, _at(now, days))
            await keeping.forget()
            assert {record.name for record in core.view.tokens.values()} == left
            assert {record.name for record in await core.store.tokens()} == left
        text = secrets.token_urlsafe(32)
        assert not Bootstrap(text).is_its_own(text, core.view.tokens.values(), has_admin_user=False)


def _at(now: float, days: float) -> Callable[[], float]:
    return lambda: now + days * 86_400.0


class _Put(msgspec.Struct, OfPeople, frozen=True):
    record: TokenRecord
    size = 100

    def judge(self, draft: Draft) -> None:
        draft.put_token(self.record)


async def test_one_namespace_leaves_the_others_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_OF_ONE", 5)
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        root = await bearer(registry, "root", "admin")
        head = await bearer(registry, "head", "namespace-admin@shop")
        made = [await create(registry, head, f"t{at}", ("viewer", "shop")) for at in range(4)]
        assert [answer.status for answer in made] == [201] * 4
        full = await create(registry, head, "one-more", ("viewer", "shop"))
        assert (full.status, full.json["code"]) == (409, "too_many_tokens")
        assert "namespace shop" in full.json["detail"]
        assert (await create(registry, head, "service", service="shop/books")).status == 409
        assert (await create(registry, root, "bank", ("viewer", "bank"))).status == 201
        assert (await create(registry, root, "all", ("viewer", "*"))).status == 201
        assert (await registry.call("DELETE", f"/v1/tokens/{made[0].json['id']}", None, head)).status == 204
        assert (await create(registry, head, "one-more", ("viewer", "shop"))).status == 201
