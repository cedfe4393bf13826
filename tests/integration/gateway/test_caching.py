"""A rule that keeps answers: what callers get, and what the service still hears of them (RFC 9111)."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from meshway.tasks import spawn
from tests.parts.answering_service import AnsweringService, Asked, answer
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling
from tests.parts.jwt_attacks import Issuer
from tests.parts.tokens import AUDIENCE, ISSUER, claims, token
from tests.parts.wire import Caller

ID = Issuer()
FRESH = "Cache-Control: max-age=60\r\n"


@dataclass
class Shop:
    """A gateway before one service. calls: how often that was asked."""

    gateway: CompiledGateway
    service: AnsweringService

    @property
    def calls(self) -> int:
        return len(self.service.asked)

    async def get(
        self, target: str = "/", fields: str = "", method: str = "GET", body: str = ""
    ) -> tuple[int, str, str]:
        if method != "HEAD":
            return await self.gateway.ask(target, fields=fields, method=method, body=body)
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.gateway.port))
        caller.send(f"HEAD {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n".encode())
        head = await caller.head()
        rest = await caller.rest()
        caller.writer.close()
        return int(head.split()[1]), head.decode(), rest.decode()


@asynccontextmanager
async def shop(
    reply: Callable[[Asked], bytes | Awaitable[bytes]], cache: dict[str, Any], *others: Any, **rule: Any
) -> AsyncIterator[Shop]:
    async def replying(asked: Asked) -> bytes:
        said = reply(asked)
        return said if isinstance(said, bytes) else await said

    service = AnsweringService(replying)
    route = document("Route", "r", edge_route(to("books", cache=cache, **rule)))
    async with (
        service.running(),
        compiled_gateway(running("books", "1", port=service.port), route, *others) as gateway,
    ):
        yield Shop(gateway, service)


def field_of(head: str, name: str) -> str:
    lines = [line.partition(":") for line in head.split("\r\n")]
    return ", ".join(value.strip() for key, _, value in lines if key.lower() == name)


@pytest.mark.proves("Rule.cache")
async def test_a_fresh_answer_is_given_again_with_its_age_and_a_stale_one_is_not() -> None:
    async with shop(lambda asked: answer("one", FRESH), {}) as of:
        status, head, body = await of.get()
        assert (status, body, field_of(head, "cache-status")) == (
            200,
            "one",
            "meshway; fwd=miss; fwd-status=200; stored",
        )
        of.gateway.leap(20.0)
        status, head, body = await of.get()
        assert (status, body, of.calls) == (200, "one", 1)
        assert field_of(head, "cache-status").startswith("meshway; hit; ttl=")
        assert 20 <= int(field_of(head, "age")) < 30
        of.gateway.leap(60.0)
        await of.get()
        assert of.calls == 2
        assert [line.get("cache") for line in of.gateway.lines] == ["miss", "hit", "miss"]
        assert [line["flag"] for line in of.gateway.lines] == ["", "RFCF", ""]


async def test_what_may_not_be_kept_is_not() -> None:
    for fields in ("Cache-Control: no-store\r\n", "Cache-Control: private\r\n", f"{FRESH}Set-Cookie: a=b\r\n", "",
                   f"{FRESH}Vary: *\r\n", "Cache-Control: max-age=0\r\n"):  # fmt: skip
        async with shop(lambda asked, fields=fields: answer("one", fields), {}) as of:  # type: ignore[misc]
            assert [(await of.get())[2] for _ in range(3)] == ["one"] * 3
            assert of.calls == 3, fields


async def test_a_call_with_credentials_is_kept_for_all_only_where_the_service_says_so() -> None:
    async with shop(lambda asked: answer("one", FRESH), {}) as of:
        for _ in range(2):
            await of.get(fields="Authorization: Bearer x\r\n")
        assert of.calls == 2
        for _ in range(2):
            await of.get()
        assert of.calls == 3  # and is no reason not to keep what others get
    async with shop(lambda asked: answer("one", "Cache-Control: public, max-age=60\r\n"), {}) as of:
        for _ in range(2):
            await of.get(fields="Authorization: Bearer x\r\n")
        assert of.calls == 1


async def test_a_stale_answer_with_a_validator_is_asked_for_on_condition() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.fields.get("if-none-match") == '"v1"':
            return answer(status=304, fields=f'{FRESH}ETag: "v1"\r\nX-New: 1\r\n')
        return answer("one", f'{FRESH}ETag: "v1"\r\nX-New: 0\r\n')

    async with shop(reply, {}) as of:
        await of.get()
        of.gateway.leap(61.0)
        status, head, body = await of.get()
        assert (status, body, field_of(head, "x-new")) == (200, "one", "1")
        assert field_of(head, "cache-status") == "meshway; fwd=stale; fwd-status=304"
        assert (await of.get())[2] == "one"
        assert of.calls == 2
        assert [line.get("cache") for line in of.gateway.lines] == ["miss", "revalidated", "hit"]


async def test_callers_who_have_it_are_told_so_from_the_store() -> None:
    async with shop(lambda asked: answer("one", f'{FRESH}ETag: "v1"\r\n'), {}) as of:
        await of.get()
        status, head, body = await of.get(fields='If-None-Match: W/"v1"\r\n')
        assert (status, body, field_of(head, "etag")) == (304, "", '"v1"')
        assert (await of.get(fields='If-None-Match: "v2"\r\n'))[0] == 200
        assert of.calls == 1


async def test_head_and_parts_come_from_a_whole_answer() -> None:
    async with shop(lambda asked: answer("0123456789", f'{FRESH}ETag: "v1"\r\n'), {}) as of:
        assert (await of.get(fields="Range: bytes=2-3\r\n"))[0] == 200  # not there yet: the service's answer
        assert (await of.get())[2] == "0123456789"
        status, head, body = await of.get(method="HEAD")
        assert (status, body, field_of(head, "content-length")) == (200, "", "10")
        status, head, body = await of.get(fields="Range: bytes=2-3\r\n")
        assert (status, body, field_of(head, "content-range")) == (206, "23", "bytes 2-3/10")
        assert (await of.get(fields="Range: bytes=-2\r\n"))[2] == "89"
        assert (await of.get(fields="Range: bytes=20-\r\n"))[0] == 416
        assert (await of.get(fields='Range: bytes=2-3\r\nIf-Range: "v0"\r\n'))[2] == "0123456789"
        assert of.calls == 2


async def test_an_unsafe_call_makes_what_it_may_have_changed_forgotten() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.method == "POST":
            return answer("", "Location: /made?x=1\r\n", 201)
        return answer("bad", status=500) if asked.method == "PUT" else answer("one", FRESH)

    async with shop(reply, {}) as of:
        for target in ("/a", "/made?x=1", "/b"):
            await of.get(target)
        await of.get("/a", method="POST", fields="Content-Length: 0\r\n")
        await of.get("/b", method="PUT", fields="Content-Length: 0\r\n")  # an error changes nothing
        before = of.calls
        for target in ("/a", "/made?x=1", "/b"):
            await of.get(target)
        assert of.calls == before + 2


async def test_vary_keeps_answers_apart() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(asked.fields.get("accept-language", "none"), f"{FRESH}Vary: Accept-Language\r\n")

    async with shop(reply, {}) as of:
        for _ in range(2):
            for language in ("de", "fr"):
                assert (await of.get(fields=f"Accept-Language: {language}\r\n"))[2] == language
            assert (await of.get())[2] == "none"
        assert of.calls == 3


async def test_a_thousand_callers_at_once_ask_the_service_once() -> None:
    gate = asyncio.Event()

    async def reply(asked: Asked) -> bytes:
        await gate.wait()
        return answer("one", FRESH)

    async with shop(reply, {"coalesce_wait": "60s"}) as of:
        calls = [spawn(of.get(), name="a caller") for _ in range(1000)]
        await until(lambda: len(waiting(of)) == 1000, what="a thousand who wait", within_s=60.0)
        gate.set()
        assert {(status, body) for status, _, body in await asyncio.gather(*calls)} == {(200, "one")}
        assert of.calls == 1


def waiting(of: Shop) -> list[object]:
    (cache,) = (cache for route in of.gateway.compiler.state.routes.values() for cache in route.caches)
    return [reader for filling in cache.running for reader in filling._readers]  # type: ignore[attr-defined]


async def test_those_who_wait_for_what_cannot_be_kept_go_at_once() -> None:
    gate, released = asyncio.Event(), asyncio.Event()

    async def reply(asked: Asked) -> bytes:
        await gate.wait()
        if len(of.service.asked) > 1:
            await released.wait()
        return answer("one", "Cache-Control: private\r\n")

    async with shop(reply, {"coalesce_wait": "60s"}) as of:
        calls = [spawn(of.get(), name="a caller") for _ in range(20)]
        await until(lambda: len(waiting(of)) == 20, what="twenty who wait")
        gate.set()
        await until(lambda: of.calls == 20, what="each asks by himself")
        released.set()
        assert {body for _, _, body in await asyncio.gather(*calls)} == {"one"}
        await of.get()
        assert of.calls == 21


async def test_who_leaves_takes_nothing_from_those_who_wait_and_alone_ends_the_asking() -> None:
    gate = asyncio.Event()

    async def reply(asked: Asked) -> bytes:
        await gate.wait()
        return answer("one", FRESH)

    async with shop(reply, {"coalesce_wait": "60s"}) as of:
        first = spawn(of.get(), name="a caller")
        await until(lambda: len(waiting(of)) == 1, what="the first waits")
        second = spawn(of.get(), name="a caller")
        await until(lambda: len(waiting(of)) == 2, what="the second waits")
        first.cancel()
        await until(lambda: len(waiting(of)) == 1, what="the first has left")
        gate.set()
        assert (await second)[2] == "one"
        assert of.calls == 1
        gate.clear()
        third = spawn(of.get("/other"), name="a caller")
        await until(lambda: len(waiting(of)) == 1, what="another waits")
        third.cancel()
        tables = of.gateway.compiler.tables
        await until(lambda: not any(each.in_flight for each in tables.endpoints.values()), what="nobody is asked")
        assert not waiting(of)


@pytest.mark.proves("Cache.per_principal")
async def test_two_principals_never_get_each_others_answers() -> None:
    """Each of a hundred callers, in a random order, gets his own; without the field all get the first one's."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    proof = document("Authentication", "people", {
        "targets": [{"route": "r"}],
        "methods": [{"jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks,
                             "claims_to_headers": {"sub": "x-who"}}}],
    })  # fmt: skip
    anonymous = document("Authentication", "people", {
        "targets": [{"route": "r"}],
        "methods": [{"jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks}}],
    })  # fmt: skip
    names = [f"user{number}" for number in range(10)]
    tokens = {name: token(ID.ec, claims(sub=name), kid="ec") for name in names}

    def reply(asked: Asked) -> bytes:
        return answer(
            asked.fields.get("x-who", f"call {len(of.service.asked)}"), "Cache-Control: public, max-age=60\r\n"
        )

    for cache in ({}, {"per_principal": True}):
        async with shop(reply, cache, proof) as of:
            for name in rng.choices(names, k=50):
                assert (await of.get(fields=f"Authorization: Bearer {tokens[name]}\r\n"))[2] == name
            assert (await of.get())[0] == 401
            assert of.calls == len({name for name in names if name in {line["principal"].partition("#")[2]
                                                                       for line in of.gateway.lines}})  # fmt: skip
    for cache, told in (({}, {"call 1"}), ({"per_principal": True}, {"call 1", "call 2"})):
        async with shop(reply, cache, anonymous) as of:
            answers = {(await of.get(fields=f"Authorization: Bearer {tokens[name]}\r\n"))[2] for name in names[:2] * 3}
            assert answers == told


async def test_a_service_may_tell_callers_apart_by_what_they_prove_themselves_with() -> None:
    """As by Authorization, though that is of another name."""
    method = {"jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks,
                      "from": [{"header": "X-Token"}, {"cookie": "token"}]}}  # fmt: skip
    proof = document(
        "Authentication", "people", {"targets": [{"route": "r"}], "methods": [method], "forward_credentials": True}
    )
    tokens = [token(ID.ec, claims(sub=name), kid="ec") for name in ("one", "two")]
    async with shop(lambda asked: answer(f"call {len(of.service.asked)}", FRESH), {}, proof) as of:
        for _ in range(2):
            for at, field in enumerate(("X-Token: ", "Cookie: token=")):
                told = [(await of.get(fields=f"{field}{each}\r\n"))[2] for each in tokens]
                assert told == [f"call {2 * at + 1}", f"call {2 * at + 2}"]


async def test_large_answers_stream_to_slow_callers() -> None:
    body = "x" * 900_000
    async with shop(lambda asked: answer(body, FRESH), {}) as of:
        for _ in range(3):
            assert (await of.get())[2] == body
        assert of.calls == 1


async def test_each_caller_gets_what_is_kept_in_the_coding_he_takes() -> None:
    text = "words " * 1000

    def reply(asked: Asked) -> bytes:
        return answer(text, f'{FRESH}Content-Type: text/plain\r\nETag: "v1"\r\n')

    async with shop(reply, {}, compression={"encodings": ["gzip"]}) as of:

        async def ask(fields: str) -> tuple[int, str, bytes]:
            caller = Caller(*await asyncio.open_connection("127.0.0.1", of.gateway.port))
            caller.send(f"GET / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n".encode())
            status, head, body = await caller.answer()
            caller.writer.close()
            return status, head.decode(), body

        assert (await ask(""))[2] == text.encode()
        for _ in range(2):
            status, head, body = await ask("Accept-Encoding: gzip\r\n")
            assert (status, field_of(head, "etag"), gzip.decompress(body)) == (200, 'W/"v1"', text.encode())
            assert field_of(head, "vary") == "Accept-Encoding"
        assert (await ask(""))[2] == text.encode()
        status, head, body = await ask('Accept-Encoding: gzip\r\nIf-None-Match: W/"v1"\r\n')
        assert (status, field_of(head, "etag"), body) == (304, 'W/"v1"', b"")
        status, head, body = await ask("Accept-Encoding: gzip\r\nRange: bytes=0-4\r\n")
        assert (status, field_of(head, "content-encoding"), body) == (206, "", b"words")
        assert of.calls == 1


async def test_callers_of_http2_get_what_is_kept_as_others_do() -> None:
    def reply(asked: Asked) -> bytes:
        return answer("x" * 300_000 if asked.target == "/big" else "one", FRESH)

    async with shop(reply, {}) as of:
        await of.get()
        async with calling(of.gateway.port) as caller:
            told = await caller.answer(caller.get(b"/"))
            assert (told.status, bytes(told.body), of.calls) == (200, b"one", 1)
            big = await caller.answer(caller.get(b"/big"))
            assert (len(big.body), of.calls) == (300_000, 2)
            assert len((await caller.answer(caller.get(b"/big"))).body) == 300_000
        assert of.calls == 2


@pytest.mark.parametrize("fails", [False, True])
async def test_who_waits_while_another_variant_is_asked_for_anew_does_not_get_that(fails: bool) -> None:
    """Whether the service says that it has not changed, or fails."""
    gate = asyncio.Event()

    async def reply(asked: Asked) -> bytes:
        language = asked.fields["accept-language"]
        if "if-none-match" in asked.fields:
            await gate.wait()
            return answer(status=503) if fails else answer(status=304, fields=f'{FRESH}ETag: "de"\r\n')
        return answer(language, f'{FRESH}Vary: Accept-Language\r\nETag: "{language}"\r\n')

    async with shop(reply, {"coalesce_wait": "60s", "stale_if_error": "1h"}) as of:
        await of.get(fields="Accept-Language: de\r\n")
        of.gateway.leap(61.0)
        first = spawn(of.get(fields="Accept-Language: de\r\n"), name="a caller")
        await until(lambda: len(waiting(of)) == 1, what="the first waits")
        others = [spawn(of.get(fields=f"Accept-Language: {name}\r\n"), name="a caller") for name in ("fr", "de")]
        await until(lambda: len(waiting(of)) == 3, what="the others wait")
        gate.set()
        assert [body for _, _, body in await asyncio.gather(first, *others)] == ["de", "fr", "de"]


@pytest.mark.parametrize(
    ("told", "credentials"),
    [
        ("Cache-Control: private\r\n", ""),
        ("Cache-Control: no-store\r\n", ""),
        ("Set-Cookie: session=one\r\n", ""),
        ("X-Of: one\r\n", "Authorization: Basic b25lOm9uZQ==\r\n"),
    ],
)
async def test_what_comes_with_word_that_nothing_has_changed_may_be_one_callers_alone(
    told: str, credentials: str
) -> None:
    def reply(asked: Asked) -> bytes:
        if "if-none-match" in asked.fields:
            return answer(status=304, fields=f'ETag: "v1"\r\n{told}')
        return answer("all", f'{FRESH}ETag: "v1"\r\n')

    async with shop(reply, {"max_ttl": "1h"}) as of:
        await of.get()
        of.gateway.leap(61.0)
        _, head, body = await of.get(fields=credentials)
        assert body == "all"
        assert told in f"{head}\r\n"
        of.gateway.leap(1.0)
        of.service.asked.clear()
        _, head, body = await of.get()
        assert body == "all"
        (asked,) = of.service.asked  # the kept one is gone, or as stale as it was
        assert ("if-none-match" in asked.fields) == bool(credentials)


async def test_what_slow_callers_have_yet_to_get_counts_as_coming() -> None:
    size = 12 << 20
    async with shop(lambda asked: answer("x" * size, FRESH), {"max_object": "16MiB"}) as of:
        (cache,) = (cache for route in of.gateway.compiler.state.routes.values() for cache in route.caches)
        slow = Caller(*await asyncio.open_connection("127.0.0.1", of.gateway.port))
        slow.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        await until(lambda: len(cache.store) == 1, what="the answer is kept")
        assert cache.coming >= size
        slow.writer.transport.abort()
        await until(lambda: cache.coming == 0, what="nothing is held for him")
