"""Services that say by a token who they are, on the mesh listener, over real sockets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from gateway.exchange import EDGE, MESH
from gateway.explain.explaining import explain_question
from gateway.trust import NOBODY
from meshway.explanation import CallQuestion, Explanation
from meshway.identity import AUDIENCE
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying, services
from tests.parts.changes import document, gone
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.tokens import SigningKey, token
from tests.parts.upstream import RecordingUpstream

CART: Final = "spiffe://mesh.internal/ns/default/svc/cart"
KEY: Final = SigningKey()
HOST: Final = "books.default.mesh"
FOR_CART: Final = {"action": "allow", "from": [{"principal": CART}]}


def said(key: SigningKey = KEY, kid: str = "k1", **other: Any) -> str:
    """A token as the registry gives it, but for what is said otherwise. iat, exp: seconds from now."""
    claims: dict[str, Any] = {
        "iss": "spiffe://mesh.internal",
        "aud": AUDIENCE,
        "sub": CART,
        "iat": 0,
        "exp": 3600,
        "cert": f"{7:016x}",
    }
    claims |= other
    now = time.time()
    return token(key, claims | {name: now + claims[name] for name in ("iat", "exp")}, kid=kid)


def bundle(*keys: dict[str, Any], revoked: tuple[int, ...] = (), **fields: Any) -> Change:
    spec = {
        "trust_domain": "mesh.internal",
        "generation": 1,
        "token_keys": list(keys),
        "revoked": [f"{one:016x}" for one in revoked],
    }
    return document("TrustBundle", "mesh", spec | fields, "mesh")


def jwk(key: SigningKey = KEY, kid: str = "k1") -> dict[str, Any]:
    return key.jwk(kid, alg="ES256", use="sig")


@asynccontextmanager
async def books(*changes: Change, face: int = MESH) -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    one = saying("1")
    async with services(one) as running, compiled_gateway(*running, *changes, face=face) as gateway:
        yield gateway, one


def shown(text: str) -> str:
    return f"meshway-token: {text}\r\n"


async def test_a_service_is_who_its_token_says_and_others_are_not() -> None:
    locked = document("AccessPolicy", "p", {"targets": [{"service": "books"}], "rules": [FOR_CART]})
    async with books(locked, bundle(jwk())) as (gateway, upstream):
        for _ in range(2):  # verified, then remembered
            assert (await gateway.ask(host=HOST, fields=shown(said())))[0] == 200
        assert (await gateway.ask(host=HOST))[0] == 403
        other = shown(said(sub="spiffe://mesh.internal/ns/default/svc/films"))
        assert (await gateway.ask(host=HOST, fields=other))[0] == 403
        assert [line["principal"] for line in gateway.lines[:3]] == [CART, CART, ""]
        assert all(not request.values(b"meshway-token") for request in upstream.requests)
        assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"sub": "spiffe://mesh.internal/ns/default/svc/cart/../films"}, "no name of the mesh"),
        ({"sub": "spiffe://other.example/ns/default/svc/cart"}, "another trust domain"),
        ({"sub": None}, "no name of the mesh"),
        ({"iss": "spiffe://other.example"}, "another issuer's"),
        ({"aud": "shop"}, "another audience"),
        ({"exp": -60}, "expired"),
        ({"iat": -7200, "exp": 600}, "too old"),
        ({"iat": 600}, "in the future"),
        ({"cert": None}, "no certificate's"),
        ({"cert": f"{9:016x}"}, "is revoked"),
        ({"key": SigningKey()}, "not the issuer's"),
        ({"kid": "k2"}, "no key of the issuer"),
        ({"key": SigningKey("RSA")}, "alg is not allowed"),
    ],
)
async def test_a_token_that_does_not_hold_is_refused_and_makes_nobody_anonymous(
    other: dict[str, Any], why: str
) -> None:
    async with books(bundle(jwk(), revoked=(9,))) as (gateway, upstream):
        status, head, body = await gateway.ask(host=HOST, fields=shown(said(**other)))
        assert (status, why in body) == (401, True), body
        assert '"policy":"TrustBundle mesh/mesh"' in body
        assert 'WWW-Authenticate: Bearer realm="mesh"' in head
        assert upstream.requests == []
        assert (await gateway.ask(host=HOST))[0] == 200, "who shows none is let in where no policy asks"
        assert (await gateway.ask(host=HOST, fields=shown(said())))[0] == 200


async def test_what_was_believed_is_forgotten_with_the_key_and_with_the_certificate() -> None:
    async with books(bundle(jwk())) as (gateway, _):
        text = said()
        assert (await gateway.ask(host=HOST, fields=shown(text)))[0] == 200
        gateway.apply(bundle(jwk(), revoked=(7,), generation=2))
        assert (await gateway.ask(host=HOST, fields=shown(text)))[0] == 401
        following = SigningKey()
        gateway.apply(bundle(jwk(), jwk(following, "k2"), generation=3))
        for each in (text, said(following, "k2")):
            assert (await gateway.ask(host=HOST, fields=shown(each)))[0] == 200
        gateway.apply(bundle(jwk(following, "k2"), generation=4))
        assert (await gateway.ask(host=HOST, fields=shown(text)))[0] == 401
        gateway.apply(gone("TrustBundle", "mesh", "mesh"))
        status, _, body = await gateway.ask(host=HOST, fields=shown(said(following, "k2")))
        assert (status, "no authority is known" in body) == (401, True)
        assert gateway.compiler.tables.trust is NOBODY


async def test_two_tokens_are_none() -> None:
    async with books(bundle(jwk())) as (gateway, upstream):
        assert (await gateway.ask(host=HOST, fields=shown(said()) + shown(said())))[0] in (400, 401)
        assert upstream.requests == []


async def test_outside_nobody_is_a_service() -> None:
    route = document("Route", "r", {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "books"}]}]})
    async with books(route, bundle(jwk()), face=EDGE) as (gateway, upstream):
        assert (await gateway.ask(fields=shown(said())))[0] == 200
        assert gateway.lines[-1]["principal"] == ""
        assert not upstream.requests[0].values(b"meshway-token")


async def test_an_explanation_believes_a_token_where_the_call_does() -> None:
    locked = document("AccessPolicy", "p", {"targets": [{"service": "books"}], "rules": [FOR_CART]})
    async with books(locked, bundle(jwk())) as (gateway, _):

        def told(text: str = "", **asked: Any) -> Explanation:
            headers = {"meshway-token": text} if text else {}
            question = CallQuestion(url=f"http://{HOST}/", headers=headers, **asked)
            return explain_question(gateway.compiler.state, question, time.monotonic(), "gw-1")

        by_cart, anonymous = told(said()), told()
        assert by_cart.answered is None
        assert CART in by_cart.filters[0].detail
        assert (anonymous.answered is not None and anonymous.answered.status) == 403
        for refused in (told("x"), told(said(), address="10.0.0.1")):
            assert refused.answered is not None
            assert (refused.answered.status, refused.answered.document) == (401, "TrustBundle mesh/mesh")
        at_the_edge = told(said(), listener="edge").answered
        assert (at_the_edge is not None and at_the_edge.status) == 404, "the edge takes no such field"
