"""Authentication documents, and whether calls through real sockets are believed."""

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.exchange import MESH
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import document, gone, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.jwt_attacks import Issuer, attacks
from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, claims, token

ID = Issuer()


def jwt(places: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks} | ({"from": places} if places else {}) | fields


def people(at: dict[str, Any] | None = None, *, name: str = "people", require: str = "any", **fields: Any) -> Change:
    spec: dict[str, Any] = {"methods": [{"jwt": jwt(**fields)}], "require": require}
    return document("Authentication", name, spec | ({"targets": [at]} if at else {}))


def bearer(text: str) -> str:
    return f"Authorization: Bearer {text}\r\n"


@pytest.mark.proves("Authentication.methods", "AuthenticationMethod.jwt", "Jwt.issuer", "Jwt.audiences", "Jwt.jwks")
async def test_only_who_shows_a_good_token_is_let_in_and_refusals_name_the_policy() -> None:
    upstream = saying("1")
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        status, head, body = await gateway.ask()
        assert status == 401
        assert 'WWW-Authenticate: Bearer realm="default/people"\r\n' in head
        problem = json.loads(body)
        assert (problem["code"], problem["policy"]) == ("unauthenticated", "Authentication default/people")
        assert not upstream.requests
        for good in ID.good():
            assert (await gateway.ask(fields=bearer(good)))[0] == 200
        assert (await gateway.ask(fields=bearer(ID.good()[0]).replace("Bearer", "bEARER")))[0] == 200
        status, head, _ = await gateway.ask(fields=bearer(token(ID.ec, claims(exp=time.time() - 60), kid="ec")))
        assert status == 401
        assert 'error="invalid_token", error_description="the token has expired"' in head
        assert all(not request.values(b"authorization") for request in upstream.requests)
        lines = [(line["status"], line["principal"], line.get("policy", "")) for line in gateway.lines]
        assert lines[0] == (401, "", "Authentication default/people")
        assert lines[1][:2] == (200, f"{ISSUER}#ada")


async def test_no_attack_reaches_the_service() -> None:
    upstream = saying("1")
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        answers = {name: (await gateway.ask(fields=bearer(text)))[0] for name, text in attacks(ID)}
        assert len(answers) > 150
        assert {name: status for name, status in answers.items() if status not in (400, 401)} == {}
        assert not upstream.requests
        assert (await gateway.ask(fields=bearer(token(ID.ec, kid="ec"))))[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        bearer("GOOD") * 2,
        bearer("GOOD") + bearer("x"),
        "Authorization: GOOD\r\n",
        "Authorization: Basic GOOD\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer,GOOD\r\n",
        "Authorization: Bearer GOOD, Bearer GOOD\r\n",
        "Authorization: Bearer GOOD x\r\n",
        "Proxy-Authorization: Bearer GOOD\r\n",
        "X-Authorization: Bearer GOOD\r\n",
        "Cookie: token=GOOD\r\n",
        "authorization_: Bearer GOOD\r\n",
    ],
)
async def test_a_good_token_in_the_wrong_place_is_no_credential(fields: str) -> None:
    upstream = saying("1")
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        good = token(ID.ec, kid="ec")
        assert (await gateway.ask(f"/?access_token={good}", fields=fields.replace("GOOD", good)))[0] in (400, 401)
        assert not upstream.requests


@pytest.mark.proves("Jwt.from", "CredentialPlace.header", "CredentialPlace.cookie", "CredentialPlace.query")
@pytest.mark.parametrize(
    ("place", "target", "fields"),
    [
        ({"header": "X-Token"}, "/?a=1", "X-Token: GOOD\r\n"),
        ({"cookie": "session"}, "/?a=1", "Cookie: a=1; session=GOOD; b=2\r\n"),
        ({"query": "token"}, "/?token=GOOD&a=1", ""),
    ],
)
async def test_tokens_are_read_where_the_document_says_and_go_no_further(
    place: dict[str, str], target: str, fields: str
) -> None:
    upstream, good = saying("1"), token(ID.ec, kid="ec")
    async with (
        services(upstream) as books,
        compiled_gateway(*books, route(to("books")), people(places=[place])) as gateway,
    ):
        assert (await gateway.ask(fields=bearer(good)))[0] == 401
        for _ in range(2):
            assert (await gateway.ask(target.replace("GOOD", good), fields=fields.replace("GOOD", good)))[0] == 200
        for received in upstream.requests:
            assert received.target == b"/?a=1"
            assert all(good.encode() not in line for line in received.lines)
        if "cookie" in place:
            assert upstream.requests[-1].values(b"cookie") == [b"a=1; b=2"]


