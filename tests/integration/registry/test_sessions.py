"""People sign in at the registry: what a session may, how it ends, and what nobody can do with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from meshway.identity import Principal
from registry.machine.guards import CONFIRMED_S
from registry.people.cookies import PLAIN_NAME, SECURE_NAME
from registry.people.sessions import MAX_OF_ONE
from registry.rights.records import SESSION, Session, encode, read_items
from registry.store.interface import PeopleRecord
from tests.parts.conditions import until, until_told
from tests.parts.people import PASSWORD, SAME_ORIGIN, Browser, bound, made_user, signed_in
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from tests.parts.valkey import Valkey

SECONDS = 5.0
ROUTE = {"spec": {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "books"}]}]}}
PLACE = "/v1/namespaces/shop/routes/books"
pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in, and there is a service to write a Route for."""
    async with running_registry(tmp_path, trusts_loopback=False) as running:
        root = await bearer(running, "of-the-test", "admin")
        for namespace in ("shop", "bank"):
            place = f"/v1/namespaces/{namespace}/services/books/instances/b-1"
            assert (await running.call("PUT", place, {"port": 9000}, root)).status == 201
        yield running


def open_sessions(registry: RunningRegistry) -> list[str]:
    return [digest for digest, _ in read_items(registry.core.view.people.get(SESSION, {}), Session)]


async def test_who_signs_in_has_the_rights_of_the_bindings_and_what_is_kept_signs_nobody_in(
    strict: RunningRegistry, tmp_path: Path
) -> None:
    ann = await signed_in(strict, "ann", "editor@shop")
    assert (await ann.call("PUT", PLACE, ROUTE)).status == 201
    refused = await ann.call("PUT", PLACE.replace("shop", "bank"), ROUTE)
    assert refused.status == 404
    session = (await ann.call("GET", "/v1/session")).json
    assert (session["principal"], session["user"]["name"], session["how"]) == ("user:ann", "ann", "password")
    assert sorted(session["rights"]) == ["shop"]
    assert session["csrf"] == ann.csrf
    (digest,) = open_sessions(strict)
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or ann.cookie.encode() not in file.read_bytes(), file
    for wrong in (digest, digest[:43], "mws_" + ann.cookie):
        assert (await strict.call("GET", "/v1/session", None, f"Cookie: {PLAIN_NAME}={wrong}")).status == 401


async def test_a_session_outlives_the_registry_and_ends_when_it_is_ended(tmp_path: Path) -> None:
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        ann = await signed_in(registry, "ann", "viewer")
    async with running_registry(tmp_path, trusts_loopback=False) as registry:
        ann.registry = registry
        assert (await ann.call("GET", "/v1/session")).status == 200
        kept = ann.lines()
        async with RawClient(registry.port) as watch:
            watch.send("GET", "/v1/watch", None, *kept)
            assert (await watch.head()).status == 200
            gone = await ann.call("DELETE", "/v1/session")
            assert (gone.status, gone.headers["set-cookie"].partition(";")[0]) == (204, f"{PLAIN_NAME}=")
            async with asyncio.timeout(10):
                await watch.reader.read()
        assert (await registry.call("GET", "/v1/session", None, *kept)).status == 401


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((SAME_ORIGIN,), "csrf"),
        ((SAME_ORIGIN, "Meshway-CSRF: AAAA"), "csrf"),
        (("Meshway-CSRF: {csrf}",), "csrf"),
        (("Sec-Fetch-Site: cross-site", "Meshway-CSRF: {csrf}"), "foreign_site"),
        (("Sec-Fetch-Site: same-site", "Meshway-CSRF: {csrf}"), "foreign_site"),
        (("Origin: http://evil.example", "Meshway-CSRF: {csrf}"), "foreign_origin"),
        (("Origin: null", "Meshway-CSRF: {csrf}"), "foreign_origin"),
        ((SAME_ORIGIN, "Meshway-CSRF: {csrf}"), ""),
        (("Origin: http://localhost", "Meshway-CSRF: {csrf}"), ""),
    ],
)
async def test_by_a_cookie_only_a_page_of_our_own_writes(
    strict: RunningRegistry, lines: tuple[str, ...], code: str
) -> None:
    ann = await signed_in(strict, "ann", "editor@shop")
    cookie = f"Cookie: {PLAIN_NAME}={ann.cookie}"
    sent = [line.format(csrf=ann.csrf) for line in lines]
    answer = await strict.call("PUT", PLACE, ROUTE, cookie, *sent)
    if code:
        assert (answer.status, answer.json["code"]) == (403, code)
        assert not strict.core.view.documents.get("Route")
    else:
        assert answer.status == 201, answer


