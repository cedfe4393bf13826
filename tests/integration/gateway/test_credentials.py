"""API keys, passwords and shared secrets as proofs of who calls, through real sockets."""

import base64
import json
import threading
from typing import Any

import msgspec
import pytest

from gateway.filters import claim_headers
from meshway import passwords
from meshway.passwords import MOST_WAITING
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import route, saying, services
from tests.integration.gateway.test_websocket import Frames, raw, websocket
from tests.parts.changes import document, gone, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.jwt_attacks import Issuer
from tests.parts.secrets import SharedKey, api_key, contents, hashed, kept
from tests.parts.tokens import AUDIENCE, ISSUER, claims, token
from tests.parts.websocket import frame, read_frame

GOOD, OTHER = api_key("acme0001"), api_key("acme0001", "x")


def authentication(*methods: dict[str, Any], name: str = "partners", **fields: Any) -> Change:
    return document("Authentication", name, {"methods": list(methods)} | fields)


def consumer(name: str, *credentials: dict[str, Any], namespace: str = "default", **fields: Any) -> Change:
    return document("Consumer", name, {"credentials": list(credentials)} | fields, namespace)


def shown(key: str, header: str = "X-API-Key") -> str:
    return f"{header}: {key}\r\n"


def password(name: str, word: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}\r\n"


async def statuses(gateway: CompiledGateway, *fields: str) -> list[int]:
    return [(await gateway.ask(fields=one))[0] for one in fields]


@pytest.mark.proves(
    "AuthenticationMethod.api_key", "Consumer.credentials", "ConsumerCredential.api_key", "ConsumerKey.id",
    "ConsumerKey.hash", "ConsumerKey.expires",
)  # fmt: skip
async def test_a_consumer_s_key_lets_in_whoever_shows_the_whole_of_it() -> None:
    upstream = saying("1")
    old = api_key("acme0002")
    acme = consumer("acme", {"api_key": kept(GOOD)}, {"api_key": kept(old, expires="2020-01-01")})
    async with (
        services(upstream) as books,
        compiled_gateway(*books, route(to("books")), authentication({"api_key": {}}), acme) as gateway,
    ):
        status, head, body = await gateway.ask()
        assert status == 401
        assert 'WWW-Authenticate: ApiKey realm="default/partners"\r\n' in head
        assert json.loads(body)["policy"] == "Authentication default/partners"
        bad = (OTHER, api_key("acme0009"), old, GOOD[:-1], GOOD + "a", "mw_acme0001_", "x", "", GOOD.upper())
        assert await statuses(gateway, *map(shown, bad)) == [401] * len(bad)
        assert await statuses(gateway, shown(GOOD) * 2, f"Authorization: Bearer {GOOD}\r\n") == [401, 401]
        assert not upstream.requests
        assert await statuses(gateway, shown(GOOD), shown(GOOD)) == [200, 200]
        assert all(not request.values(b"x-api-key") for request in upstream.requests)
        assert gateway.lines[-1]["principal"] == "default/acme"
        assert GOOD not in json.dumps(gateway.lines)
        gateway.apply(consumer("acme", {"api_key": kept(OTHER)}))
        assert await statuses(gateway, shown(GOOD), shown(OTHER)) == [401, 200]
        gateway.apply(gone("Consumer", "acme"))
        assert await statuses(gateway, shown(OTHER)) == [401]


@pytest.mark.proves("Consumer.suspended")
async def test_a_suspended_consumer_is_refused_by_every_credential_and_others_are_not() -> None:
    upstream = saying("1")
    key, other = api_key("acme0001"), api_key("beta0001")
    credentials = {"api_key": kept(key)}, {"basic": {"username": "ada"}}
    documents = (
        route(to("books")),
        authentication({"api_key": {}}, {"basic": {"secret": "people"}}),
        consumer("acme", *credentials),
        consumer("beta", {"api_key": kept(other)}),
    )
    by_password = password("ada", "right")
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        gateway.secrets.take(contents("people", "basic_users", [{"username": "ada", "hash": hashed("right")}]))
        assert await statuses(gateway, shown(key), by_password, shown(other)) == [200, 200, 200]
        gateway.apply(consumer("acme", *credentials, suspended=True))
        assert await statuses(gateway, shown(key), by_password, shown(other)) == [403, 403, 200]
        _, _, body = await gateway.ask(fields=shown(key))
        told = json.loads(body)
        assert (told["code"], told["policy"]) == ("consumer_suspended", "Authentication default/partners")
        assert gateway.lines[-1]["principal"] == "default/acme"
        assert await statuses(gateway, shown(OTHER)) == [401]
        gateway.apply(consumer("acme", *credentials))
        assert await statuses(gateway, shown(key), by_password) == [200, 200]


