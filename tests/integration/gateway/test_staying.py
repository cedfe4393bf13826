"""Callers that come back to the destination, or to the instance, that served them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, left, running
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.upstream import RecordingUpstream


def saying(name: str) -> RecordingUpstream:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
    return RecordingUpstream(pieces_of=lambda received: [answer])


@asynccontextmanager
async def versions() -> AsyncIterator[list[Change]]:
    """books in two versions, each a subset."""
    service = document(
        "Service", "books", {"subsets": [{"name": each, "match": {"version": each}} for each in ("v1", "v2")]}
    )
    async with saying("v1").running() as one, saying("v2").running() as two:
        yield [
            service,
            running("books", "1", port=one.port, version="v1"),
            running("books", "2", port=two.port, version="v2"),
        ]


def split(first: int, second: int, **sticky: Any) -> Change:
    destinations = [{"service": "books", "subset": "v1", "weight": first}]
    destinations += [{"service": "books", "subset": "v2", "weight": second}]
    return document("Route", "r", edge_route({"destinations": destinations, "sticky": sticky}))


def given(head: str, name: str) -> str:
    found = re.search(rf"^Set-Cookie: ({name}=[^;\r\n]+)", head, re.MULTILINE)
    assert found is not None, head
    return found[1]


@pytest.mark.parametrize(
    ("sticky", "asks"),
    [
        ({"key": "header", "name": "X-User"}, lambda user: ("/", f"X-User: {user}\r\n")),
        ({"key": "query", "name": "user"}, lambda user: (f"/?user={user}", "")),
        ({"key": "cookie", "name": "user"}, lambda user: ("/", f"Cookie: user={user}\r\n")),
    ],
    ids=["header", "query", "cookie"],
)
@pytest.mark.proves("Rule.sticky", "Sticky.key", "Sticky.name")
async def test_each_caller_of_a_split_keeps_its_version_as_the_canary_grows(sticky: dict[str, Any], asks: Any) -> None:
    async with versions() as books, compiled_gateway(*books, split(50, 50, **sticky)) as gateway:

        async def version(user: int) -> str:
            target, fields = asks(user)
            return (await gateway.ask(target, fields=fields))[2]

        before = [await version(user) for user in range(24)]
        assert set(before) == {"v1", "v2"}
        assert [await version(user) for user in range(24)] == before
        gateway.apply(split(20, 80, **sticky))
        after = [await version(user) for user in range(24)]
        assert all(new == "v2" for old, new in zip(before, after, strict=True) if old == "v2"), "none goes back"


async def test_one_address_keeps_its_version() -> None:
    async with versions() as books, compiled_gateway(*books, split(50, 50, key="source_ip")) as gateway:
        assert len({(await gateway.ask())[2] for _ in range(12)}) == 1


@pytest.mark.proves(
    "Sticky.cookie",
    "StickyCookie.ttl",
    "StickyCookie.path",
    "StickyCookie.same_site",
    "StickyCookie.secure",
    "StickyCookie.http_only",
)
async def test_a_caller_without_a_cookie_is_given_one_as_the_document_says() -> None:
    cookie = {"ttl": "1h", "path": "/shop", "same_site": "none", "secure": "always", "http_only": False}
    sticky = split(50, 50, key="cookie", name="mw-v", cookie=cookie)
    async with versions() as books, compiled_gateway(*books, sticky) as gateway:
        _, head, version = await gateway.ask()
        assert "; Path=/shop; Max-Age=3600; SameSite=None; Secure\r\n" in head
        assert "HttpOnly" not in head
        held = given(head, "mw-v")
        for _ in range(6):
            _, head, again = await gateway.ask(fields=f"Cookie: {held}\r\n")
            assert (again, "Set-Cookie" in head) == (version, False)
        gateway.apply(split(50, 50, key="cookie", name="mw-v"))
        _, head, _ = await gateway.ask()
        assert "; Path=/; Max-Age=86400; SameSite=Lax; HttpOnly\r\n" in head


async def test_callers_of_a_version_that_is_gone_are_served_by_the_other() -> None:
    sticky = split(50, 50, key="query", name="u")
    async with versions() as books, compiled_gateway(*books, sticky) as gateway:
        gateway.apply(left("books", "2"))
        assert {(await gateway.ask(f"/?u={user}"))[2] for user in range(12)} == {"v1"}


ROUTE = document("Route", "r", edge_route({"destinations": [{"service": "books"}]}))


def affine(**affinity: Any) -> Change:
    return document(
        "TrafficPolicy",
        "p",
        {"load_balancer": {"algorithm": "round_robin", "affinity": affinity}, "retry": {"max_retries": 1}},
    )


async def held_cookie(gateway: CompiledGateway) -> tuple[str, str]:
    _, head, instance = await gateway.ask()
    return instance, given(head, "mw")


@pytest.mark.parametrize(
    ("ttl", "attribute"), [(None, "; Max-Age=3600;"), ("2m", "; Max-Age=120;"), ("0s", "Path=/; SameSite")]
)
@pytest.mark.proves("LoadBalancer.affinity", "Affinity.cookie", "Affinity.ttl")
async def test_a_cookie_brings_a_caller_back_to_its_instance(ttl: str | None, attribute: str) -> None:
    affinity = {"cookie": "mw"} | ({"ttl": ttl} if ttl else {})
    async with versions() as books, compiled_gateway(*books[1:], ROUTE, affine(**affinity)) as gateway:
        _, head, instance = await gateway.ask()
        assert attribute in head
        held = given(head, "mw")
        assert {(await gateway.ask(fields=f"Cookie: {held}\r\n"))[2] for _ in range(5)} == {instance}
        assert len({(await gateway.ask())[2] for _ in range(2)}) == 2, "others go round"


async def test_a_caller_whose_instance_left_is_given_another() -> None:
    async with versions() as books, compiled_gateway(*books[1:], ROUTE, affine(cookie="mw")) as gateway:
        instance, held = await held_cookie(gateway)
        gateway.apply(left("books", instance[1:]))
        _, head, other = await gateway.ask(fields=f"Cookie: {held}\r\n")
        assert other != instance
        assert given(head, "mw") != held


async def test_a_retry_gives_the_cookie_of_the_instance_that_answered() -> None:
    async with versions() as books:
        dead = running("books", "0", port=1)  # nobody listens there
        async with compiled_gateway(*books[1:2], dead, ROUTE, affine(cookie="mw")) as gateway:
            for _ in range(2):
                _, head, instance = await gateway.ask()
                assert instance == "v1"
            held = given(head, "mw")
            cluster = gateway.compiler.tables.clusters["default/books"]
            _, head, instance = await gateway.ask(fields=f"Cookie: {held}\r\n")
            assert (instance, "Set-Cookie" in head) == ("v1", False)
            assert cluster.endpoints[1].id == "1"


@pytest.mark.proves("Affinity.header")
async def test_a_header_brings_a_program_back_to_its_instance() -> None:
    async with versions() as books, compiled_gateway(*books[1:], ROUTE, affine(header="X-Stay")) as gateway:
        _, head, instance = await gateway.ask()
        token = re.search(r"^X-Stay: (\w+)", head, re.MULTILINE)
        assert token is not None
        assert {(await gateway.ask(fields=f"x-stay: {token[1]}\r\n"))[2] for _ in range(5)} == {instance}