async def test_a_page_of_another_site_reads_nothing_by_the_cookie(strict: RunningRegistry) -> None:
    ann = await signed_in(strict, "ann", "viewer")
    cookie = f"Cookie: {PLAIN_NAME}={ann.cookie}"
    for site in ("cross-site", "same-site"):
        answer = await strict.call("GET", "/v1/session", None, cookie, f"Sec-Fetch-Site: {site}")
        assert (answer.status, answer.json["code"]) == (403, "foreign_site")
    assert (await strict.call("GET", "/v1/session", None, cookie)).status == 200


async def test_what_programs_say_to_each_other_takes_no_cookie_whatever_its_session_may(
    strict: RunningRegistry,
) -> None:
    root = await signed_in(strict, "root", "admin")
    heartbeat = "/v1/namespaces/shop/services/books/instances/b-1/heartbeat"
    for method, path, body in (
        ("GET", "/v1/feed", None),
        ("POST", "/v1/reports", {}),
        ("POST", "/v1/assignments", {}),
        ("POST", "/v1/heartbeats", {"leases": []}),
        ("PUT", heartbeat, {}),
        ("POST", "/v1/registrations", {"instances": []}),
        ("GET", "/v1/agent/services", None),
        ("GET", "/v1/catalog/services", None),
        ("GET", "/eureka/apps", None),
        ("GET", "/nacos/v1/ns/service/list?pageNo=1&pageSize=1", None),
    ):
        answer = await root.call(method, path, body)
        assert answer.status in (401, 403), (path, answer)
    assert (await root.call("GET", "/v1/gateways")).status == 200
    text = (await strict.call("POST", "/v1/session", {"name": "root", "password": PASSWORD, "carrier": "bearer"})).json
    line = f"Authorization: Bearer {text['token']}"
    assert (await strict.call("GET", "/v1/agent/services", None, line)).status == 200, "a bearer's text is no cookie"
    as_cookie = f"Cookie: {PLAIN_NAME}={text['token']}"
    assert (await strict.call("GET", "/v1/session", None, as_cookie)).status == 401
    assert (await strict.call("GET", "/v1/session", None, f"Authorization: Bearer {root.cookie}")).status == 401


async def test_a_session_that_somebody_planted_is_not_taken_over(strict: RunningRegistry) -> None:
    """Session fixation: the id after the sign-in is another, and the planted one is over."""
    await made_user(strict, "eve", "viewer@shop")
    ann, eve = await signed_in(strict, "ann", "editor@shop"), Browser(strict)
    assert (await eve.sign_in("eve")).status == 201
    victim = Browser(strict)
    victim.cookie, victim.csrf = eve.cookie, eve.csrf
    assert (await victim.sign_in("ann")).status == 201
    assert victim.cookie not in (eve.cookie, ann.cookie)
    assert (await eve.call("GET", "/v1/session")).status == 401
    assert (await victim.call("GET", "/v1/session")).json["principal"] == "user:ann"
    made_up = Browser(strict)
    made_up.cookie = "A" * 43
    assert (await made_up.sign_in("ann")).status == 201
    assert made_up.cookie != "A" * 43


async def test_a_role_that_is_taken_ends_at_once_and_one_that_is_added_comes_with_a_new_id(
    strict: RunningRegistry,
) -> None:
    ann = await signed_in(strict, "ann", "viewer@shop")
    watch = RawClient(strict.port)
    async with watch:
        watch.send("GET", "/v1/watch?namespace=shop", None, *ann.lines())
        assert (await watch.head()).status == 200
        binding = await bound(strict, "ann", "editor@shop")
        old = list(ann.lines())
        assert (await strict.call("PUT", PLACE, ROUTE, *old)).status == 403
        before = ann.cookie
        told = (await ann.call("GET", "/v1/session")).json
        assert "documents:write" in told["rights"]["shop"]
        assert ann.cookie != before
        assert (await strict.call("GET", "/v1/session", None, *old)).status == 401
        assert (await ann.call("PUT", PLACE, ROUTE)).status == 201
        async with asyncio.timeout(10):
            await watch.reader.read()
    assert (await strict.call("GET", "/v1/bindings", None, *ann.lines())).status == 403
    root = await bearer(strict, "root", "admin")
    assert (await strict.call("DELETE", f"/v1/bindings/{binding}", None, root)).status == 204
    assert (await ann.call("DELETE", PLACE)).status == 403
    assert (await ann.call("GET", PLACE)).status == 200