async def test_what_a_suspended_consumer_has_begun_ends_where_it_lasts() -> None:
    frames, key, other = Frames(), api_key("acme0001"), api_key("beta0001")
    documents = (
        websocket(),
        authentication({"api_key": {}}),
        consumer("acme", {"api_key": kept(key)}),
        consumer("beta", {"api_key": kept(other)}),
    )
    async with (
        frames.behind(*documents) as gateway,
        raw(gateway, shown(key)) as (caller, from_acme),
        raw(gateway, shown(other)) as (also, from_beta),
    ):
        for each in (caller, also):
            assert (await each.head()).startswith(b"HTTP/1.1 101 ")
        gateway.apply(consumer("acme", {"api_key": kept(key)}, suspended=True))
        assert await read_frame(from_acme) == (0x88, (1008).to_bytes(2, "big"))
        await until(lambda: len(gateway.lines) == 1)
        line = gateway.lines[0]
        assert (line["reason"], line["policy"]) == ("consumer_suspended", "Consumer default/acme")
        for writer in frames.writers:
            writer.write(frame(1, b"on"))
        assert await read_frame(from_beta) == (0x81, b"on")


@pytest.mark.proves("ApiKey.from", "ApiKey.secret", "Authentication.forward_credentials")
async def test_a_secret_s_keys_rotate_with_an_overlap_and_end_at_once_where_that_is_said() -> None:
    upstream = saying("1")
    spec = {"secret": "keys", "from": [{"query": "key"}, "bearer"]}
    documents = (route(to("books")), authentication({"api_key": spec}), consumer("acme", groups=["gold"]))
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        bearer = f"Authorization: Bearer {GOOD}\r\n"
        assert await statuses(gateway, bearer) == [401]
        former, fresh = [kept(GOOD, consumer="acme")], [kept(api_key("acme0002"))]
        gateway.secrets.take(contents("keys", "api_key_set", former))
        assert await statuses(gateway, bearer, shown(GOOD)) == [200, 401]
        assert (await gateway.ask(f"/?key={GOOD}&a=1"))[0] == 200
        assert upstream.requests[-1].target == b"/?a=1"
        assert gateway.lines[-1]["principal"] == "default/acme"
        gateway.secrets.take(contents("keys", "api_key_set", fresh, former))
        assert await statuses(gateway, bearer, bearer.replace(GOOD, api_key("acme0002"))) == [200, 200]
        gateway.secrets.take(contents("keys", "api_key_set", fresh, former, lives_s=-1.0))
        assert await statuses(gateway, bearer, bearer.replace(GOOD, api_key("acme0002"))) == [401, 200]
        gateway.secrets.take(contents("keys", "opaque", {"a": "b"}))
        assert await statuses(gateway, bearer.replace(GOOD, api_key("acme0002"))) == [401]
        gateway.secrets.take(contents("keys", "api_key_set", [kept(GOOD, consumer="nobody")]))
        assert await statuses(gateway, bearer) == [401]
        gateway.secrets.drop([])
        assert await statuses(gateway, bearer) == [401]


async def test_a_secret_of_the_mesh_counts_only_where_it_is_shared() -> None:
    upstream = saying("1")
    documents = (route(to("books")), authentication({"api_key": {"secret": "keys"}}))
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        frame = contents("keys", "api_key_set", [kept(GOOD)], namespace="mesh")
        gateway.secrets.take(frame)
        assert await statuses(gateway, shown(GOOD)) == [401]
        frame.share_with.append("default")
        gateway.secrets.drop([])
        gateway.secrets.take(frame)
        assert await statuses(gateway, shown(GOOD)) == [200]
        gateway.secrets.take(contents("keys", "api_key_set", []))
        assert await statuses(gateway, shown(GOOD)) == [401]


