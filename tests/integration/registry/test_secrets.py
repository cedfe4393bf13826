"""Secrets at the registry: written, and told by nothing but names and fingerprints."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from meshway.snapshot import FrameReader, SecretFrame, SecretsWanted
from registry.settings import StartRefused
from registry.store.session import FILE_NAME
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import RawClient
from tests.parts.secrets import api_key, kept

CANARY = "canary-f00d-1d"
AT = "/v1/namespaces/default/secrets"
NAMES = ("spec", "versions")


def opaque(*values: str, **fields: Any) -> dict[str, Any]:
    return {"spec": {"type": "opaque", "data": {f"k{at}": value for at, value in enumerate(values)}} | fields}


async def told(registry: RunningRegistry, name: str = "a") -> dict[str, Any]:
    answer = await registry.call("GET", f"{AT}/{name}")
    assert answer.status == 200
    spec: dict[str, Any] = answer.json["spec"]
    return spec


async def frames(registry: RunningRegistry) -> list[SecretFrame | SecretsWanted]:
    """What a gateway that comes now is told of Secrets."""
    follower = registry.core.feed.follow(since=None, epoch=None, node="g", wake=lambda: None, is_gateway=True)
    try:
        found = b"".join(iter(follower.take, b""))
    finally:
        follower.close()
    return [frame for frame in FrameReader().feed(found) if isinstance(frame, SecretFrame | SecretsWanted)]


async def test_what_is_written_is_told_by_names_and_fingerprints_and_applies_again_unchanged(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        made = await registry.call("PUT", f"{AT}/a", opaque(CANARY, "x"))
        assert made.status == 201
        assert CANARY not in made.body.decode()
        spec = await told(registry)
        assert (spec["type"], spec["keep"], spec["versions"][0]["keys"]) == ("opaque", True, ["k0", "k1"])
        assert len(spec["versions"][0]["fingerprint"]) == 8
        exported = (await registry.call("GET", f"{AT}/a")).json
        for again in (opaque(CANARY, "x"), exported):
            answer = await registry.call("PUT", f"{AT}/a", again)
            assert (answer.status, answer.headers["meshway-result"]) == (200, "unchanged")
        other = await registry.call("PUT", f"{AT}/b", opaque(CANARY, "x"))
        assert other.json["spec"]["versions"][0]["fingerprint"] == spec["versions"][0]["fingerprint"]
        changed = await registry.call("PUT", f"{AT}/a", opaque("other"))
        assert changed.json["spec"]["versions"][0]["n"] == 2
        assert changed.json["spec"]["versions"][0]["fingerprint"] != spec["versions"][0]["fingerprint"]


async def test_serving_types_change_at_once_and_verifying_ones_overlap_until_told_otherwise(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:

        def keys(letter: str, **fields: Any) -> dict[str, Any]:
            return {"spec": {"type": "api_key_set", "data": [kept(api_key("acme0001", letter))]} | fields}

        for at, letter in enumerate("abcdefg"):
            answer = await registry.call("PUT", f"{AT}/k", keys(letter, overlap="1h"))
            assert answer.status == (200 if at else 201)
        versions = (await told(registry, "k"))["versions"]
        assert [one["n"] for one in versions] == [7, 6, 5, 4, 3]
        assert "until" not in versions[0]
        assert all(one["until"] for one in versions[1:])
        kept_on = {"spec": {"type": "api_key_set", "keep": True, "drop_old": True}}
        assert (await registry.call("PUT", f"{AT}/k", kept_on)).status == 200
        assert [one["n"] for one in (await told(registry, "k"))["versions"]] == [7]
        await registry.call("PUT", f"{AT}/a", opaque("1"))
        await registry.call("PUT", f"{AT}/a", opaque("2"))
        assert [one["n"] for one in (await told(registry))["versions"]] == [2]


async def test_what_cannot_be_kept_or_would_be_another_type_is_refused(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        nothing = await registry.call("PUT", f"{AT}/a", {"spec": {"type": "opaque", "keep": True}})
        assert (nothing.status, nothing.json["errors"][0]["code"]) == (422, "missing_field")
        assert (await registry.call("PUT", f"{AT}/a", opaque("1"))).status == 201
        other = await registry.call("PUT", f"{AT}/a", {"spec": {"type": "api_key_set", "data": []}})
        assert (other.status, other.json["errors"][0]["path"]) == (422, "spec.type")


async def test_a_secret_is_found_by_its_type_and_share_and_is_not_deleted_while_it_is_used(tmp_path: Path) -> None:
    asks = {"spec": {"methods": [{"basic": {"secret": "users"}}]}}
    at = "/v1/namespaces/default/authentications/people"
    users = {"type": "basic_users", "data": [{"username": "ada", "password": CANARY}]}
    async with running_registry(tmp_path) as registry:
        lacks = await registry.call("PUT", at, asks)
        error = lacks.json["errors"][0]
        assert (error["path"], error["code"]) == ("spec.methods[0].basic.secret", "unknown_reference")
        await registry.call("PUT", f"{AT}/users", opaque("x"))
        assert (await registry.call("PUT", at, asks)).json["errors"][0]["code"] == "wrong_type"
        assert (await registry.call("DELETE", f"{AT}/users")).status == 204
        of_mesh = "/v1/namespaces/mesh/secrets/users"
        assert (await registry.call("PUT", of_mesh, {"spec": users})).status == 201
        told_of = (await registry.call("PUT", at, asks)).json["errors"][0]["message"]
        assert told_of.endswith("is not shared with namespace default: its spec says so by share_with: [default]")
        other = {"spec": {"methods": [{"basic": {"secret": "usrs"}}]}}
        for place, nowhere in (("default", "namespace default, nor in mesh"), ("mesh", "namespace mesh")):
            lacks = await registry.call("PUT", f"/v1/namespaces/{place}/authentications/people", other)
            assert lacks.json["errors"][0]["message"].endswith(f'"usrs" is no Secret in {nowhere}')
        assert await frames(registry) == []
        assert (await registry.call("PUT", of_mesh, {"spec": users | {"share_with": ["default"]}})).status == 200
        assert (await registry.call("PUT", at, asks)).status == 201
        found = await frames(registry)
        assert [type(frame) for frame in found] == [SecretsWanted, SecretFrame]
        assert isinstance(found[1], SecretFrame)
        assert found[1].key == ("mesh", "users")
        assert found[1].versions[0].data[0]["hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        in_use = await registry.call("DELETE", of_mesh)
        assert (in_use.status, in_use.json["code"]) == (409, "in_use")
        assert "Authentication default/people" in in_use.body.decode()
        unshared = await registry.call("PUT", of_mesh, {"spec": {"type": "basic_users", "keep": True}})
        assert unshared.status == 409
        again = await registry.call("PUT", of_mesh, {"spec": users | {"share_with": ["default"]}})
        assert again.headers["meshway-result"] == "unchanged"


async def test_followers_hear_of_a_change_before_the_revision_that_brings_it(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        await registry.call("PUT", f"{AT}/keys", {"spec": {"type": "api_key_set", "data": []}})
        follower = registry.core.feed.follow(since=None, epoch=None, node="g", wake=lambda: None, is_gateway=True)

        def heard() -> list[str]:
            return [type(frame).__name__ for frame in FrameReader().feed(b"".join(iter(follower.take, b"")))]

        assert heard() == ["Hello", "Snapshot", "SnapshotEnd"]
        asks = {"spec": {"methods": [{"api_key": {"secret": "keys"}}]}}
        await registry.call("PUT", "/v1/namespaces/default/authentications/partners", asks)
        assert heard() == ["SecretFrame", "Delta"]
        fresh = {"spec": {"type": "api_key_set", "data": [kept(api_key("acme0001"))]}}
        await registry.call("PUT", f"{AT}/keys", fresh)
        assert heard() == ["SecretFrame", "Delta"]
        await registry.call("DELETE", "/v1/namespaces/default/authentications/partners")
        assert heard() == ["SecretsWanted", "Delta"]
        follower.close()


async def test_secrets_outlive_the_process_open_by_the_master_key_alone_and_are_clear_nowhere(tmp_path: Path) -> None:
    asks = {"spec": {"methods": [{"api_key": {"secret": "keys"}}]}}
    key = api_key("acme0001")
    async with running_registry(tmp_path) as registry:
        await registry.call("PUT", f"{AT}/a", opaque(CANARY))
        await registry.call("PUT", f"{AT}/keys", {"spec": {"type": "api_key_set", "data": [kept(key)]}})
        await registry.call("PUT", "/v1/namespaces/default/authentications/partners", asks)
        before = await frames(registry)
        backup = (await registry.call("POST", "/v1/backup")).body
    assert CANARY.encode() not in backup
    async with running_registry(tmp_path) as registry:
        assert await frames(registry) == before
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file
    (tmp_path / "master.key").unlink()
    with pytest.raises(StartRefused, match="master key"):
        async with running_registry(tmp_path):
            pass


async def test_a_row_that_took_another_s_place_is_not_handed_out(tmp_path: Path) -> None:
    asks = {"spec": {"methods": [{"api_key": {"secret": "one"}}]}}
    async with running_registry(tmp_path) as registry:
        for name in ("one", "two"):
            spec = {"type": "api_key_set", "data": [kept(api_key(f"acme-{name}"))]}
            await registry.call("PUT", f"{AT}/{name}", {"spec": spec})
        await registry.call("PUT", "/v1/namespaces/default/authentications/partners", asks)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(
            "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE name = 'two') WHERE name = 'one'"
        )
    async with running_registry(tmp_path) as registry:
        assert await frames(registry) == []
        answer = await registry.call("PUT", f"{AT}/one", {"spec": {"type": "api_key_set", "data": []}})
        assert (answer.status, answer.json["code"]) == (500, "seal_broken")


async def test_no_answer_of_the_registry_tells_what_a_secret_holds(tmp_path: Path) -> None:
    """Whatever reads: lists, history, diffs, restores, watches, conflicts, explanations, and every refusal."""
    password = {"type": "basic_users", "data": [{"username": "ada", "password": CANARY}]}
    async with running_registry(tmp_path) as registry:
        texts: list[str] = []

        async def call(method: str, path: str, body: object = None, *lines: str) -> None:
            texts.append((await registry.call(method, path, body, *lines)).body.decode())

        await call("PUT", f"{AT}/a", opaque(CANARY))
        await call("PUT", f"{AT}/a", opaque(CANARY + "2"), 'If-Match: "1"', "Idempotency-Key: abc")
        await call("PUT", f"{AT}/a", opaque(CANARY + "3"), 'If-Match: "999"')
        await call("PUT", f"{AT}/users", {"spec": password})
        document = {"apiVersion": "meshway/v1", "kind": "Secret", "metadata": {"name": "b"}, **opaque(CANARY)}
        for query in ("", "?dry_run=true", "?dry_run=true&rehearse=10m"):
            await call("POST", f"/v1/apply{query}", {"documents": [document]}, "Idempotency-Key: of-the-test")
        await call("POST", "/v1/apply", {"documents": [document | {"spec": {"type": "tls", "data": CANARY}}]})
        await call("POST", "/v1/apply", {"documents": [document | {"kind": "Secrt"}]})
        yaml = (
            f"apiVersion: meshway/v1\nkind: Secret\nmetadata: {{name: c}}\nspec: {{type: opaque, data: {{a: {CANARY}}}"
        )
        await call("POST", "/v1/apply", yaml.encode(), "Content-Type: application/yaml")
        await call("POST", "/v1/explain", {"url": "http://x/", "documents": [document]})
        for path in (
            AT, f"{AT}/a", "/v1/namespaces/-/secrets", "/v1/revisions", "/v1/revisions?kind=Secret&name=a",
            "/v1/revisions/1", "/v1/revisions/2", "/v1/revisions/0/diff", "/v1/revisions/1/diff",
        ):  # fmt: skip
            await call("GET", path)
        await call("POST", "/v1/revisions/1/restore")
        await call("DELETE", f"{AT}/a")
        await call("POST", "/v1/revisions/1/restore")
        whole = "\n".join(texts)
        assert "fingerprint" in whole
        assert CANARY not in whole
        watcher = registry.core.feed.watch(since=None, wake=lambda: None)
        assert CANARY not in json.dumps([str(part) for part in watcher.take()])
        watcher.close()
        for once in registry.core.view.onces.values():
            assert CANARY.encode() not in once.answer
        await asyncio.sleep(0)


async def test_only_gateways_are_told_what_secrets_hold(tmp_path: Path) -> None:
    asks = {"spec": {"methods": [{"api_key": {"secret": "keys"}}]}}
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        admin = await bearer(registry, "root", "admin")
        await registry.call("PUT", f"{AT}/keys", {"spec": {"type": "api_key_set", "data": []}}, admin)
        await registry.call("PUT", "/v1/namespaces/default/authentications/partners", asks, admin)

        assert "SecretFrame" in await heard_by(registry, await bearer(registry, "gw", "gateway"))
        assert "SecretFrame" not in await heard_by(registry, admin)
        viewer = await bearer(registry, "eve", "viewer")
        assert (await registry.call("GET", "/v1/feed", None, viewer)).status == 403
    async with running_registry(tmp_path) as registry:
        assert "SecretFrame" in await heard_by(registry), "a machine that is trusted as a whole"


async def heard_by(registry: RunningRegistry, *lines: str) -> set[str]:
    """Frames of the feed until its snapshot is over."""
    async with RawClient(registry.port) as client:
        client.send("GET", "/v1/feed", None, *lines)
        assert (await client.head()).status == 200
        reader, found = FrameReader(), set[str]()
        while "SnapshotEnd" not in found:
            found |= {type(frame).__name__ for frame in reader.feed(await client.piece())}
        return found


async def test_the_digest_of_a_repeatable_write_is_none_that_passwords_can_be_tried_against(tmp_path: Path) -> None:
    users = {"type": "basic_users", "data": [{"username": "ada", "password": "1234"}]}
    document = {"apiVersion": "meshway/v1", "kind": "Secret", "metadata": {"name": "users"}, "spec": users}
    body = json.dumps({"documents": [document]}).encode()
    async with running_registry(tmp_path) as registry:
        key = "Idempotency-Key: of-the-test"
        answers = [await registry.call("POST", "/v1/apply", body, key) for _ in range(2)]
        assert [(answer.status, answer.body) for answer in answers] == [(200, answers[0].body)] * 2
        other = await registry.call("POST", "/v1/apply", body.replace(b"1234", b"4321"), key)
        assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
        (once,) = registry.core.view.onces.values()
        assert once.fingerprint not in (hashlib.sha256(text).digest() for text in (body, b"\n" + body))


async def test_who_may_only_read_is_not_told_whether_a_guess_is_right(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        editor, viewer = await bearer(registry, "ed", "editor"), await bearer(registry, "eve", "viewer")
        assert (await registry.call("PUT", f"{AT}/a", opaque(CANARY), editor)).status == 201
        head = {"apiVersion": "meshway/v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "default"}}
        shown = (await registry.call("GET", f"{AT}/a", None, viewer)).json["spec"]
        for spec, line, status in (
            (opaque(CANARY)["spec"], viewer, 403),
            (opaque("wrong")["spec"], viewer, 403),
            (opaque(CANARY)["spec"], editor, 200),
            (shown, viewer, 200),
        ):
            body = {"documents": [head | {"spec": spec}]}
            answer = await registry.call("POST", "/v1/apply?dry_run=true", body, line)
            assert answer.status == status, answer