async def test_keys_the_authority_and_users_ask_again_after_some_minutes(strict: RunningRegistry) -> None:
    root = await signed_in(strict, "root", "admin")
    wanted = {"name": "ci", "grants": [{"role": "viewer", "namespace": "*"}]}
    assert (await root.call("POST", "/v1/tokens", wanted)).status == 201
    _age(strict, CONFIRMED_S + 1)
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/tokens", wanted | {"name": "ci-2"}),
        ("POST", "/v1/users", {"name": "bob"}),
        ("PATCH", "/v1/users/root", {"display_name": "R"}),
        ("POST", "/v1/users/root/reset", {}),
        ("DELETE", "/v1/users/root", None),
        ("POST", "/v1/bindings", {"subject": "root", "role": "viewer"}),
        ("POST", "/v1/session/totp", None),
        ("POST", "/v1/identity/authority", {}),
        ("POST", "/v1/identity/root-key", None),
        ("POST", "/v1/identity/enrolments", {"subject": "shop/books"}),
    ]
    for method, path, body in calls:
        answer = await root.call(method, path, body)
        assert (answer.status, answer.json["code"]) == (403, "confirm_needed"), path
    assert (await root.call("PUT", PLACE, ROUTE)).status == 201, "documents need no second look"
    assert (await root.call("GET", "/v1/users")).status == 200
    before = root.cookie
    wrong = await root.call("POST", "/v1/session/confirm", {"password": "wrong horse battery"})
    assert (wrong.status, wrong.json["code"]) == (401, "wrong_credentials")
    assert (await root.call("POST", "/v1/session/confirm", {"password": PASSWORD})).status == 200
    assert root.cookie != before
    assert (await root.call(*calls[0])).status == 201
    token = await bearer(strict, "t", "admin")
    assert (await strict.call("POST", "/v1/users", {"name": "bob"}, token)).status == 201, "a token is no person"


def _age(registry: RunningRegistry, by_s: float) -> None:
    """All sessions' last confirmation, as if that time had passed."""
    view = registry.core.view
    for digest, one in list(read_items(view.people[SESSION], Session)):
        version = view.people[SESSION][digest].version + 1
        aged = msgspec.structs.replace(one, confirmed_at=one.confirmed_at - by_s)
        view.know_people([PeopleRecord(SESSION, digest, version, one.until, encode(aged))])


async def test_with_tls_the_cookie_is_the_hosts_own_and_the_plain_one_counts_for_nothing(
    strict: RunningRegistry,
) -> None:
    await made_user(strict, "ann", "viewer")
    async with RawClient(strict.port) as client:
        head = "POST /v1/session HTTP/1.1\r\nHost: registry.example\r\n"
        body = b'{"name": "ann", "password": "%s"}' % PASSWORD.encode()
        client.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await client.answer()
        assert answer.status == 201
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SECURE_NAME}=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure")
        text = cookie.partition(";")[0].partition("=")[2]
        for name, status in ((SECURE_NAME, 200), (PLAIN_NAME, 401)):
            get = f"GET /v1/session HTTP/1.1\r\nHost: registry.example\r\nCookie: {name}={text}\r\n\r\n"
            client.writer.write(get.encode())
            assert (await client.answer()).status == status, name