@pytest.mark.proves(
    "AccessCaller.consumer", "AccessCaller.consumer_group", "Consumer.groups", "ConsumerCredential.jwt",
    "ConsumerToken.issuer", "ConsumerToken.subject",
)  # fmt: skip
async def test_consumers_and_groups_are_let_in_by_name_and_others_are_not() -> None:
    upstream, issuer = saying("1"), Issuer()
    gold, plain, foreign = (api_key(f"acme000{at}") for at in range(3))
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": issuer.jwks}
    documents = (
        route(to("books")),
        authentication({"api_key": {}}, {"jwt": jwt}),
        consumer("acme", {"api_key": kept(gold)}, groups=["gold"]),
        consumer("beta", {"api_key": kept(plain)}),
        consumer("ada", {"jwt": {"issuer": ISSUER, "subject": "ada"}}, groups=["staff"]),
        consumer("acme", {"api_key": kept(foreign)}, namespace="elsewhere", groups=["gold"]),
    )

    def only(**caller: str) -> Change:
        return document("AccessPolicy", "only", {"rules": [{"action": "allow", "from": [caller]}]})

    bearer = f"Authorization: Bearer {token(issuer.ec, kid='ec')}\r\n"
    bob = f"Authorization: Bearer {token(issuer.ec, claims(sub='bob'), kid='ec')}\r\n"
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        calls = (shown(gold), shown(plain), bearer, bob)
        assert await statuses(gateway, *calls, shown(foreign)) == [200, 200, 200, 200, 401]
        gateway.apply(only(consumer_group="gold"))
        assert await statuses(gateway, *calls) == [200, 403, 403, 403]
        gateway.apply(only(consumer="beta"))
        assert await statuses(gateway, *calls) == [403, 200, 403, 403]
        gateway.apply(only(consumer_group="staff"))
        assert await statuses(gateway, *calls) == [403, 403, 200, 403]


async def test_a_fault_of_ours_behind_a_password_is_a_refusal_and_no_endless_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upstream = saying("1")
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": Issuer().jwks, "claims_to_headers": {"sub": "X-User"}}
    elsewhere = document("Authentication", "elsewhere", {"methods": [{"jwt": jwt}]}, "shop")
    documents = (route(to("books")), authentication({"basic": {"secret": "users"}}), elsewhere)

    def fails(block: bytes, names: object) -> bytes:
        raise RuntimeError("a fault")

    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        gateway.secrets.take(contents("users", "basic_users", [{"username": "ada", "hash": hashed("x")}]))
        monkeypatch.setattr(claim_headers, "remove_alike", fails)
        status, _, body = await gateway.ask(fields=password("ada", "x"))
        assert (status, json.loads(body)["code"], upstream.requests) == (503, "policy_unavailable", [])
        monkeypatch.undo()
        assert await statuses(gateway, password("ada", "x")) == [200]


@pytest.mark.proves(
    "AuthenticationMethod.basic", "Basic.secret", "Basic.realm", "SecretRef.secret", "ConsumerCredential.basic",
    "ConsumerUser.username",
)  # fmt: skip
async def test_names_and_passwords_are_checked_beside_the_loop_and_remembered_for_a_minute() -> None:
    upstream = saying("1")
    spec = {"secret": {"secret": "users"}, "realm": "back office"}
    documents = (
        route(to("books")), authentication({"basic": spec}), consumer("ada", {"basic": {"username": "ada"}}),
    )  # fmt: skip
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        users = [{"username": "ada", "hash": hashed("right")}, {"username": "bob", "hash": hashed("x:y")}]
        assert await statuses(gateway, password("ada", "right")) == [401]
        gateway.secrets.take(contents("users", "basic_users", users))
        status, head, _ = await gateway.ask()
        assert (status, 'WWW-Authenticate: Basic realm="back office"\r\n' in head) == (401, True)
        wrong = (password("ada", "wrong"), password("eve", "right"), "Authorization: Basic !!\r\n", password("ada", ""))
        assert await statuses(gateway, *wrong) == [401] * 4
        good = (password("ada", "right"), password("bob", "x:y"), password("ada", "right"))
        assert await statuses(gateway, *good) == [200] * 3
        assert [line["principal"] for line in gateway.lines[-3:]] == ["default/ada", "user:bob", "default/ada"]
        assert all(not request.values(b"authorization") for request in upstream.requests)
        gateway.secrets.take(contents("users", "basic_users", [users[1]]))
        assert await statuses(gateway, *good) == [401, 200, 401]


