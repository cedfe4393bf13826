"""People sign in at a registry by an OpenID provider; programs, by tokens of an issuer outside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from meshway.issuers import key_sources
from meshway.issuers.link import IssuerLink
from meshway.outbound.connection import PlainError
from registry.federation.single_sign_on import GRANT_S, LASTS_S
from registry.revisions.acts import Actor
from registry.rights.caller import TRUSTED
from registry.rights.roles import Role
from registry.rights.token import Grant
from tests.parts.conditions import until
from tests.parts.identity_provider import CLIENT, IdentityProvider
from tests.parts.registry import RunningRegistry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import RawClient
from tests.parts.sign_on import signing_in
from tests.parts.tokens import SigningKey, base64url, token

CHALLENGER = "v" * 43
BOUND = Actor("test", "", "bind")
AUDIENCE = "meshway-ci"
CORP = {"title": "Corp", "audiences": [AUDIENCE]}


class Bench:
    """corp: where people sign in, and programs' tokens come from; other: another provider, as good as the first."""

    def __init__(self, registry: RunningRegistry, corp: IdentityProvider, other: IdentityProvider) -> None:
        self.registry, self.corp, self.other = registry, corp, other
        self.url = f"http://127.0.0.1:{registry.port}"

    async def bind(self, group: str, role: Role = "viewer", namespace: str = "*") -> str:
        shown = await self.registry.core.callers.bindings.create(TRUSTED, "group", group, Grant(role, namespace), BOUND)
        return shown.id

    def browser(self) -> Browser:
        return Browser(self.url)

    async def audited(self) -> list[dict[str, Any]]:
        admin = await bearer(self.registry, f"auditor-{time.monotonic_ns()}", "admin")
        rows: list[dict[str, Any]] = (await self.registry.call("GET", "/v1/audit", None, admin)).json["items"]
        return rows