async def test_what_one_registry_ends_the_other_refuses_within_seconds(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    settings = {"database_url": database_url, "redis_url": valkey.url, "trusts_loopback": False}
    async with running_registry(tmp_path / "a", **settings) as one, running_registry(tmp_path / "b", **settings) as two:
        root = await bearer(one, "root", "admin")
        for name, method, path, body in (
            ("disabled", "PATCH", "/v1/users/disabled", {"is_disabled": True}),
            ("deleted", "DELETE", "/v1/users/deleted", None),
            ("ended", "DELETE", "/v1/users/ended/sessions", None),
        ):
            ann = await signed_in(one, name, "viewer")
            ann.registry = two

            async def is_let_in(browser: Browser = ann) -> bool:
                return (await two.call("GET", "/v1/session", None, *browser.lines())).status == 200

            async def is_refused(browser: Browser = ann) -> bool:
                return (await two.call("GET", "/v1/session", None, *browser.lines())).status == 401

            await until_told(is_let_in, 30)
            async with RawClient(two.port) as watch:
                watch.send("GET", "/v1/watch", None, *ann.lines())
                assert (await watch.head()).status == 200
                assert (await one.call(method, path, body, root)).status in (200, 204)
                began = time.monotonic()
                await until_told(is_refused, 30)
                assert time.monotonic() - began < 2 * SECONDS, "on an idle machine below 2.5 s"
                async with asyncio.timeout(10):
                    await watch.reader.read()


async def test_an_admin_ends_whosever_session_he_sees(strict: RunningRegistry) -> None:
    root, ann = await bearer(strict, "root", "admin"), await signed_in(strict, "ann", "viewer")
    ada = Principal("sso:corp:ada", groups=frozenset({"corp:devs"}), method="session")
    for _ in range(3):
        await strict.core.callers.sessions.open(ada, (), "sso", action="by a test")
    items = (await strict.call("GET", "/v1/sessions", None, root)).json["items"]
    assert sorted(item["principal"] for item in items) == ["sso:corp:ada"] * 3 + ["user:ann"]
    of_ada = (await strict.call("GET", "/v1/sessions?principal=sso:corp:ada", None, root)).json["items"]
    assert len(of_ada) == 3
    assert not any(ann.cookie in str(item) for item in items)
    place = "/v1/users/sso:corp:ada/sessions"
    assert (await strict.call("DELETE", f"{place}/{of_ada[0]['id']}", None, root)).status == 204
    assert (await strict.call("DELETE", f"{place}/{of_ada[0]['id']}", None, root)).status == 404
    assert (await strict.call("DELETE", f"{place}/0", None, root)).status == 404
    assert len((await strict.call("GET", "/v1/sessions", None, root)).json["items"]) == 3
    assert (await strict.call("DELETE", place, None, root)).status == 204
    left = (await strict.call("GET", "/v1/users/ann/sessions", None, root)).json["items"]
    assert [item["principal"] for item in (await strict.call("GET", "/v1/sessions", None, root)).json["items"]] == [
        "user:ann"
    ]
    assert (await ann.call("DELETE", f"/v1/users/ann/sessions/{left[0]['id']}")).status == 403
    assert (await strict.call("DELETE", f"/v1/users/ann/sessions/{left[0]['id']}", None, root)).status == 204
    assert (await ann.call("GET", "/v1/session")).status == 401


async def test_of_one_person_the_oldest_session_makes_room(strict: RunningRegistry) -> None:
    ada = Principal("sso:corp:ada", method="session")
    for _ in range(MAX_OF_ONE):
        await strict.core.callers.sessions.open(ada, (), "sso", action="by a test")
    before = {item.id for item in strict.core.callers.sessions.shown(ada.name)}
    await strict.core.callers.sessions.open(ada, (), "sso", action="by a test")
    after = {item.id for item in strict.core.callers.sessions.shown(ada.name)}
    assert len(after) == MAX_OF_ONE
    assert len(before - after) == 1


async def test_two_registries_cannot_take_each_others_last_admin(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    settings = {"database_url": database_url, "redis_url": valkey.url, "trusts_loopback": False}
    async with running_registry(tmp_path / "a", **settings) as one, running_registry(tmp_path / "b", **settings) as two:
        for name in ("ann", "bob"):
            await made_user(one, name, "admin")
        await until(lambda: len(two.core.view.people.get("user", {})) == 2)
        left, right = Browser(one), Browser(two)
        assert (await left.sign_in("ann")).status == 201
        assert (await right.sign_in("bob")).status == 201
        answers = await asyncio.gather(
            left.call("PATCH", "/v1/users/bob", {"is_disabled": True}),
            right.call("PATCH", "/v1/users/ann", {"is_disabled": True}),
        )
        codes = sorted((answer.status, answer.json.get("code", "")) for answer in answers)
        assert codes in ([(200, ""), (409, "last_admin")], [(200, ""), (401, "not_signed_in")]), codes


async def test_a_use_is_written_down_so_that_another_registry_knows_of_it(strict: RunningRegistry) -> None:
    ann = await signed_in(strict, "ann", "viewer")
    (digest,) = open_sessions(strict)
    assert (await ann.call("GET", "/v1/session")).status == 200
    await strict.core.callers.people.note_uses()
    (seen,) = [record for record in await strict.core.store.people() if record.kind == "seen"]
    assert seen.id == digest
    assert (await ann.call("GET", "/v1/session")).status == 200
    await strict.core.callers.people.note_uses()
    assert seen in await strict.core.store.people(), "the one before is young enough"
