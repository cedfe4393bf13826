"""A rule that denies a path, over real sockets, against every spelling of it: none reaches the service."""

import json
from collections.abc import AsyncIterator
from typing import Final

import pytest

from gateway.access.gate import Verdict
from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed
from gateway.routing.table import Candidate
from meshway.model.match import PathMatch
from meshway.snapshot import Change
from tests.integration.gateway.access_paths import ADMIN, OTHERS
from tests.integration.gateway.test_access import OF_BOOKS, books_behind, policy, rule
from tests.integration.gateway.test_decisions import route
from tests.parts.changes import document, edge_route, to
from tests.parts.compiled import CompiledGateway
from tests.parts.exchanges import ended
from tests.parts.upstream import RecordingUpstream

Guarded = tuple[CompiledGateway, RecordingUpstream]
NO_ADMIN: Final = policy(targets=OF_BOOKS, rules=[rule("deny", to=[{"path": {"prefix": "/admin"}}])])
BY_ROUTE: Final = route(to("books"))
REWRITTEN: Final = route(to("books", rewrite={"host": "books.internal"}))  # what is sent is asked when it is sent
SLASHED: Final = document("Route", "r", edge_route(to("books"), encoded_slashes="pass", double_slashes="pass"))


def test_there_are_rows_enough_and_none_twice() -> None:
    assert len(ADMIN) == len(set(ADMIN)) >= 150


@pytest.fixture(params=[BY_ROUTE, REWRITTEN, SLASHED], ids=["at once", "when it is sent", "with its slashes"])
async def guarded(request: pytest.FixtureRequest) -> AsyncIterator[Guarded]:
    by: Change = request.param
    async with books_behind(by, NO_ADMIN) as found:
        yield found


async def test_no_spelling_of_a_denied_path_reaches_the_service(guarded: Guarded) -> None:
    gateway, service = guarded
    passed = [target for target in ADMIN if (await gateway.ask(target))[0] not in (400, 403, 404)]
    assert passed == []
    assert service.requests == []


async def test_paths_of_their_own_arrive_as_they_are(guarded: Guarded) -> None:
    gateway, service = guarded
    for target, arrives in OTHERS.items():
        assert (await gateway.ask(target))[0] == 200, target
        assert service.requests[-1].target == arrives.encode(), target


async def test_slashes_that_a_route_keeps_arrive_and_climb_nowhere() -> None:
    async with books_behind(SLASHED, NO_ADMIN) as (gateway, service):
        for target in ("/a%2Fb", "/a//b/", "//a", "/a%5cb", "/x%2F//y"):
            assert (await gateway.ask(target))[0] == 200, target
            assert service.requests[-1].target == target.replace("%5c", "%5C").encode()
        for target in ("/a%2F..%2Fadmin", "/a%2f../b", "/a//../b", "/a%5C..", "/a/%2e%2e%2fb", "/%2F%2e%2e/a", "/a%00"):
            assert (await gateway.ask(target))[0] in (400, 404), target
        for target in ("//admin", "/%2Fadmin", "/a%2F%2Fb/..;/../admin", "/admin%2Fx", "/x//../admin", "//%61dmin"):
            assert (await gateway.ask(target))[0] in (400, 403, 404), target
        assert len(service.requests) == 5


async def test_a_path_too_long_to_be_read_in_every_way_is_refused() -> None:
    async with books_behind(BY_ROUTE, NO_ADMIN) as (gateway, service):
        long = "/a" * 700
        assert (await gateway.ask(long))[0] == 200
        status, _, body = await gateway.ask(long + "%20b")
        assert (status, json.loads(body)["code"], json.loads(body)["policy"]) == (414, "uri_too_long", "AccessPolicy")
        assert (await gateway.ask("/a" * 100 + "%20b"))[0] == 200
        assert len(service.requests) == 2


async def test_no_spelling_is_allowed_by_a_rule_for_another_one() -> None:
    """A rule that allows /open lets in what is forwarded below /open, and nothing that might only be read so."""
    only = policy(targets=OF_BOOKS, rules=[rule("allow", to=[{"path": {"prefix": "/open"}}])])
    async with books_behind(BY_ROUTE, only) as (gateway, service):
        assert (await gateway.ask("/open/a"))[0] == 200
        outside = ["/OPEN", "/open/../x", "/open%252f..%252fx", "/x;/open", "/%256Fpen", "/open.", "/openx", "/open;x"]
        for target in outside:
            assert (await gateway.ask(target))[0] == 403, target
        assert [received.target for received in service.requests] == [b"/open/a"]


def test_every_row_passes_where_nothing_is_normalised_and_nothing_read_twice() -> None:
    """Rows that nothing can fail prove nothing: a rule that is asked for paths as they come lets each of them pass."""
    deny = Verdict("AccessPolicy", "it denies", passes=False)
    denies = build_host([Placed(PathMatch(prefix="/admin"), Candidate((0,), deny))])
    assert denies.match(ended(b"/admin")) is deny
    assert denies.match(ended(b"/admin/users")) is deny
    assert [target for target in ADMIN if denies.match(ended(as_it_comes(target)))] == []


def as_it_comes(target: str) -> bytes:
    return target.partition("?")[0].encode()