class Browser:
    """Keeps cookies; goes on only when it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(trust_env=False, timeout=20.0)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, url: str, **query: Any) -> httpx.Response:
        return await self.http.get(url if "://" in url else self.url + url, params=query or None)

    async def begin(self, provider: str = "corp", **query: Any) -> str:
        """Where the provider sends it back to."""
        begun = await self.get("/v1/session/oidc/start", provider=provider, **query)
        assert begun.status_code == 302, begun.text
        told = await self.get(begun.headers["location"])
        return str(told.headers["location"])

    async def sign_in(self, provider: str = "corp", **query: Any) -> httpx.Response:
        return await self.get(await self.begin(provider, **query))

    async def session(self) -> dict[str, Any] | None:
        answer = await self.get("/v1/session")
        return answer.json() if answer.status_code == 200 else None


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    corp, other = IdentityProvider(), IdentityProvider()
    async with (
        corp.upstream.running(),
        other.upstream.running(),
        signing_in(tmp_path, {"corp": corp, "other": other}, corp=CORP) as registry,
    ):
        yield Bench(registry, corp, other)


async def test_a_person_signs_in_and_has_what_the_groups_hold_now(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs", "ops"]}
    first, _ = await bench.bind("corp:devs", "editor", "shop"), await bench.bind("corp:ops", "viewer")
    offered = await bench.registry.call("GET", "/v1/session/oidc")
    assert [one["title"] for one in offered.json["items"]] == ["Corp", "other"]
    async with bench.browser() as browser:
        page = await browser.sign_in(back="/services?of=<shop>")
        assert page.status_code == 200
        assert '<meta http-equiv="refresh" content="0;url=/services?of=&lt;shop&gt;">' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        given = page.headers.get_list("set-cookie")
        assert [one.partition("=")[0] for one in given if "Max-Age=0" not in one] == [
            "meshway",
            "meshway-sso-hint_corp",
        ]
        assert "HttpOnly; SameSite=Strict" in next(one for one in given if one.startswith("meshway="))
        session = await browser.session()
        assert session is not None
        assert session["principal"] == "sso:corp:ada"
        assert set(session["rights"]) == {"*", "shop"}
        assert "documents:write" in session["rights"]["shop"]
        await bench.registry.core.callers.bindings.delete(TRUSTED, first, BOUND)
        assert set((await browser.session() or {})["rights"]) == {"*"}
    rows = await bench.audited()
    assert any(row["principal"] == "sso:corp:ada" and row["action"].endswith("/callback") for row in rows), rows


async def test_nobody_has_a_role_by_the_provider_s_word_alone(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("other:devs"), await bench.bind("devs"), await bench.bind("corp:dev")
    async with bench.browser() as browser:
        refused = await browser.sign_in()
        assert (refused.status_code, refused.json()["code"]) == (403, "no_role")
        assert "corp:devs" in refused.json()["detail"]
        assert await browser.session() is None
        await bench.bind("corp:devs")
        assert (await browser.sign_in()).status_code == 200
    rows = [row for row in await bench.audited() if row["principal"] == "sso:corp:ada"]
    assert [row["outcome"] for row in rows] == ["done", "refused"], rows


async def test_a_group_with_a_user_s_name_is_no_user(bench: Bench) -> None:
    """Nor is a user one who is in it: what is bound to one kind is nothing to the other."""
    bench.corp.subject, bench.corp.claims = "root", {"groups": ["root", "user:root", "corp:root"]}
    for subject in ("root", "user:root", "sso:corp:root"):
        await bench.bind(subject, "admin")
    async with bench.browser() as browser:
        assert (await browser.sign_in()).status_code == 403


async def test_a_sign_in_is_the_browser_s_that_began_it_and_good_once(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    async with bench.browser() as ada, bench.browser() as eve:
        back = await ada.begin()
        assert (await eve.get(back)).status_code == 401, "another browser"
        own = await eve.begin()
        code = parse_qs(urlsplit(own).query)["code"][0]
        state = parse_qs(urlsplit(back).query)["state"][0]
        mixed = await ada.get("/v1/session/oidc/callback", code=code, state=state)
        assert mixed.status_code == 401, "the code of another's sign-in, whose verifier is another"
        assert (await ada.get(back)).status_code == 401, "it is over"
        fresh = await ada.begin()
        assert (await ada.get(fresh)).status_code == 200
        assert (await ada.get(fresh)).status_code == 401, "the answer once more"
        for forged in ("", "?code=x", "?code=x&state=", "?code=x&state=abc.corp", "?code=x&state=abc.none"):
            assert (await eve.get(f"/v1/session/oidc/callback{forged}")).status_code == 401
        assert await eve.session() is None


async def test_an_answer_of_another_issuer_lets_nobody_in(bench: Bench) -> None:
    bench.corp.claims = bench.other.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    async with bench.browser() as browser:
        here, there = await browser.begin("corp"), await browser.begin("other")
        of_corp, of_other = (parse_qs(urlsplit(url).query) for url in (here, there))
        mixed = {"state": of_corp["state"][0], "code": of_other["code"][0], "iss": of_other["iss"][0]}
        assert "another issuer" in (await browser.get("/v1/session/oidc/callback", **mixed)).json()["detail"]
        here = await browser.begin("corp")
        state = parse_qs(urlsplit(here).query)["state"][0]
        renamed = state.replace(".corp", ".other")
        answer = await browser.get(here.replace(urlencode({"state": state}), urlencode({"state": renamed})))
        assert answer.status_code == 401
        bench.corp.claims |= {"iss": bench.other.issuer}
        assert (await browser.sign_in()).status_code == 401
        assert await browser.session() is None


WRONG: tuple[dict[str, Any], ...] = (
    {"aud": "another-client"},
    {"aud": [CLIENT, "another"], "azp": "another"},
    {"exp": 1},
    {"nonce": None},
    {"nonce": "another"},
    {"sub": 7},
    {"iat": None},
)


async def test_an_id_token_that_says_something_else_lets_nobody_in(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    sound = bench.corp.signed
    async with bench.browser() as browser:
        for change in WRONG:
            bench.corp.signed = changing(sound, change)
            assert (await browser.sign_in()).status_code == 401, change
            assert await browser.session() is None
        bench.corp.signed = sound
        assert (await browser.sign_in()).status_code == 200


def changing(sound: Callable[[dict[str, Any]], str], change: dict[str, Any]) -> Callable[[dict[str, Any]], str]:
    """None leaves a claim out."""
    return lambda claims: sound({name: value for name, value in (claims | change).items() if value is not None})


async def test_an_id_token_that_nobody_signed_lets_nobody_in(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    sound, published = bench.corp.signed, json.dumps(bench.corp.key.jwk("k1")).encode()
    another = SigningKey("EC")

    def unsigned(claims: dict[str, Any]) -> str:
        return f"{base64url(json.dumps({'alg': 'none'}).encode())}.{sound(claims).split('.')[1]}."

    def by_the_public_key(claims: dict[str, Any]) -> str:
        head = base64url(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
        signed = f"{head}.{sound(claims).split('.')[1]}"
        return f"{signed}.{base64url(hmac.digest(published, signed.encode(), 'sha256'))}"

    forgers: list[Callable[[dict[str, Any]], str]] = [
        unsigned,
        by_the_public_key,
        lambda claims: token(another, claims),
        lambda claims: sound(claims)[:-4],
        lambda claims: "",
    ]
    async with bench.browser() as browser:
        for at, bench.corp.signed in enumerate(forgers):
            assert (await browser.sign_in()).status_code == 401, at
            assert await browser.session() is None
        bench.corp.signed = sound
        assert (await browser.sign_in()).status_code == 200


async def test_an_address_that_nobody_verified_names_nobody(tmp_path: Path) -> None:
    corp, other = IdentityProvider(), IdentityProvider()
    named = {"name_claim": "email", "required_claims": {"hd": ["corp.example"]}}
    async with (
        corp.upstream.running(),
        other.upstream.running(),
        signing_in(tmp_path, {"corp": corp, "other": other}, corp=named) as registry,
    ):
        bench = Bench(registry, corp, other)
        await bench.bind("corp:devs")
        sound = {"groups": ["devs"], "email": "ada@corp.example", "email_verified": True, "hd": "corp.example"}
        async with bench.browser() as browser:
            for change in ({"email_verified": False}, {"email_verified": None}, {"hd": "evil.example"}, {"email": ""}):
                corp.claims = sound | change
                assert (await browser.sign_in()).status_code == 403, change
            assert await browser.session() is None
            corp.claims = sound
            assert (await browser.sign_in()).status_code == 200
            assert (await browser.session() or {})["principal"] == "sso:corp:ada@corp.example"


ELSEWHERE = ("//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\tb", "")


async def test_nobody_is_sent_to_another_site(bench: Bench) -> None:
    async with bench.browser() as browser:
        for back in ELSEWHERE:
            assert (await browser.get("/v1/session/oidc/start", provider="corp", back=back)).status_code == 422, back
        other_host = await browser.http.get(
            f"{bench.url}/v1/session/oidc/start?provider=corp", headers={"Host": "evil.example"}
        )
        assert other_host.status_code == 421
        assert (await browser.get("/v1/session/oidc/start", provider="none")).status_code == 404
        begun = await browser.get("/v1/session/oidc/start", provider="corp", back="/services")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["redirect_uri"] == [f"{bench.url}/v1/session/oidc/callback"]


async def test_a_provider_that_is_away_is_said_and_others_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.corp.claims = bench.other.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs"), await bench.bind("other:devs")
    async with bench.browser() as browser:
        back = await browser.begin()
        bench.corp.is_down = True
        away = await browser.get(back)
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")
        assert (await browser.sign_in("other")).status_code == 200
        bench.corp.is_down = False

        async def hangs(*_: object, **__: object) -> tuple[int, bytes]:
            raise PlainError("nothing came within 5 s", "timeout")

        monkeypatch.setattr(IssuerLink, "post", hangs)
        assert (await browser.sign_in()).status_code == 503


async def test_keys_are_replaced_without_a_restart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sources, "UNKNOWN_KEY_S", 0.0)
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    bench.corp.key, bench.corp.key_id = SigningKey("EC"), "k2"
    federation, name = bench.registry.core.callers.federation, f"openid+{bench.corp.issuer}"
    assert federation is not None
    async with bench.browser() as browser:
        early = await browser.sign_in()
        assert (early.status_code, early.json()["code"]) == (503, "provider_away"), "its new key is not known yet"
        await until(lambda: b"k2" in (federation.keys.text(name) or (b"",))[0], what="the new key")
        assert (await browser.sign_in()).status_code == 200


async def test_ten_thousand_begun_sign_ins_are_kept_nowhere(bench: Bench) -> None:
    desk = bench.registry.core.callers.single_sign_on
    assert desk is not None
    host = f"127.0.0.1:{bench.registry.port}".encode()
    onward = desk.start("corp", host, b"", back="/", port=0, challenge="")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10_000):
        desk.start("corp", host, b"", back="/", port=0, challenge="")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 256 << 10, grown
    cookie = b"Cookie: " + onward.cookies.partition(b": ")[2].partition(b";")[0] + b"\r\n"
    for _ in range(9):
        onward = desk.start("corp", host, cookie, back="/", port=0, challenge="")
        given = [line.partition(b": ")[2].partition(b";")[0] for line in onward.cookies.split(b"\r\n") if line]
        kept = [pair for pair in cookie[8:-2].split(b"; ") if pair.partition(b"=")[0] + b"=" not in given]
        cookie = b"Cookie: " + b"; ".join([*kept, *(pair for pair in given if pair[-1:] != b"=")]) + b"\r\n"
    assert cookie.count(b"=") == 5, "of one browser"


async def test_who_signs_out_is_sent_to_the_provider(bench: Bench) -> None:
    async with bench.browser() as browser:
        sent = (await browser.get("/v1/session/oidc/end", provider="corp")).headers["location"]
        assert sent.startswith(f"{bench.corp.issuer}/logout?client_id={CLIENT}")
        assert parse_qs(urlsplit(sent).query)["post_logout_redirect_uri"] == [f"{bench.url}/"]
        assert "id_token_hint" not in sent, "nobody has signed in by it"


async def test_who_is_signed_in_comes_back_from_the_provider_s_site_all_the_same(bench: Bench) -> None:
    """Chromium sends the session's cookie along where our own page began the way through the provider."""
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    async with bench.browser() as browser:
        assert (await browser.sign_in()).status_code == 200
        back = await browser.begin(confirm="true")
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert (await browser.http.get(back, headers=foreign)).status_code == 200
        assert (await browser.http.get(f"{bench.url}/v1/session", headers=foreign)).status_code == 403


