"""People log in with their browser at an OpenID provider, through two workers of a running gateway behind a proxy that
speaks TLS; and what others try with cookies, states and codes that are not theirs."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.parts.conditions import until
from tests.parts.gateway_process import GatewayProcess
from tests.parts.identity_provider import CLIENT, SECRET, IdentityProvider
from tests.parts.planes import Registry
from tests.parts.upstream import RecordingUpstream

HOST = "shop.example"
PAGE = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}


class Browser:
    """Keeps cookies as it is told; each call is on a connection of its own, so that both workers are met."""

    def __init__(self, edge: str, host: str = HOST) -> None:
        self.edge, self.host = edge, host
        self.cookies: dict[str, str] = {}
        self.given: list[str] = []

    async def ask(self, path: str, method: str = "GET", scheme: str = "https", **headers: str) -> httpx.Response:
        fields = {"Host": self.host, "X-Forwarded-Proto": scheme} | headers
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with httpx.AsyncClient(timeout=15.0, trust_env=False) as client:
            answer = await client.request(method, self.edge + path, headers=fields)
        self.given = answer.headers.get_list("set-cookie")
        for line in self.given:
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    async def open(self, path: str) -> httpx.Response:
        return await self.ask(path, **PAGE)

    async def begin(self, path: str = "/desk?a=1") -> str:
        """To where the provider sends it back: path and query."""
        answer = await self.open(path)
        assert answer.status_code == 302, answer.text
        async with httpx.AsyncClient(trust_env=False) as client:
            sent = await client.get(answer.headers["location"])
        assert sent.status_code == 302, sent.text
        parts = urlsplit(sent.headers["location"])
        assert (parts.scheme, parts.netloc) == ("https", self.host)
        return f"{parts.path}?{parts.query}"

    async def log_in(self, path: str = "/desk?a=1") -> httpx.Response:
        return await self.open(await self.begin(path))

    @property
    def session(self) -> list[str]:
        return [name for name in self.cookies if "-l-" not in name]


class Site:
    """One gateway, its service and its provider."""

    def __init__(self, registry: Registry, gateway: GatewayProcess, provider: IdentityProvider) -> None:
        self.registry, self.gateway, self.provider = registry, gateway, provider
        self.books = RecordingUpstream()

    def browser(self, host: str = HOST) -> Browser:
        return Browser(self.gateway.edge, host)

    async def apply(self, *documents: dict[str, Any]) -> None:
        def send() -> None:
            body = {"documents": list(documents)}
            answer = self.registry.client.post("/v1/apply", json=body, headers={"Prefer": "wait=10"})
            assert answer.status_code == 200, answer.text

        await asyncio.to_thread(send)

    async def policy(self, require: str = "any", methods: tuple[dict[str, Any], ...] = (), **fields: Any) -> None:
        oidc = {"issuer": self.provider.issuer, "client_id": CLIENT, "client_secret": "desk-login"} | fields
        await self.apply(
            document("Authentication", "people", {"require": require, "methods": [{"oidc": oidc}, *methods]})
        )

    async def known(self) -> None:
        """Both workers know the provider."""

        async def are_sent() -> bool:
            answers = [await self.browser().open("/") for _ in range(6)]
            return all(answer.status_code == 302 for answer in answers)

        for _ in range(60):
            if await are_sent():
                return
            await asyncio.sleep(0.1)
        raise AssertionError((await self.browser().open("/")).text)


def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    (folder / "registry").mkdir()
    (folder / "gateway").mkdir()
    registry = await asyncio.to_thread(Registry, folder / "registry")
    provider = IdentityProvider()
    worker = {"trusted_proxies": ["127.0.0.1/32"]}
    gateway = GatewayProcess(folder / "gateway", registry.url, workers=2, worker=worker)
    found = Site(registry, gateway, provider)
    try:
        async with provider.upstream.running(), found.books.running(), gateway:
            await asyncio.to_thread(registry.register, "books", "b1", found.books.port)
            await found.apply(
                document("Secret", "desk-login", {"type": "opaque", "data": {"client_secret": SECRET}}),
                *[
                    document(
                        "Route",
                        name,
                        {"hosts": [host], "rules": [{"name": "all", "destinations": [{"service": "books"}]}]},
                    )
                    for name, host in (("shop", HOST), ("other", "other.example"))
                ],
            )
            yield found
    finally:
        registry.close()


@pytest.mark.proves(
    "AuthenticationMethod.oidc", "Oidc.issuer", "Oidc.client_id", "Oidc.client_secret", "Oidc.scopes",
    "Oidc.redirect_path", "Oidc.logout", "OidcLogout.path", "OidcLogout.end_session", "Oidc.principal_claim",
    "Oidc.groups_claim", "Oidc.required_claims", "Oidc.claims_to_headers", "Oidc.forward", "Oidc.unauthenticated",
    "Oidc.session", "OidcSession.same_site", "OidcSession.domain",
)  # fmt: skip
async def test_people_log_in_and_out_and_nobody_gets_in_by_what_is_not_his(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        await found.policy(scopes=["openid", "email"], claims_to_headers={"email": "X-Email"})
        await found.known()
        found.provider.claims = {"email": "ada@example.com", "groups": ["staff"]}
        await a_login_brings_the_page_that_was_wanted(found)
        await what_is_another_browsers_lets_nobody_in(found)
        await a_wrong_token_lets_nobody_in(found)
        await scripts_and_other_methods_are_refused(found)
        await logging_out_is_for_the_own_site(found)
        await the_documents_fields_decide(found)
        await another_secret_ends_all_sessions(found)
    assert SECRET not in all_text(tmp_path)


async def a_login_brings_the_page_that_was_wanted(found: Site) -> None:
    ada = found.browser()
    first = await ada.open("/desk?a=1&b=%2F")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(first.headers["location"]).query).items()}
    assert asked["scope"] == "openid email"
    assert asked["redirect_uri"] == f"https://{HOST}/.meshway/oidc/callback"
    assert (len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) == (22, 22, 43)
    assert first.headers["cache-control"] == "no-store"
    assert not found.books.requests
    back = await ada.begin("/desk?a=1&b=%2F")
    answer = await ada.open(back)
    assert (answer.status_code, answer.headers["location"]) == (302, f"https://{HOST}/desk?a=1&b=%2F")
    (line,) = [line for line in ada.given if "Max-Age=0" not in line]
    assert re.match(r"__Host-mw-[0-9a-f]{10}=\S+; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax\Z", line)
    for _ in range(8):
        ada.cookies["theme"] = "dark"
        page = await ada.ask("/desk", **PAGE, **{"X-Email": "eve@example.com"})
        assert page.status_code == 200
    received = found.books.requests[-1]
    assert received.values(b"cookie") == [b"theme=dark"]
    assert received.values(b"x-email") == [b"ada@example.com"]
    assert received.values(b"authorization") == []
    await until(lambda: found.gateway.access_log()[-1]["status"] == 200, what="the line")
    told = [line for line in found.gateway.access_log() if line["status"] == 200]
    assert {line["principal"] for line in told} == {f"{found.provider.issuer}#ada"}
    # The code and the login are used up.
    again = await ada.open(back)
    assert (again.status_code, again.json()["code"]) == (401, "unauthenticated")


async def what_is_another_browsers_lets_nobody_in(found: Site) -> None:
    ada, eve = found.browser(), found.browser()
    back = await eve.begin()
    stolen = dict(eve.cookies)
    assert (await ada.open(back)).status_code == 401  # she would be logged in as eve
    await ada.begin()
    assert (await ada.open(back)).status_code == 401
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert (await eve.open(back.replace(state, state[:-1] + ("A" if state[-1] != "A" else "B")))).status_code == 401
    assert (await eve.open(back.replace("127.0.0.1", "127.0.0.2"))).status_code == 401  # of another issuer
    eve.cookies = dict(stolen)
    assert (await eve.open(back)).status_code == 302
    eve.cookies = dict(stolen)  # the login again, after its code was redeemed
    assert (await eve.open(back)).status_code == 401
    eve.cookies = dict(stolen)
    eve.host = "other.example"
    assert (await eve.open(back)).status_code == 401
    bob = found.browser()
    await bob.log_in()
    (name,) = bob.session
    good = bob.cookies[name]
    for bad in (good[:-4] + "AAAA", good[:1] + good[2:], "3" + good[1:], "1", good[:40], "1" + "A" * 400):
        bob.cookies[name] = bad
        assert (await bob.open("/")).status_code == 302
        assert (await bob.ask("/")).status_code == 401
    login = next(iter(stolen.values()))
    bob.cookies[name] = "1" + login  # a begun login is no session
    assert (await bob.ask("/")).status_code == 401
    bob.cookies[name] = good
    assert (await bob.ask("/")).status_code == 200
    for way in ("//evil.example/x", "/%5Cevil.example", "/\\evil.example", "///evil.example"):
        answer = await found.browser().open(way)
        if answer.status_code == 302:
            mallory = found.browser()
            home = await mallory.log_in(way)
            assert home.headers["location"].startswith(f"https://{HOST}/"), home.headers["location"]
    many = found.browser()
    for _ in range(9):
        await many.open("/")
    assert len([one for one in many.cookies if "-l-" in one]) == 5


async def a_wrong_token_lets_nobody_in(found: Site) -> None:
    provider = found.provider
    for change in ({"aud": "another"}, {"iss": "https://id.example"}, {"exp": 1}, {"aud": [CLIENT, "b"]}):
        before, provider.claims = provider.claims, provider.claims | change
        assert (await found.browser().log_in()).status_code == 401
        provider.claims = before
    provider.nonce = "another-logins-nonce"
    refused = await found.browser().log_in()
    assert (refused.status_code, "another login" in refused.text) == (401, True)
    provider.nonce, provider.refusal = None, "access_denied"
    refused = await found.browser().log_in()
    assert (refused.status_code, "access_denied" in refused.text) == (401, True)
    provider.refusal = ""
    provider.claims |= {"bulk": "x" * 20_000}
    assert (await found.browser().log_in()).status_code in (401, 503)
    provider.claims["bulk"] = "x" * 4_000
    large = found.browser()
    assert (await large.log_in()).status_code == 302
    assert (len(large.session), (await large.ask("/")).status_code) == (2, 200)
    assert found.books.requests[-1].values(b"cookie") == []
    large.cookies.pop(large.session[1])
    assert (await large.ask("/")).status_code == 401
    del provider.claims["bulk"]
    assert (await found.browser().log_in()).status_code == 302


async def scripts_and_other_methods_are_refused(found: Site) -> None:
    nobody = found.browser()
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "text/html", "Sec-Fetch-Mode": "cors"}):
        answer = await nobody.ask("/", **headers)
        assert (answer.status_code, answer.json()["policy"]) == (401, "Authentication default/people")
        assert answer.headers["www-authenticate"] == 'Cookie realm="default/people"'
    assert (await nobody.ask("/", "POST", **PAGE)).status_code == 401
    plain = await nobody.ask("/", scheme="http", **PAGE)
    assert (plain.status_code, "https" in plain.json()["detail"]) == (401, True)
    assert (await nobody.ask("/.meshway/oidc/callback?code=a&state=b", **PAGE)).status_code == 401
    assert (await nobody.ask("/.meshway/oidc/callback", "POST")).status_code == 405


async def logging_out_is_for_the_own_site(found: Site) -> None:
    ada = found.browser()
    await ada.log_in()
    assert (await ada.ask("/.meshway/oidc/logout")).status_code == 405
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await ada.ask("/.meshway/oidc/logout", "POST", **headers)).status_code == 403
    assert (await ada.ask("/")).status_code == 200
    answer = await ada.ask("/.meshway/oidc/logout", "POST", Origin=f"https://{HOST}")
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{found.provider.issuer}/logout"
    assert parse_qs(location.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"https://{HOST}/"]}
    assert (ada.session, (await ada.ask("/")).status_code) == ([], 401)


async def the_documents_fields_decide(found: Site) -> None:
    ada = found.browser()
    await ada.log_in()
    await found.policy(required_claims={"email": "bob@example.com"})
    assert (await ada.ask("/")).status_code == 401
    denied = await found.browser().log_in()
    assert (denied.status_code, denied.json()["code"]) == (403, "denied")
    await found.policy(unauthenticated="refuse")
    assert (await found.browser().open("/")).status_code == 401
    assert (await ada.ask("/")).status_code == 200
    await found.policy(unauthenticated="redirect")
    assert (await found.browser().ask("/")).status_code == 302
    await found.policy(
        principal_claim="email",
        groups_claim="groups",
        forward="access_token",
        redirect_path="/back",
        logout={"path": "/out", "end_session": False},
        session={"same_site": "none", "domain": "shop.example"},
    )
    await found.apply(
        document("AccessPolicy", "staff", {"rules": [{"action": "allow", "from": [{"consumer_group": "staff"}]}]})
    )
    ada = found.browser()
    back = await ada.begin()
    assert back.startswith("/back?")
    await ada.open(back)
    assert any(
        line.startswith("__Secure-mw-") and line.endswith("SameSite=None; Domain=shop.example") for line in ada.given
    )
    assert (await ada.ask("/", Authorization="Bearer own")).status_code == 200
    assert re.fullmatch(rb"Bearer access-\d+", found.books.requests[-1].values(b"authorization")[0])
    found.provider.claims = {"email": "eve@example.com", "groups": ["guests"]}
    eve = found.browser()
    await eve.log_in()
    assert (await eve.ask("/")).status_code == 403
    found.provider.claims = {"email": "ada@example.com", "groups": ["staff"]}
    answer = await ada.ask("/out", "POST")
    assert (answer.status_code, answer.headers["location"], ada.session) == (303, f"https://{HOST}/", [])
    await found.apply(
        document(
            "AccessPolicy",
            "staff",
            {"rules": [{"action": "allow", "from": [{"principal": f"{found.provider.issuer}#ada@example.com"}]}]},
        )
    )
    await ada.log_in()
    assert (await ada.ask("/")).status_code == 200
    await found.policy()
    foreign = found.browser()
    foreign.cookies = dict(ada.cookies)
    assert (await foreign.ask("/")).status_code == 401  # of the former name of the cookie


async def another_secret_ends_all_sessions(found: Site) -> None:
    await found.apply(
        document(
            "AccessPolicy",
            "staff",
            {"rules": [{"action": "allow", "from": [{"principal": {"prefix": found.provider.issuer}}]}]},
        )
    )
    ada = found.browser()
    await ada.log_in()
    assert (await ada.ask("/")).status_code == 200
    # The cookie of another document says nothing here, whatever it is called.
    spec = {
        "targets": [{"route": "other"}],
        "methods": [{"oidc": {"issuer": found.provider.issuer, "client_id": CLIENT, "client_secret": "desk-login"}}],
    }
    await found.apply(document("Authentication", "others", spec))
    there = found.browser("other.example")
    assert (await there.log_in()).status_code == 302
    assert (await there.ask("/")).status_code == 200
    (name,), (own,) = there.session, ada.session
    there.cookies = {name: ada.cookies[own]}
    assert (await there.ask("/")).status_code == 401
    await found.apply(document("Secret", "desk-login", {"type": "opaque", "data": {"client_secret": SECRET + "-2"}}))
    assert (await ada.ask("/")).status_code == 401


@pytest.mark.proves("OidcSession.lifetime", "OidcSession.idle")
async def test_sessions_are_refreshed_and_outlive_their_issuers_absence(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        provider = found.provider
        await found.policy()
        await found.known()
        provider.life_s = 50
        ada = found.browser()
        await ada.log_in()
        before = dict(ada.cookies)
        answers = await asyncio.gather(*(ada.ask("/") for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert provider.asked.count("refresh_token") in (1, 2)  # at most once a worker
        assert ada.cookies != before
        ada.cookies = before  # a call that was under way with the former cookie
        assert (await ada.ask("/")).status_code == 200

        provider.life_s = 1
        bob = found.browser()
        await bob.log_in()
        held = dict(bob.cookies)
        provider.is_down = True
        await asyncio.sleep(1.1)
        for _ in range(4):
            assert (await bob.ask("/")).status_code == 200
        away = found.browser()
        sent = await away.open("/")
        assert sent.status_code == 302
        state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
        answer = await away.open(f"/.meshway/oidc/callback?code=x&state={state}")
        assert (answer.status_code, answer.json()["code"]) == (503, "policy_unavailable")
        provider.is_down = False
        provider.revoke()
        await found.policy(claims_to_headers={"sub": "X-Who"})  # what workers held of it is forgotten
        bob.cookies = held
        statuses = {(await bob.ask("/")).status_code for _ in range(4)}
        assert statuses == {401}, statuses

        provider.life_s = 3600
        await found.policy(session={"lifetime": "1m", "idle": "1m"})
        carl = found.browser()
        await carl.log_in()
        assert any("Max-Age=60;" in line or "Max-Age=59;" in line for line in carl.given)
        assert (await carl.ask("/")).status_code == 200


def all_text(folder: Path) -> str:
    """Of logs and outputs."""
    places = [*folder.rglob("*.out"), *folder.rglob("*.jsonl")]
    assert places
    return "".join(place.read_text() for place in places) + json.dumps([str(place) for place in places])
