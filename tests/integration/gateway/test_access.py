"""Who may call what: AccessPolicies over real sockets, judged by what the services received."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gateway.exchange import MESH
from meshway.snapshot import Change
from tests.integration.gateway.test_authentication import ID, bearer, jwt, people
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.tokens import ISSUER, claims, token
from tests.parts.upstream import RecordingUpstream

OF_BOOKS: Final = [{"service": "books"}]
ME: Final = [{"cidr": ["127.0.0.0/8", "::1/128"]}]
OTHERS: Final = [{"cidr": ["192.0.2.0/24"]}]


def policy(name: str = "p", namespace: str = "default", **spec: Any) -> Change:
    return document("AccessPolicy", name, spec, namespace)


def rule(action: str, **fields: Any) -> dict[str, Any]:
    return {"action": action} | {"from" if key == "by" else key: value for key, value in fields.items()}


@asynccontextmanager
async def books_behind(*changes: Change, face: int = 0) -> AsyncIterator[tuple[CompiledGateway, RecordingUpstream]]:
    """One instance of books, called on shop.example."""
    books_one = saying("1")
    async with services(books_one) as books, compiled_gateway(*books, *changes, face=face) as gateway:
        yield gateway, books_one


async def status_of(gateway: CompiledGateway, target: str = "/", **call: Any) -> int:
    return (await gateway.ask(target, **call))[0]


@pytest.mark.proves("AccessPolicy.targets", "AccessPolicy.rules", "AccessRule.action", "AccessOperation.path")
async def test_a_denied_call_reaches_nobody_and_is_told_whose_word_that_is() -> None:
    no_admin = rule("deny", name="no-admin", to=[{"path": {"prefix": "/admin"}}])
    locked = policy(targets=OF_BOOKS, rules=[no_admin])
    async with books_behind(route(to("books")), locked) as (gateway, books_one):
        status, _, body = await gateway.ask("/admin/users")
        assert status == 403
        assert '"code":"denied"' in body
        assert '"policy":"AccessPolicy default/p"' in body
        assert await status_of(gateway, "/administration") == 200
        assert [received.target for received in books_one.requests] == [b"/administration"]
        await until(lambda: len(gateway.lines) == 2, what="both lines of the log")
        denied = next(line for line in gateway.lines if line["path"].startswith("/admin/"))
        assert (denied["reason"], denied["policy"]) == ("denied", "AccessPolicy default/p")
        gateway.apply(policy(targets=[{"service": "films"}], rules=[no_admin]))
        assert await status_of(gateway, "/admin/users") == 200


@pytest.mark.proves("AccessRule.name")
async def test_a_refusal_names_the_rule() -> None:
    locked = policy(rules=[rule("deny", name="nobody-at-all")])
    async with books_behind(route(to("books")), locked) as (gateway, _):
        assert "rule nobody-at-all denies this call" in (await gateway.ask())[2]


@pytest.mark.proves(
    "AccessRule.from", "AccessRule.to", "AccessOperation.methods", "AccessOperation.headers", "AccessOperation.query"
)
@pytest.mark.parametrize(
    ("asked", "call"),
    [
        ({"methods": ["DELETE"]}, {"method": "DELETE"}),
        ({"headers": {"x-team": {"prefix": "web"}}}, {"fields": "X-Team: website\r\n"}),
        ({"query": {"debug": {"present": True}}}, {"target": "/?debug"}),
    ],
    ids=["methods", "headers", "query"],
)
async def test_a_rule_is_for_what_it_asks_for(asked: dict[str, Any], call: dict[str, Any]) -> None:
    async with books_behind(route(to("books")), policy(rules=[rule("deny", to=[asked])])) as (gateway, _):
        assert (await gateway.ask(**call))[0] == 403
        assert (await gateway.ask())[0] == 200
        gateway.apply(policy(rules=[rule("deny", to=[asked], by=OTHERS)]))
        assert (await gateway.ask(**call))[0] == 200
        gateway.apply(policy(rules=[rule("deny", to=[asked], by=ME)]))
        assert (await gateway.ask(**call))[0] == 403


async def test_deny_wins_over_allow_whichever_document_says_so() -> None:
    wide = policy("wide", rules=[rule("allow")], default="allow")
    narrow = policy("narrow", targets=OF_BOOKS, rules=[rule("deny", to=[{"path": {"exact": "/x"}}])])
    async with books_behind(route(to("books")), wide, narrow) as (gateway, _):
        assert [await status_of(gateway, target) for target in ("/x", "/y")] == [403, 200]
        gateway.apply(
            policy("wide", rules=[rule("deny", to=[{"path": {"exact": "/x"}}])]),
            policy("narrow", targets=OF_BOOKS, rules=[rule("allow")], default="allow"),
        )
        assert [await status_of(gateway, target) for target in ("/x", "/y")] == [403, 200]


@pytest.mark.proves("AccessPolicy.default")
async def test_who_is_allowed_by_a_rule_leaves_the_others_out_unless_the_default_lets_them_in() -> None:
    allow = rule("allow", to=[{"path": {"prefix": "/open"}}])
    async with books_behind(route(to("books")), policy(rules=[allow])) as (gateway, _):
        assert [await status_of(gateway, target) for target in ("/open/a", "/else")] == [200, 403]
        gateway.apply(policy(rules=[allow], default="allow"))
        assert await status_of(gateway, "/else") == 200
        gateway.apply(policy(default="deny"))
        assert await status_of(gateway, "/open/a") == 403
        gateway.apply(policy("own", targets=OF_BOOKS, default="allow"))  # the nearest one decides
        assert await status_of(gateway, "/open/a") == 200


@pytest.mark.proves("AccessCaller.cidr")
async def test_an_address_is_let_in_or_kept_out() -> None:
    async with books_behind(route(to("books")), policy(rules=[rule("allow", by=OTHERS)])) as (gateway, _):
        assert await status_of(gateway) == 403
        gateway.apply(policy(rules=[rule("allow", by=OTHERS + ME)]))
        assert await status_of(gateway) == 200


@pytest.mark.proves("AccessCaller.ip_list", "IpList.entries", "IpEntry.cidr", "IpEntry.until")
async def test_a_list_of_addresses_counts_in_the_namespace_then_in_the_mesh_and_until_its_time() -> None:
    def addresses(*entries: dict[str, Any], namespace: str = "default") -> Change:
        return document("IpList", "office", {"entries": list(entries)}, namespace)

    allow = policy(rules=[rule("allow", by=[{"ip_list": "office"}])])
    async with books_behind(route(to("books")), allow, addresses({"cidr": "192.0.2.1"})) as (gateway, _):
        assert await status_of(gateway) == 403
        gateway.apply(addresses({"cidr": "192.0.2.1"}, {"cidr": "127.0.0.1"}))
        assert await status_of(gateway) == 200
        past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        gateway.apply(addresses({"cidr": "127.0.0.1", "until": past}))
        assert await status_of(gateway) == 403
        gateway.apply(addresses({"cidr": "127.0.0.0/8"}, namespace="mesh"))
        assert await status_of(gateway) == 403  # its own one stands before
        gateway.apply(gone("IpList", "office"))
        assert await status_of(gateway) == 200


@pytest.mark.proves("AccessCaller.not_cidr", "AccessCaller.not_ip_list")
@pytest.mark.parametrize("listed", [False, True], ids=["not_cidr", "not_ip_list"])
async def test_one_rule_keeps_all_but_some_addresses_away(listed: bool) -> None:
    def outside(*networks: str) -> tuple[dict[str, Any], ...]:
        return ({"not_ip_list": "office"} if listed else {"not_cidr": list(networks)},)

    def office(*networks: str) -> Change:
        return document("IpList", "office", {"entries": [{"cidr": each} for each in networks]})

    admin = [{"path": {"prefix": "/admin"}}]
    strangers = policy(default="allow", rules=[rule("deny", by=outside("192.0.2.0/24"), to=admin)])
    async with books_behind(route(to("books")), office("192.0.2.0/24"), strangers) as (gateway, _):
        assert [await status_of(gateway, target) for target in ("/admin", "/else")] == [403, 200]
        gateway.apply(office("127.0.0.0/8"), policy(default="allow", rules=[rule("deny", by=outside("127.0.0.0/8"))]))
        assert await status_of(gateway, "/admin") == 200
        gateway.apply(policy(rules=[rule("allow", by=outside("127.0.0.0/8"))]))
        assert await status_of(gateway) == 403
        gateway.apply(office("192.0.2.0/24"), policy(rules=[rule("allow", by=outside("192.0.2.0/24"))]))
        assert await status_of(gateway) == 200


async def test_all_parts_of_a_caller_hold_beside_a_negated_one() -> None:
    but_me = [{"cidr": ["127.0.0.0/8"], "not_cidr": ["127.0.0.1"]}]
    async with books_behind(route(to("books")), policy(rules=[rule("deny", by=but_me)])) as (gateway, _):
        assert await status_of(gateway) == 200
        gateway.apply(policy(rules=[rule("deny", by=[{"cidr": ["127.0.0.0/8"], "not_cidr": ["127.0.0.2"]}])]))
        assert await status_of(gateway) == 403


@pytest.mark.parametrize("name", ["ip_list", "not_ip_list"])
async def test_a_list_that_is_not_there_lets_nobody_in_and_keeps_everybody_out(name: str) -> None:
    asked = [{name: "gone"}]
    async with books_behind(route(to("books")), policy(rules=[rule("allow", by=asked)])) as (gateway, _):
        assert await status_of(gateway) == 403
        gateway.apply(policy(rules=[rule("deny", by=asked)]))
        assert await status_of(gateway) == 403


@pytest.mark.proves("AccessPolicy.mode")
async def test_a_policy_that_audits_refuses_nobody() -> None:
    async with books_behind(route(to("books")), policy(default="deny", mode="audit")) as (gateway, _):
        assert await status_of(gateway) == 200
        gateway.apply(policy(default="deny", mode="enforce"))
        assert await status_of(gateway) == 403


@pytest.mark.parametrize("answer", [{"redirect": {"path": {"full": "/x"}}}, {"respond": {"status": 200}}])
async def test_a_rule_that_answers_itself_is_guarded_by_its_namespace_and_its_route(answer: dict[str, Any]) -> None:
    for locked in (policy(default="deny"), policy(targets=[{"route": "r"}], default="deny")):
        async with books_behind(route(answer), locked) as (gateway, _):
            assert await status_of(gateway) == 403
            gateway.apply(gone("AccessPolicy", "p"))
            assert await status_of(gateway) in (200, 302)


async def test_a_service_is_guarded_on_the_mesh_without_any_route() -> None:
    locked = policy(targets=OF_BOOKS, rules=[rule("deny", to=[{"path": {"prefix": "/admin"}}])])
    async with books_behind(locked, face=MESH) as (gateway, _):
        assert await status_of(gateway, "/admin", host="books.default.mesh") == 403
        assert await status_of(gateway, host="books.default.mesh") == 200


# Who has proved who he is.


@pytest.mark.proves("AccessCaller.principal", "AccessCaller.anonymous", "AccessRule.when", "AccessCondition.claims")
@pytest.mark.parametrize(
    ("asked", "of_ada", "of_bob", "of_nobody"),
    [
        ({"by": [{"principal": f"{ISSUER}#ada"}]}, 200, 403, 403),
        ({"by": [{"principal": {"prefix": f"{ISSUER}#"}}]}, 200, 200, 403),
        ({"by": [{"anonymous": True}]}, 403, 403, 200),
        ({"by": [{"anonymous": True}, {"principal": f"{ISSUER}#bob"}]}, 403, 200, 200),
        ({"when": {"claims": {"realm.roles": "admin"}}}, 200, 403, 403),
        ({"by": [{"principal": f"{ISSUER}#bob"}], "when": {"claims": {"realm.roles": "admin"}}}, 403, 403, 403),
    ],
)
async def test_who_proved_who_he_is_may_what_a_rule_lets_him(
    asked: dict[str, Any], of_ada: int, of_bob: int, of_nobody: int
) -> None:
    allow = policy(targets=OF_BOOKS, rules=[rule("allow", **asked)])
    ada = bearer(token(ID.ec, claims(realm={"roles": ["reader", "admin"]}), kid="ec"))
    bob = bearer(token(ID.ec, claims(sub="bob"), kid="ec"))
    for by in (route(to("books")), route(to("books", rewrite={"host": "books.internal"}))):
        async with books_behind(by, people(require="optional"), allow) as (gateway, _):
            assert await status_of(gateway, fields=ada) == of_ada
            assert await status_of(gateway, fields=bob) == of_bob
            assert await status_of(gateway) == of_nobody


# The service that will really be called.


async def test_a_service_sees_its_own_paths_whatever_a_route_makes_of_them() -> None:
    rewritten = to("books", {"prefix": "/shop"}, rewrite={"path": {"prefix": "/admin"}})
    locked = policy(targets=OF_BOOKS, rules=[rule("deny", to=[{"path": {"prefix": "/admin"}}])])
    async with books_behind(route(rewritten, to("books")), locked) as (gateway, books_one):
        assert await status_of(gateway, "/shop/a") == 403
        assert books_one.requests == []
        by_route = policy(targets=[{"route": "r"}], rules=[rule("deny", to=[{"path": {"prefix": "/shop"}}])])
        gateway.apply(by_route)
        assert await status_of(gateway, "/shop/a") == 403
        assert await status_of(gateway, "/admin") == 200


async def test_a_service_sees_the_headers_that_a_route_gives_a_call() -> None:
    marked = to("books", request_headers={"set": {"x-team": "web"}})
    locked = policy(targets=OF_BOOKS, rules=[rule("deny", to=[{"headers": {"x-team": "web"}}])])
    async with books_behind(route(marked), locked) as (gateway, _):
        assert await status_of(gateway) == 403


@asynccontextmanager
async def books_and_films(*changes: Change, namespace: str = "default", **more: Any) -> AsyncIterator[Any]:
    """books of namespace default, films of another one."""
    books, films = saying("books"), saying("films")
    async with AsyncExitStack() as stack:
        for upstream in (books, films):
            await stack.enter_async_context(upstream.running())
        instances = [running("books", "1", port=books.port), running("films", "1", namespace, port=films.port)]
        gateway = await stack.enter_async_context(compiled_gateway(*instances, *changes, **more))
        yield gateway, books, films


NO_FILMS: Final = policy("films", targets=[{"service": "films"}], default="deny")


async def test_of_two_destinations_only_the_one_that_is_drawn_is_asked() -> None:
    split = {"destinations": [{"service": "books"}, {"service": "films"}]}
    shares = iter([0.1, 0.9, 0.1, 0.9])
    async with books_and_films(route(split), NO_FILMS, random=lambda: next(shares, 0.5)) as (gateway, books, films):
        assert [await status_of(gateway) for _ in range(2)] == [200, 403]
        assert (len(books.requests), films.requests) == (1, [])


async def test_a_service_that_stands_in_is_asked_for_itself() -> None:
    failover = document("TrafficPolicy", "t", {"targets": OF_BOOKS, "failover": [{"service": "films"}]})
    async with books_and_films(route(to("books")), failover, NO_FILMS) as (gateway, _, films):
        assert (await gateway.ask())[2] == "books"
        gateway.apply(running("books", "1", status="draining"))
        status, _, body = await gateway.ask()
        assert (status, films.requests) == (403, [])
        assert "AccessPolicy default/films" in body
        gateway.apply(gone("AccessPolicy", "films"))
        assert (await gateway.ask())[2] == "films"
        gateway.apply(NO_FILMS)
        assert await status_of(gateway) == 403


async def test_one_subset_that_stands_in_for_another_opens_neither() -> None:
    subsets = [{"name": name, "match": {"version": name}} for name in ("v1", "v2")]
    books = document("Service", "books", {"subsets": subsets})
    failover = document(
        "TrafficPolicy",
        "t",
        {
            "targets": [{"service": "books", "subset": "v1"}],
            "failover": [{"service": "books", "subset": "v2"}],
        },
    )
    rewritten = route(
        {"destinations": [{"service": "books", "subset": "v1"}], "request_headers": {"set": {"X-A": "1"}}}
    )
    locked = policy("one", targets=[{"service": "books", "subset": "v1"}], default="deny")
    opened = policy("two", targets=[{"service": "books", "subset": "v2"}], default="allow")
    one = saying("1")
    async with one.running():
        instance = running("books", "1", port=one.port, version="v1")
        async with compiled_gateway(instance, books, failover, rewritten, locked, opened) as gateway:
            status, _, body = await gateway.ask()
            assert (status, one.requests) == (403, [])
            assert "AccessPolicy default/one" in body


async def test_what_is_called_while_a_breaker_is_open_is_asked_for_itself() -> None:
    breaker = {"minimum_requests": 1, "failure_percent": 1, "failures": [500], "open_for": "60s"}
    fallback = breaker | {"fallback": {"destination": {"service": "films"}}}
    policies = (document("TrafficPolicy", "t", {"targets": OF_BOOKS, "breaker": fallback}), NO_FILMS)
    books, films = saying("books", 500), saying("films")
    async with books.running(), films.running():
        instances = [running("books", "1", port=books.port), running("films", "1", port=films.port)]
        async with compiled_gateway(*instances, route(to("books")), *policies) as gateway:
            assert [await status_of(gateway) for _ in range(2)] == [500, 403]
            assert films.requests == []
            gateway.apply(gone("AccessPolicy", "films"))
            assert (await gateway.ask())[2] == "films"


async def test_copies_go_only_where_the_call_itself_might_go() -> None:
    mirrored = to("books", mirror=[{"destination": {"service": "films"}}])
    async with books_and_films(route(mirrored), NO_FILMS) as (gateway, _, films):
        assert await status_of(gateway) == 200
        gateway.apply(gone("AccessPolicy", "films"))
        assert await status_of(gateway, "/second") == 200
        await until(lambda: len(films.requests) == 1, what="the copy of the second call")
        assert films.requests[0].target == b"/second"


# From one namespace into another.


def into(namespace: str) -> Change:
    return route({"destinations": [{"service": "films", "namespace": namespace}]})


CONSENT: Final = policy("in", "cinema", rules=[rule("allow", by=[{"namespace": "default"}])])


@pytest.mark.proves("AccessCaller.namespace")
async def test_a_route_may_not_send_into_another_namespace_without_its_consent() -> None:
    async with books_and_films(into("cinema"), namespace="cinema") as (gateway, _, films):
        status, _, body = await gateway.ask()
        assert (status, films.requests) == (403, [])
        assert "an AccessPolicy of cinema allows from: [{namespace: default}]" in body
        assert '"policy":"MeshSettings mesh/mesh"' in body
        gateway.apply(CONSENT)
        assert (await gateway.ask())[2] == "films"
        gateway.apply(policy("in", "cinema", rules=[rule("allow", by=[{"namespace": "shop"}])]))
        assert await status_of(gateway) == 403
        gateway.apply(gone("AccessPolicy", "in", "cinema"), policy(targets=[{"route": "r"}], default="allow"))
        assert await status_of(gateway) == 403  # a Route's owner cannot consent for others


@pytest.mark.parametrize(
    "asked",
    [
        {"by": [{"principal": f"{ISSUER}#ada"}]},
        {"by": [{"consumer": "ada"}]},
        {"by": [{"consumer_group": "gold"}]},
        {"when": {"claims": {"sub": "ada"}}},
    ],
)
async def test_another_namespace_s_authentication_makes_nobody_a_caller_who_is_let_in(asked: dict[str, Any]) -> None:
    """Its owner chooses the keys, and signs whatever he likes."""
    credential = {"jwt": {"issuer": ISSUER, "subject": "ada"}}
    ada = document("Consumer", "ada", {"credentials": [credential], "groups": ["gold"]}, "mesh")
    forged = bearer(token(ID.ec, kid="ec"))
    allow = policy("in", "cinema", rules=[rule("allow", **asked)])
    async with books_and_films(into("cinema"), ada, people(), allow, namespace="cinema") as (gateway, _, films):
        assert (await status_of(gateway, fields=forged), films.requests) == (403, [])
        spec = {"methods": [{"jwt": jwt()}]}
        for namespace in ("cinema", "mesh"):
            at = {"targets": [{"service": "films"}]} if namespace == "cinema" else {}
            gateway.apply(gone("Authentication", "people"), document("Authentication", "own", spec | at, namespace))
            assert await status_of(gateway, fields=forged) == 200, namespace
            gateway.apply(gone("Authentication", "own", namespace))
        consent = [{"namespace": "default", **one} for one in asked.get("by", [{}])]
        gateway.apply(people(), policy("in", "cinema", rules=[rule("allow", **asked | {"by": consent})]))
        assert await status_of(gateway, fields=forged) == 200, "cinema lets in whom default believes"


@pytest.mark.proves("AccessCaller.via")
async def test_consent_may_be_for_routes_alone() -> None:
    of_routes = [{"namespace": "default", "via": "route"}]
    consent = policy("in", "cinema", rules=[rule("allow", by=of_routes)])
    async with books_and_films(into("cinema"), consent, namespace="cinema") as (gateway, _, _):
        assert await status_of(gateway) == 200
        gateway.apply(policy("in", "cinema", rules=[rule("deny", by=of_routes)]))
        assert await status_of(gateway) == 403


@pytest.mark.proves("MeshSettings.cross_namespace", "Namespace.cross_namespace")
async def test_the_mesh_and_each_namespace_say_whether_calls_may_cross() -> None:
    def mesh(crossing: str) -> Change:
        return document("MeshSettings", "mesh", {"cross_namespace": crossing}, "mesh")

    def cinema(crossing: str) -> Change:
        return document("Namespace", "cinema", {"cross_namespace": crossing}, "mesh")

    async with books_and_films(into("cinema"), namespace="cinema") as (gateway, _, _):
        gateway.apply(mesh("allow"))
        assert await status_of(gateway) == 200
        gateway.apply(cinema("deny"))
        status, _, body = await gateway.ask()
        assert status == 403
        assert '"policy":"Namespace mesh/cinema"' in body
        gateway.apply(mesh("deny"), cinema("allow"))
        assert await status_of(gateway) == 200
        gateway.apply(gone("Namespace", "cinema", "mesh"))
        assert await status_of(gateway) == 403


async def test_a_call_of_the_mesh_comes_by_no_route_of_its_service() -> None:
    own = policy("own", "cinema", rules=[rule("allow", by=[{"namespace": "cinema"}])])
    async with books_and_films(own, namespace="cinema", face=MESH) as (gateway, _, _):
        assert await status_of(gateway, host="films.cinema.mesh") == 403
        by_route = edge_route(to("films"), hosts=["films"], listeners=["mesh"])
        gateway.apply(document("Route", "r", by_route, "cinema"))
        assert await status_of(gateway, host="films.cinema.mesh") == 200


async def test_a_call_that_is_denied_spends_no_limit() -> None:
    limit = document("RateLimit", "one", {"token_bucket": {"rate": "1/h", "burst": 1}})
    locked = policy(rules=[rule("deny", to=[{"methods": ["PUT"]}])])
    async with books_behind(route(to("books")), limit, locked) as (gateway, _):
        assert [await status_of(gateway, method=method) for method in ("PUT", "PUT", "GET", "GET")] == [
            403,
            403,
            200,
            429,
        ]