@pytest.mark.proves("Authentication.require")
async def test_where_it_is_optional_nobody_passes_as_nobody_but_no_bad_token_does() -> None:
    upstream = saying("1")
    async with (
        services(upstream) as books,
        compiled_gateway(*books, route(to("books")), people(require="optional")) as gateway,
    ):
        assert (await gateway.ask())[0] == 200
        assert (await gateway.ask(fields=bearer("x.y.z")))[0] == 401
        assert (await gateway.ask(fields=bearer(token(ID.ec, kid="ec"))))[0] == 200
        assert [line["principal"] for line in gateway.lines] == ["", "", f"{ISSUER}#ada"]


@pytest.mark.proves("Authentication.forward_credentials")
async def test_the_service_gets_the_credential_only_where_the_document_says_so() -> None:
    upstream, good = saying("1"), token(ID.ec, kid="ec")
    policy = people()
    forwarding = document("Authentication", "people", {"methods": [{"jwt": jwt()}], "forward_credentials": True})
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), policy) as gateway:
        await gateway.ask(fields=bearer(good))
        gateway.apply(forwarding)
        await gateway.ask(fields=bearer(good))
        received = [request.values(b"authorization") for request in upstream.requests]
        assert received == [[], [f"Bearer {good}".encode()]]


@pytest.mark.proves("Jwt.claims_to_headers", "Jwt.principal_claim")
async def test_services_are_told_of_callers_by_headers_that_no_caller_can_write() -> None:
    upstream = saying("1")
    policy = people(
        require="optional", principal_claim="mail", claims_to_headers={"mail": "X-User", "realm.roles": "X-Roles"}
    )
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), policy) as gateway:
        body = claims(mail="ada@shop.example", realm={"roles": ["buyer", "admin"]})
        forged = "X-User: root\r\nx-roles: admin\r\n"
        assert (await gateway.ask(fields=bearer(token(ID.ec, body, kid="ec")) + forged))[0] == 200
        assert (await gateway.ask(fields=forged))[0] == 200
        told, untold = upstream.requests
        assert (told.values(b"x-user"), told.values(b"x-roles")) == ([b"ada@shop.example"], [b"buyer,admin"])
        assert (untold.values(b"x-user"), untold.values(b"x-roles")) == ([], [])
        assert gateway.lines[0]["principal"] == f"{ISSUER}#ada@shop.example"
        for roles in (["buyer,admin"], ["a\r\nX-Admin: 1"], "a\nb"):
            body = claims(mail="ada@shop.example", realm={"roles": roles})
            assert (await gateway.ask(fields=bearer(token(ID.ec, body, kid="ec"))))[0] == 401


async def test_a_claim_s_header_comes_from_callers_neither_with_underscores_nor_in_trailers() -> None:
    upstream = saying("1")
    passing = document("Listener", "edge", {"underscores": "pass"}, "mesh")
    policy = people(require="optional", claims_to_headers={"sub": "X-User"})
    forged = "X_User: root\r\nx_uSER: root\r\nX_Other: kept\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n"
    body = "1\r\na\r\n0\r\nx-User: root\r\nx-sum: 1\r\n\r\n"
    async with services(upstream) as books, compiled_gateway(*books, route(to("books")), passing, policy) as gateway:
        for fields, told in ((forged, []), (forged + bearer(token(ID.ec, kid="ec")), [b"ada"])):
            for at in range(2):
                pieces = (body, "") if at else (body[:6], body[6:])
                assert await _in_pieces(gateway, fields, *pieces) == 200
                served = upstream.requests[-1]
                assert (served.values(b"x_user"), served.values(b"x-user")) == ([], told)
                assert (served.values(b"x_other"), served.trailers) == ([b"kept"], (b"x-sum: 1",))