@pytest.mark.proves("SecretRef.namespace")
async def test_a_secret_is_of_the_namespace_that_is_asked_for() -> None:
    users = {namespace: [{"username": namespace, "hash": hashed("right")}] for namespace in ("default", "mesh")}
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books"))) as gateway:
        for namespace, listed in users.items():
            frame = contents("users", "basic_users", listed, namespace=namespace)
            gateway.secrets.take(msgspec.structs.replace(frame, share_with=["default"]))
        for said, believed in (({}, "default"), ({"namespace": "own"}, "default"), ({"namespace": "mesh"}, "mesh")):
            gateway.apply(authentication({"basic": {"secret": {"secret": "users"} | said}}))
            for name in users:
                assert await statuses(gateway, password(name, "right")) == [200 if name == believed else 401]
        gateway.secrets.take(contents("users", "basic_users", users["mesh"], namespace="mesh"))  # not shared any more
        assert await statuses(gateway, password("mesh", "right")) == [401]


async def test_above_the_line_for_passwords_callers_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream, go_on = saying("1"), threading.Event()
    documents = (route(to("books")), authentication({"basic": {"secret": "users"}}))
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        gateway.secrets.take(contents("users", "basic_users", [{"username": "ada", "hash": hashed("right")}]))
        with monkeypatch.context() as patched:
            patched.setattr(passwords, "is_right", lambda *_: go_on.wait(30))
            line = [gateway.passwords.check(b"", "") for _ in range(MOST_WAITING)]
        status, head, body = await gateway.ask(fields=password("ada", "right"))
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
        assert "Retry-After: 1\r\n" in head
        go_on.set()
        assert all([await each for each in line if each is not None])
        assert await statuses(gateway, password("ada", "right")) == [200]


@pytest.mark.proves("Authentication.require")
async def test_where_all_are_required_each_method_must_hold() -> None:
    upstream, issuer = saying("1"), Issuer()
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": issuer.jwks, "claims_to_headers": {"sub": "X-User"}}
    documents = (
        route(to("books")),
        authentication({"api_key": {}}, {"jwt": jwt}, require="all"),
        consumer("acme", {"api_key": kept(GOOD)}),
    )
    bearer = f"Authorization: Bearer {token(issuer.ec, kid='ec')}\r\n"
    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        bad = (shown(GOOD), bearer, shown(OTHER) + bearer, shown(GOOD) + bearer.replace("ey", "eY"), "X-User: ada\r\n")
        assert await statuses(gateway, *bad) == [401] * 5
        assert not upstream.requests
        assert await statuses(gateway, shown(GOOD) + bearer, shown(GOOD) + bearer) == [200, 200]
        assert gateway.lines[-1]["principal"] == "default/acme"
        assert upstream.requests[-1].values(b"x-user") == [b"ada"]


async def test_tokens_by_a_shared_secret_are_verified_by_the_secret_s_keys_alone() -> None:
    upstream, issuer = saying("1"), Issuer()
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["HS256"], "jwks": {"secret": "keys"}}
    documents = (route(to("books")), authentication({"jwt": jwt}))

    def jwk(letter: str, kid: str = "a") -> dict[str, str]:
        return {"kty": "oct", "kid": kid, "alg": "HS256", "k": letter * 43}

    def by(letter: str, kid: str = "a") -> str:
        return f"Authorization: Bearer {token(SharedKey(letter * 43), kid=kid)}\r\n"

    async with services(upstream) as books, compiled_gateway(*books, *documents) as gateway:
        gateway.secrets.take(contents("keys", "jwks", {"keys": [jwk("A")]}))
        ec = f"Authorization: Bearer {token(issuer.ec, kid='ec')}\r\n"
        assert await statuses(gateway, by("A"), by("E"), by("A", "b"), ec) == [200, 401, 401, 401]
        gateway.secrets.take(contents("keys", "jwks", {"keys": [jwk("E", "b")]}, {"keys": [jwk("A")]}))
        assert await statuses(gateway, by("A"), by("E", "b")) == [200, 200]
        gateway.secrets.take(contents("keys", "jwks", {"keys": [jwk("E", "b")]}))
        assert await statuses(gateway, by("A"), by("E", "b")) == [401, 200]