async def test_the_provider_is_told_whose_sign_out_it_is_once(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    async with bench.browser() as browser, bench.browser() as another:
        signed_in = await browser.sign_in()
        (kept,) = [one for one in signed_in.headers.get_list("set-cookie") if one.startswith("meshway-sso-hint_corp=")]
        assert "HttpOnly; SameSite=Lax" in kept
        asked = parse_qs(
            urlsplit((await browser.get("/v1/session/oidc/end", provider="corp")).headers["location"]).query
        )
        head, claims, signature = asked["id_token_hint"][0].split(".")
        assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"] == "ada"
        assert not any(part in kept for part in (head, claims, signature)), "it is sealed"
        again = (await browser.get("/v1/session/oidc/end", provider="corp")).headers["location"]
        assert "id_token_hint" not in again
        # A cookie of another provider's name, or one that was made elsewhere, tells nothing.
        another.http.cookies.set("meshway-sso-hint_other", kept.partition("=")[2].partition(";")[0])
        assert "id_token_hint" not in (await another.get("/v1/session/oidc/end", provider="other")).headers["location"]


async def test_what_needs_a_confirmed_session_has_one_when_the_provider_has_asked_again(bench: Bench) -> None:
    """A browser that is still signed in at the provider comes back at once, whoever sits before it."""
    bench.corp.claims = {"groups": ["admins"]}
    await bench.bind("corp:admins", "admin")
    made = {"name": "t", "grants": [{"role": "viewer", "namespace": "*"}]}
    async with bench.browser() as browser:

        async def make() -> int:
            csrf = (await browser.session() or {})["csrf"]
            fields = {"Meshway-CSRF": csrf, "Sec-Fetch-Site": "same-origin"}
            return (await browser.http.post(f"{bench.url}/v1/tokens", json=made, headers=fields)).status_code

        assert (await browser.sign_in()).status_code == 200
        assert await make() == 403, "nobody was asked"
        bench.corp.claims["auth_time"] = int(time.time()) - 3600
        assert (await browser.sign_in()).status_code == 200
        assert await make() == 403, "an hour ago"
        assert (await browser.sign_in(confirm="true")).status_code == 401, "it says the same when it is to ask again"
        bench.corp.claims["auth_time"] = int(time.time()) + 3600
        assert (await browser.sign_in(confirm="true")).status_code == 401
        del bench.corp.claims["auth_time"]
        bench.corp.asks_again = False
        assert (await browser.sign_in(confirm="true")).status_code == 401
        bench.corp.asks_again = True
        assert (await browser.sign_in(confirm="true")).status_code == 200
        assert await make() == 201


async def test_a_person_s_sessions_are_ended_by_an_admin_and_by_the_next_day(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs")
    admin, viewer = await bearer(bench.registry, "root", "admin"), await bearer(bench.registry, "eve", "viewer")
    path = "/v1/users/sso:corp:ada/sessions"
    async with bench.browser() as browser, bench.browser() as elsewhere:
        for each in (browser, elsewhere):
            assert (await each.sign_in()).status_code == 200
        listed = (await bench.registry.call("GET", path, None, admin)).json["items"]
        assert len(listed) == 2
        assert all(one["until"] - one["opened_at"] <= LASTS_S for one in listed)
        assert (await bench.registry.call("DELETE", path, None, viewer)).status == 403
        one = f"{path}/{listed[0]['id']}"
        assert (await bench.registry.call("DELETE", one, None, admin)).status == 204
        assert [await each.session() is None for each in (browser, elsewhere)] == [False, True]
        assert (await bench.registry.call("DELETE", path, None, admin)).status == 204
        assert await browser.session() is None


async def test_a_command_gets_its_session_by_its_verifier_alone(bench: Bench) -> None:
    bench.corp.claims = {"groups": ["devs"]}
    await bench.bind("corp:devs", "viewer")
    challenge = base64url(hashlib.sha256(CHALLENGER.encode()).digest())
    async with bench.browser() as browser:
        for port, wrong in ((0, challenge), (70_000, challenge), (9, "short"), (9, challenge[:-1] + "/")):
            assert (
                await browser.get("/v1/session/oidc/start", provider="corp", port=port, challenge=wrong)
            ).status_code == 422
        sent = (await browser.sign_in(port=4711, challenge=challenge)).headers["location"]
        assert sent.startswith("http://127.0.0.1:4711/?grant=")
        assert await browser.session() is None, "the browser has none of its own by it"
        grant = parse_qs(urlsplit(sent).query)["grant"][0]

        async def redeem(text: str, verifier: str) -> Any:
            return await bench.registry.call("POST", "/v1/session/oidc/grants", {"grant": text, "verifier": verifier})

        assert (await redeem(grant, "w" * 43)).status == 401
        assert (await redeem(grant[:-8] + "AAAAAAAA", CHALLENGER)).status == 401
        made = (await redeem(grant, CHALLENGER)).json
        assert made["principal"] == "sso:corp:ada"
        session = await bench.registry.call("GET", "/v1/session", None, f"Authorization: Bearer {made['token']}")
        assert session.json["principal"] == "sso:corp:ada"
        cookie = await bench.registry.call("GET", "/v1/session", None, f"Cookie: meshway={made['token']}")
        assert cookie.status == 401, "it is a bearer's"
        desk = bench.registry.core.callers.single_sign_on
        assert desk is not None
        now = time.time()
        desk._wall = lambda: now + GRANT_S + 1
        assert (await redeem(grant, CHALLENGER)).status == 401


def issued(bench: Bench, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": bench.corp.issuer, "aud": AUDIENCE, "sub": "ci", "iat": now, "exp": now + 300, "groups": ["ci"]}
    made = {name: value for name, value in (claims | changes).items() if value is not None}
    return f"Authorization: Bearer {token(bench.corp.key, made)}"


async def test_a_program_signs_in_by_its_issuer_s_token(bench: Bench) -> None:
    call = bench.registry.call
    port, path = {"port": 9000}, "/v1/namespaces/shop/services/books/instances/one"
    assert (await call("PUT", path, port, issued(bench))).status == 404, "no role by default"
    first = await bench.bind("corp:ci", "editor", "shop")
    assert (await call("PUT", path, port, issued(bench))).status == 201
    session = (await call("GET", "/v1/session", None, issued(bench))).json
    assert session["principal"] == "sso:corp:ci"
    assert (await call("GET", "/v1/namespaces/bank/routes", None, issued(bench))).status == 404
    kept = issued(bench)
    async with RawClient(bench.registry.port) as client:
        client.send("GET", "/v1/watch?namespace=shop", None, kept)
        assert (await client.head()).status == 200
        await bench.registry.core.callers.bindings.delete(TRUSTED, first, BOUND)
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.IncompleteReadError):
                await client.reader.readexactly(1 << 24)
    assert (await call("PUT", path, port, kept)).status == 404, "what it held is gone at once"


async def test_a_token_of_another_purpose_or_of_nobody_signs_in_nobody(bench: Bench) -> None:
    await bench.bind("corp:ci", "editor", "shop")
    for change in (
        {"aud": CLIENT},  # as ID tokens are
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iss": bench.other.issuer},  # no audiences are named of it
        {"iss": "https://evil.example"},
        {"sub": None},
    ):
        answer = await bench.registry.call("GET", "/v1/session", None, issued(bench, **change))
        assert answer.status == 401, (change, answer)
    good = issued(bench)
    head, body, signature = good.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(body + "=="))
    raised = base64url(json.dumps(decoded | {"groups": ["ci", "admins"]}).encode())
    for forged in (f"{head}.{raised}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature}A"):
        assert (await bench.registry.call("GET", "/v1/session", None, forged)).status == 401
    none = base64url(json.dumps({"alg": "none"}).encode())
    assert (
        await bench.registry.call("GET", "/v1/session", None, f"Authorization: Bearer {none}.{body}.")
    ).status == 401
    assert (await bench.registry.call("GET", "/v1/session", None, good)).status == 200
