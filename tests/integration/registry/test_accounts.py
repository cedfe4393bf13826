"""People's own accounts: passwords by link, codes of an app, guessing held off, and each of it in the audit log."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from meshway import passwords
from meshway.problem import Problem
from registry.people.throttle import FREE
from registry.people.totp import STEP_S, code_at
from registry.people.users import LINK_S
from tests.parts.people import PASSWORD, ROOT, Browser, bound, made_user, signed_in
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer

OTHER = "staple battery horse correct"
pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in."""
    async with running_registry(tmp_path, trusts_loopback=False) as running:
        yield running


async def audit(registry: RunningRegistry, admin: str) -> list[dict[str, Any]]:
    """Newest first."""
    rows: list[dict[str, Any]] = (await registry.call("GET", "/v1/audit", None, admin)).json["items"]
    return rows


async def test_a_link_sets_the_password_once_and_within_minutes(strict: RunningRegistry) -> None:
    root = await bearer(strict, "root", "admin")
    made = await strict.call("POST", "/v1/users", {"name": "ann", "display_name": "Ann"}, root)
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    link = made.json["link"]
    assert link["path"] == f"/setup#{link['token']}"
    assert abs(link["expires_at"] - time.time() - LINK_S) < 60
    ann = Browser(strict)
    assert (await ann.sign_in("ann", "")).json["code"] == "wrong_credentials", "there is no password yet"
    for body, status, code in (
        ({"token": "A" * 43, "password": PASSWORD}, 401, "void_link"),
        ({"token": link["token"], "password": "short"}, 422, "invalid_request"),
        ({"token": link["token"], "password": "aaaaaaaaaaaaaaaaaaaa"}, 422, "invalid_request"),
        ({"token": link["token"], "password": PASSWORD, "name": "root"}, 422, "invalid_request"),
        ({"token": link["token"], "password": PASSWORD}, 200, None),
        ({"token": link["token"], "password": OTHER}, 401, "void_link"),
    ):
        answer = await strict.call("POST", "/v1/session/setup", body)
        assert (answer.status, answer.json.get("code")) == (status, code), body
    assert (await ann.sign_in("ann")).status == 201
    assert (await Browser(strict).sign_in("ann", OTHER)).status == 401