async def _in_pieces(gateway: CompiledGateway, fields: str, first: str, rest: str) -> int:
    """Status of a call whose body comes after its head, or the rest of it later still."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n{first}".encode())
    if rest:
        await asyncio.sleep(0.02)
        writer.write(rest.encode())
    line = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10.0)
    writer.close()
    return int(line[9:12])


async def test_a_claim_s_name_says_nothing_else_in_a_refusal() -> None:
    odd = 'a"b\r\nX-Evil: 1'
    async with services(saying("1")) as books:
        policy = people(required_claims={odd: "y"})
        async with compiled_gateway(*books, route(to("books")), policy) as gateway:
            status, head, body = await gateway.ask(fields=bearer(token(ID.ec, kid="ec")))
            assert (status, odd in json.loads(body)["detail"]) == (401, True)
            assert "x-evil" not in head.lower()
            assert 'WWW-Authenticate: Bearer realm="default/people", error="invalid_token"\r\n' in head


@pytest.mark.proves("Jwt.required_claims")
async def test_claims_must_be_what_the_document_requires() -> None:
    required = {"realm.roles": "buyer", "tier": {"in": ["gold", "7"]}, "banned": {"present": False}}
    async with (
        services(saying("1")) as books,
        compiled_gateway(*books, route(to("books")), people(required_claims=required)) as gateway,
    ):
        good = {"realm": {"roles": ["reader", "buyer"]}, "tier": 7}
        for changes, status in (
            ({}, 200),
            ({"tier": "gold"}, 200),
            ({"realm": {"roles": "buyer"}}, 200),
            ({"realm": {"roles": ["buyers"]}}, 401),
            ({"realm": {"roles": {"buyer": True}}}, 401),
            ({"realm": None}, 401),
            ({"tier": 7.0}, 401),
            ({"tier": "silver"}, 401),
            ({"banned": "yes"}, 401),
        ):
            body = claims(**(good | changes))
            assert (await gateway.ask(fields=bearer(token(ID.ec, body, kid="ec"))))[0] == status, changes


@pytest.mark.proves("Jwt.algorithms", "Jwt.clock_skew", "Jwt.max_age")
async def test_algorithms_skew_and_age_are_the_documents() -> None:
    now = time.time()
    late = token(ID.ec, claims(exp=now - 20, iat=now - 300), kid="ec")
    old = token(ID.ec, claims(iat=now - 300), kid="ec")
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        for fields, expected in (
            ({}, (200, 200, 200)),
            ({"algorithms": ["RS256"]}, (401, 401, 200)),
            ({"clock_skew": "0s"}, (401, 200, 200)),
            ({"max_age": "60s"}, (401, 401, 200)),
        ):
            gateway.apply(people(**fields))
            got = [(await gateway.ask(fields=bearer(text)))[0] for text in (late, old, token(ID.rsa, kid="rsa"))]
            assert tuple(got) == expected, fields


async def test_a_change_of_keys_takes_back_what_was_believed_by_the_old_ones() -> None:
    young = SigningKey("EC")
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        old_token, young_token = token(ID.ec, kid="ec"), token(young, kid="young")
        assert [(await gateway.ask(fields=bearer(text)))[0] for text in (old_token, young_token)] == [200, 401]
        gateway.apply(people(jwks={"keys": [young.jwk("young")]}))
        assert [(await gateway.ask(fields=bearer(text)))[0] for text in (old_token, young_token)] == [401, 200]
        gateway.apply(gone("Authentication", "people"))
        assert (await gateway.ask())[0] == 200


@pytest.mark.proves("Authentication.targets")
async def test_the_narrowest_target_decides_whole() -> None:
    open_, closed = (people({"route": "r", "rule": "open"}, name="o", require="optional"), people())
    rules = (to("books", {"prefix": "/open"}, name="open"), to("books"))
    async with services(saying("1")) as books, compiled_gateway(*books, route(*rules), open_, closed) as gateway:
        assert [(await gateway.ask(path))[0] for path in ("/open", "/shut")] == [200, 401]
        gateway.apply(people({"service": "books"}))
        assert [(await gateway.ask(path))[0] for path in ("/open", "/shut")] == [200, 401]
        gateway.apply(people({"service": "books"}, name="o"))
        assert [(await gateway.ask(path))[0] for path in ("/open", "/shut")] == [401, 401]


async def test_a_split_asks_for_what_any_of_its_services_asks() -> None:
    rule = {"destinations": [{"service": "books"}, {"service": "cart", "weight": 1}]}
    async with (
        services(saying("1")) as books,
        compiled_gateway(*books, route(rule), people({"service": "cart"})) as gateway,
    ):
        assert [(await gateway.ask())[0] for _ in range(8)] == [401] * 8


async def test_a_service_on_the_mesh_asks_without_any_route() -> None:
    async with (
        services(saying("1")) as books,
        compiled_gateway(*books, people({"service": "books"}), face=MESH) as gateway,
    ):
        assert (await gateway.ask(host="books"))[0] == 401
        assert (await gateway.ask(host="books", fields=bearer(token(ID.ec, kid="ec"))))[0] == 200


async def test_several_issuers_are_told_apart_by_whom_a_token_names() -> None:
    other = SigningKey("EC")
    second = jwt(issuer="https://second.example", jwks={"keys": [other.jwk("ec")]})
    policy = document("Authentication", "people", {"methods": [{"jwt": jwt()}, {"jwt": second}]})
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), policy) as gateway:
        for key, issuer, status in (
            (ID.ec, ISSUER, 200),
            (other, "https://second.example", 200),
            (other, ISSUER, 401),
            (ID.ec, "https://second.example", 401),
            (other, "https://third.example", 401),
        ):
            text = token(key, claims(iss=issuer), kid="ec")
            assert (await gateway.ask(fields=bearer(text)))[0] == status
        names = [line["principal"] for line in gateway.lines[:2]]
        assert names == [f"{ISSUER}#ada", "https://second.example#ada"]


async def test_a_connection_that_changes_its_token_is_judged_by_the_new_one() -> None:
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), people()) as gateway:
        good, bad = token(ID.ec, kid="ec"), token(SigningKey("EC"), kid="ec")
        for text, status in ((good, 200), (good, 200), (bad, 401), (good, 200), (bad, 401)):
            assert (await gateway.ask(fields=bearer(text)))[0] == status


async def test_a_claim_s_header_is_taken_from_callers_on_ways_that_ask_nobody() -> None:
    upstream = saying("1")
    elsewhere = document(
        "Authentication", "elsewhere", {"methods": [{"jwt": jwt(claims_to_headers={"sub": "X-User"})}]}, "shop"
    )
    forged = "X-User: root\r\nx-uSer: root\r\nX-Userx: kept\r\n"
    async with services(upstream) as books, compiled_gateway(*books, route(to("books"))) as gateway:
        assert (await gateway.ask(fields=forged))[0] == 200
        assert upstream.requests[-1].values(b"x-user") == [b"root", b"root"]
        gateway.apply(elsewhere)
        for _ in range(2):
            assert (await gateway.ask(fields=forged))[0] == 200
            assert upstream.requests[-1].values(b"x-user") == []
            assert upstream.requests[-1].values(b"x-userx") == [b"kept"]
        gateway.apply(people(claims_to_headers={"sub": "X-Person"}))
        good = bearer(token(ID.ec, kid="ec"))
        for _ in range(2):
            assert (await gateway.ask(fields=forged + "X-Person: root\r\n" + good))[0] == 200
            assert upstream.requests[-1].values(b"x-user") == []
            assert upstream.requests[-1].values(b"x-person") == [b"ada"]
        gateway.apply(gone("Authentication", "elsewhere", "shop"), gone("Authentication", "people"))
        assert (await gateway.ask(fields=forged))[0] == 200
        assert upstream.requests[-1].values(b"x-user") == [b"root", b"root"]