async def test_of_many_who_use_a_link_at_once_one_wins(strict: RunningRegistry) -> None:
    root = await bearer(strict, "root", "admin")
    link = (await strict.call("POST", "/v1/users", {"name": "ann"}, root)).json["link"]
    tried = [f"{at} battery horse staple" for at in range(8)]
    bodies = [{"token": link["token"], "password": password} for password in tried]
    answers = await asyncio.gather(*(strict.call("POST", "/v1/session/setup", body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200, *[401] * 7]
    won = tried[[answer.status for answer in answers].index(200)]
    assert (await Browser(strict).sign_in("ann", won)).status == 201


async def test_a_link_that_is_over_is_refused(strict: RunningRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    root = await bearer(strict, "root", "admin")
    link = (await strict.call("POST", "/v1/users", {"name": "ann"}, root)).json["link"]
    monkeypatch.setattr(strict.core.callers.users, "_wall", lambda: time.time() + LINK_S + 1)
    refused = await strict.call("POST", "/v1/session/setup", {"token": link["token"], "password": PASSWORD})
    assert (refused.status, refused.json["code"]) == (401, "void_link")


async def test_a_new_link_takes_the_password_and_the_sessions_away(strict: RunningRegistry) -> None:
    root, ann = await bearer(strict, "root", "admin"), await signed_in(strict, "ann", "viewer")
    first = (await strict.call("POST", "/v1/users/ann/reset", {}, root)).json["link"]
    assert (await ann.call("GET", "/v1/session")).status == 401
    assert (await Browser(strict).sign_in("ann")).status == 401
    second = (await strict.call("POST", "/v1/users/ann/reset", {}, root)).json["link"]
    for link, status in ((first, 401), (second, 200)):
        body = {"token": link["token"], "password": OTHER}
        assert (await strict.call("POST", "/v1/session/setup", body)).status == status


async def test_a_password_that_another_gave_must_be_changed_before_anything_else(strict: RunningRegistry) -> None:
    root = await bearer(strict, "root", "admin")
    wanted = {"name": "ann", "password": PASSWORD}
    assert "link" not in (await strict.call("POST", "/v1/users", wanted, root)).json
    await strict.call("POST", "/v1/bindings", {"subject": "ann", "role": "viewer"}, root)
    ann, elsewhere = Browser(strict), Browser(strict)
    for browser in (ann, elsewhere):
        assert (await browser.sign_in("ann")).status == 201
    session = (await ann.call("GET", "/v1/session")).json
    assert session["user"]["must_change"]
    assert session["rights"] == {}
    refused = await ann.call("GET", "/v1/namespaces/default/services")
    assert (refused.status, refused.json["code"]) == (403, "password_change_needed")
    wrong = await ann.call("PUT", "/v1/session/password", {"password": OTHER, "new_password": OTHER})
    assert wrong.json["code"] == "wrong_credentials"
    assert (await ann.call("PUT", "/v1/session/password", {"password": PASSWORD, "new_password": OTHER})).status == 200
    assert "*" in (await ann.call("GET", "/v1/session")).json["rights"]
    assert (await elsewhere.call("GET", "/v1/session")).status == 401, "other sessions end with the old password"
    assert (await Browser(strict).sign_in("ann", OTHER)).status == 201


async def test_who_guesses_is_held_off_by_account_and_by_address_and_learns_no_names(strict: RunningRegistry) -> None:
    await made_user(strict, "ann", "viewer")
    answers = {}
    for name in ("ann", "nobody"):
        browser = Browser(strict)
        strict.core.callers.accounts._throttle._addresses._known.clear()
        answers[name] = [await browser.sign_in(name, f"wrong horse battery {at}") for at in range(7)]
    assert [answer.status for answer in answers["ann"]] == [401] * 5 + [429] * 2
    for known, unknown in zip(answers["ann"], answers["nobody"], strict=True):
        same = ("code", "title", "detail") if known.status == 401 else ("code", "title")
        assert [known.json[member] for member in same] == [unknown.json[member] for member in same]
    assert int(answers["ann"][5].headers["retry-after"]) >= 1
    assert (await Browser(strict).sign_in("ann")).status == 429, "also with the right password"
    strict.core.callers.accounts._throttle._accounts._known.clear()
    assert (await Browser(strict).sign_in("bob", "whoever he is")).status == 429, "the address waits, too"


async def test_tries_that_come_together_are_counted_together(strict: RunningRegistry) -> None:
    await made_user(strict, "ann", "viewer")
    tries = [Browser(strict).sign_in("ann", f"wrong horse battery {at}") for at in range(20)]
    statuses = sorted(answer.status for answer in await asyncio.gather(*tries))
    assert statuses == [401] * 5 + [429] * 15


async def test_a_hash_is_computed_for_unknown_names_too(
    strict: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_user(strict, "ann", "viewer")
    await made_user(strict, "off", "viewer")
    root = await bearer(strict, "root", "admin")
    assert (await strict.call("PATCH", "/v1/users/off", {"is_disabled": True}, root)).status == 200
    await strict.call("POST", "/v1/users", {"name": "new"}, root)
    costs: list[str] = []
    compare = passwords.is_right

    def counted(password: bytes, hashed: str) -> bool:
        costs.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return compare(password, hashed)

    monkeypatch.setattr(passwords, "is_right", counted)
    for name in ("ann", "off", "new", "nobody", ""):
        assert (await Browser(strict).sign_in(name, "wrong horse battery")).status == 401
    assert costs == ["$argon2id$v=19$m=64,t=1,p=1"] * 5, "as a right one would cost"


async def test_codes_of_an_app_are_asked_for_and_taken_once(strict: RunningRegistry) -> None:
    ann = await signed_in(strict, "ann", "viewer")
    offered = (await ann.call("POST", "/v1/session/totp")).json
    uri = urlsplit(offered["uri"])
    assert parse_qs(uri.query)["secret"] == [offered["secret"]]
    secret = base64.b32decode(offered["secret"])
    stored = [one for one in await strict.core.store.people() if one.kind == "user"]
    assert secret not in (stored[0].value or b""), "it is sealed"
    assert (await Browser(strict).sign_in("ann")).status == 201, "it counts once a code was given"
    wrong = await ann.call("PUT", "/v1/session/totp", {"totp": "000000"})
    assert wrong.status in (401, 204)
    step = int(time.time()) // STEP_S
    assert (await ann.call("PUT", "/v1/session/totp", {"totp": code_at(secret, step)})).status == 204

    async def tried(**more: str) -> tuple[int, str]:
        answer = await Browser(strict).sign_in("ann", **more)
        return answer.status, answer.json.get("code", "")

    assert await tried() == (401, "totp_needed")
    assert await tried(totp=code_at(secret, step)) == (401, "wrong_credentials"), "it was given before"
    later = code_at(secret, step + 1)
    assert await tried(password=OTHER, totp=later) == (401, "wrong_credentials")
    both = await asyncio.gather(tried(totp=later), tried(totp=later))
    assert sorted(both) == [(201, ""), (401, "wrong_credentials")], "one of both"
    root = await bearer(strict, "root", "admin")
    assert (await strict.call("DELETE", "/v1/users/ann/totp", None, root)).status == 204
    assert await tried() == (201, "")


async def test_the_last_admin_stays_and_a_token_counts_as_one(strict: RunningRegistry) -> None:
    ann = await signed_in(strict, "ann", "admin")
    binding = (await ann.call("GET", "/v1/bindings")).json["items"][0]["id"]
    gone: list[tuple[str, str, Any]] = [
        ("PATCH", "/v1/users/ann", {"is_disabled": True}),
        ("POST", "/v1/users/ann/reset", {}),
        ("DELETE", f"/v1/bindings/{binding}", None),
        ("DELETE", "/v1/users/ann", None),
    ]
    for method, path, body in gone:
        answer = await ann.call(method, path, body)
        assert (answer.status, answer.json["code"]) == (409, "last_admin"), path
    made = await ann.call("POST", "/v1/tokens", {"name": "root", "grants": [{"role": "admin"}]})
    line = f"Authorization: Bearer {made.json['token']}"
    for method, path, body in (gone[0], gone[1], gone[3]):
        answer = await ann.call(method, path, body)
        assert (answer.status, answer.json["code"]) == (409, "last_admin"), "the only person, by herself"
        assert "the only person" in answer.json["detail"]
    assert (await strict.call(*gone[3], line)).status == 204, "who has the token may"
    refused = await strict.call("DELETE", f"/v1/tokens/{made.json['id']}", None, line)
    assert (refused.status, refused.json["code"]) == (409, "last_admin")
    assert (await strict.call("GET", "/v1/bindings", None, line)).json["items"] == [], "they went with their user"


async def test_one_of_two_admins_may_leave(strict: RunningRegistry) -> None:
    ann = await signed_in(strict, "ann", "admin")
    await made_user(strict, "ben", "admin")
    assert (await ann.call("PATCH", "/v1/users/ann", {"is_disabled": True})).status == 200


async def test_who_is_held_off_stands_in_the_audit_log_by_the_address_that_a_proxy_tells(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False, trusted_proxies=("127.0.0.0/8",)) as registry:
        root = await bearer(registry, "root", "admin")
        await made_user(registry, "ann")
        told, other = "X-Forwarded-For: 203.0.113.1, 192.0.2.7", "X-Forwarded-For: 192.0.2.8"
        wrong = {"name": "nobody", "password": OTHER}
        codes = [(await registry.call("POST", "/v1/session", wrong, told)).json["code"] for _ in range(FREE + 1)]
        assert codes == ["wrong_credentials"] * FREE + ["too_many_failures"]
        right = {"name": "ann", "password": PASSWORD}
        assert (await registry.call("POST", "/v1/session", right, told)).status == 429, "her address is held off"
        assert (await registry.call("POST", "/v1/session", right, other)).status == 201, "another one is not"
        rows = await audit(registry, root)
        refused = [row["address"] for row in rows if row["outcome"] == "refused"]
        assert refused == ["192.0.2.7"] * (FREE + 2), rows


async def test_a_role_for_nobody_says_how_to_make_somebody(strict: RunningRegistry) -> None:
    root = await bearer(strict, "root", "admin")
    await made_user(strict, "ann")
    for subject, kind, part in (("anne", "user", "did you mean ann?"), ("devs", "group", "PROVIDER:GROUP")):
        body = {"kind": kind, "subject": subject, "role": "viewer"}
        refused = await strict.call("POST", "/v1/bindings", body, root)
        assert (refused.status, refused.json["errors"][0]["path"]) == (422, "subject")
        assert part in refused.json["detail"]
        assert refused.json["mend"]
    good = {"kind": "group", "subject": "corp:devs", "role": "viewer"}
    assert (await strict.call("POST", "/v1/bindings", good, root)).status == 201


async def test_nobody_binds_more_than_they_have(strict: RunningRegistry) -> None:
    await made_user(strict, "bob")
    head = await signed_in(strict, "head", "namespace-admin@shop", "viewer@bank")
    for role, namespace, status in (
        ("editor", "shop", 201),
        ("editor", "shop", 201),
        ("namespace-admin", "shop", 201),
        ("viewer", "bank", 403),
        ("viewer", "none", 404),
        ("viewer", "*", 403),
        ("admin", "*", 403),
        ("admin", "shop", 422),
        ("gateway", "*", 422),
    ):
        body = {"subject": "bob", "role": role, "namespace": namespace}
        assert (await head.call("POST", "/v1/bindings", body)).status == status, body
    unknown = {"subject": "nobody", "role": "viewer", "namespace": "shop"}
    assert (await head.call("POST", "/v1/bindings", unknown)).status == 422
    assert (
        await head.call("POST", "/v1/bindings", unknown | {"kind": "group", "subject": "corp:nobody"})
    ).status == 201
    seen = {(item["subject"], item["namespace"]) for item in (await head.call("GET", "/v1/bindings")).json["items"]}
    assert seen == {("bob", "shop"), ("head", "shop"), ("corp:nobody", "shop")}
    root = await bearer(strict, "root", "admin")
    all_bindings = (await strict.call("GET", "/v1/bindings", None, root)).json["items"]
    (of_bank,) = [item["id"] for item in all_bindings if item["namespace"] == "bank"]
    assert (await head.call("DELETE", f"/v1/bindings/{of_bank}")).status == 404
    highest = await signed_in(strict, "all", "namespace-admin")
    for text, status in (("admin", 403), ("editor", 204)):
        assert (await highest.call("DELETE", f"/v1/bindings/{await bound(strict, 'bob', text)}")).status == status
    assert (await head.call("GET", "/v1/users")).status == 403


async def test_who_guesses_links_holds_off_nobody_who_has_one(strict: RunningRegistry) -> None:
    _, link = await strict.core.callers.users.create("ann", ROOT)
    assert link is not None
    elsewhere, guesser = msgspec.structs.replace(ROOT, address="192.0.2.9"), ROOT
    for code in ["void_link"] * FREE + ["too_many_failures"]:
        with pytest.raises(Problem) as refused:
            await strict.core.callers.accounts.set_up("guessed", "", PASSWORD, guesser)
        assert refused.value.code == code
    assert await strict.core.callers.accounts.set_up(link.token, "", PASSWORD, elsewhere) == "ann"


async def test_the_first_link_makes_the_first_admin_and_then_neither_it_nor_the_file_does(
    strict: RunningRegistry, tmp_path: Path
) -> None:
    link, second = await strict.core.callers.users.first_link(), await strict.core.callers.users.first_link()
    assert link is not None
    assert second is not None
    file = f"Authorization: Bearer {(tmp_path / 'bootstrap.token').read_text().strip()}"
    assert (await strict.call("GET", "/v1/users", None, file)).status == 200
    body = {"token": link.token, "password": PASSWORD}
    assert (await strict.call("POST", "/v1/session/setup", body)).status == 422, "the first one says his name"
    assert (await strict.call("POST", "/v1/session/setup", body | {"name": "root"})).status == 200
    root = Browser(strict)
    assert (await root.sign_in("root")).status == 201
    assert (await root.call("GET", "/v1/session")).json["rights"]["*"]
    late = {"token": second.token, "password": PASSWORD, "name": "eve"}
    assert (await strict.call("POST", "/v1/session/setup", late)).status == 401
    assert (await strict.call("GET", "/v1/users", None, file)).status == 401
    assert await strict.core.callers.users.first_link() is None


async def test_each_sign_in_and_each_change_of_people_stands_in_the_audit_log_without_secrets(
    strict: RunningRegistry,
) -> None:
    admin = await bearer(strict, "root", "admin")
    link = (await strict.call("POST", "/v1/users", {"name": "ann"}, admin)).json["link"]
    await strict.call("POST", "/v1/session/setup", {"token": link["token"], "password": PASSWORD})
    await strict.call("POST", "/v1/bindings", {"subject": "ann", "role": "viewer"}, admin)
    ann = Browser(strict)
    await ann.sign_in("ann", "wrong horse battery")
    await ann.sign_in("ann")
    await ann.call("DELETE", "/v1/session")
    rows = await audit(strict, admin)
    seen = [
        (row["principal"], row["outcome"], row["action"], row["detail"].get("changes", [{}])[0].get("op"))
        for row in reversed(rows)
    ]
    assert seen == [
        ("token:root", "done", "POST /v1/users", "create"),
        ("anonymous", "done", "POST /v1/session/setup", "set_password"),
        ("token:root", "done", "POST /v1/bindings", "bind"),
        ("anonymous", "refused", "POST /v1/session as ann", None),
        ("user:ann", "done", "POST /v1/session", "sign_in"),
        ("user:ann", "done", "DELETE /v1/session", "sign_out"),
    ]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    whole = str(rows)
    for secret in (PASSWORD, link["token"], ann.cookie, "argon2"):
        assert not secret or secret not in whole


async def test_preferences_are_a_persons_own_and_small(strict: RunningRegistry) -> None:
    ann, bob = await signed_in(strict, "ann"), await signed_in(strict, "bob")
    assert (await ann.call("GET", "/v1/session/preferences")).json == {}
    assert (await ann.call("PUT", "/v1/session/preferences", {"language": "zh"})).status == 204
    assert (await ann.call("GET", "/v1/session/preferences")).json == {"language": "zh"}
    assert (await bob.call("GET", "/v1/session/preferences")).json == {}
    assert (await ann.call("PUT", "/v1/session/preferences", {"a": "x" * (16 << 10)})).status == 413
    assert (await ann.call("PUT", "/v1/session/preferences", [1])).status == 422
    token = await bearer(strict, "ci", "admin")
    refused = await strict.call("PUT", "/v1/session/preferences", {}, token)
    assert (refused.status, refused.json["code"]) == (403, "no_session")
