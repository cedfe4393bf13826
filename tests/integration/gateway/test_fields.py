"""Fields that no story of another test turns on: each once in two values, between which a real call's fate differs."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest

from gateway.exchange import EDGE, MESH
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.upstream import RecordingUpstream

OTHER: Final = {"destinations": [{"service": "films"}]}
BOOKS, FILMS, NOWHERE, NOBODY = "200 books", "200 films", "404", "503"


@dataclass
class Call:
    """fields: header lines. times: it is made; the last answer counts. between: another target, asked in between.
    pauses_s: time that passes before each time but the first."""

    target: str = "/"
    host: str = "shop.example"
    fields: str = ""
    times: int = 1
    between: str = ""
    method: str = "GET"
    pauses_s: float = 0.0


@dataclass
class Pair:
    """Two values of a field by the documents that differ in nothing else, and the call's fate under each.

    documents: in which `{port}` is where films listens. shown: a field of the answer that is the fate, or `body`.
    lost: why nobody tells what other gateways have counted.
    """

    one: list[Change]
    fate: str
    other: list[Change]
    other_fate: str
    call: Call
    face: int = EDGE
    shown: str = ""
    lost: str = ""


def matching(yes: dict[str, Any], no: dict[str, Any], target: str = "/", fields: str = "") -> Pair:
    """Films has what the match takes, books the rest."""
    return Pair(_preferring(yes), FILMS, _preferring(no), BOOKS, Call(target, fields=fields))


def _preferring(match: dict[str, Any]) -> list[Change]:
    # A rule of its own priority: what is asked for decides, not how much.
    first = document("Route", "first", edge_route(OTHER | {"match": [match]}, priority=1))
    return [first, document("Route", "rest", edge_route(to("books")))]


def header(text: Any) -> dict[str, Any]:
    return {"headers": {"x-kind": text}}


def routes(spec: dict[str, Any], fate: str, other: dict[str, Any], other_fate: str, call: Call, **more: Any) -> Pair:
    return Pair([document("Route", "r", spec)], fate, [document("Route", "r", other)], other_fate, call, **more)


def subset(match: dict[str, Any], fate: str, other: dict[str, Any], other_fate: str) -> Pair:
    """One running instance of films, in a subset or not."""

    def documents(of: dict[str, Any]) -> list[Change]:
        service = document("Service", "films", {"subsets": [{"name": "some", "match": of}]})
        route = document("Route", "r", edge_route({"destinations": [{"service": "films", "subset": "some"}]}))
        return [service, route]

    return Pair(documents(match), fate, documents(other), other_fate, Call())


def ports(one: list[dict[str, Any]], fate: str, other: list[dict[str, Any]], other_fate: str, called: str) -> Pair:
    """Of films, whose one instance names no port."""
    route = document("Route", "r", edge_route({"destinations": [{"service": "films", "port": called}]}))
    services = [document("Service", "films", {"ports": each}) for each in (one, other)]
    return Pair([services[0], route], fate, [services[1], route], other_fate, Call())


def static_ports(one: list[dict[str, Any]], fate: str, other: list[dict[str, Any]], other_fate: str) -> Pair:
    """Of a written endpoint that says nothing of its port, called at the last one."""

    def documents(told: list[dict[str, Any]]) -> list[Change]:
        spec = {"type": "static", "endpoints": [{"address": "127.0.0.1"}], "ports": told}
        destination = {"service": "written", "port": told[-1].get("name", "http")}
        return [
            document("Service", "written", spec),
            document("Route", "r", edge_route({"destinations": [destination]})),
        ]

    return Pair(documents(one), fate, documents(other), other_fate, Call())


def cors(one: dict[str, Any], fate: str, other: dict[str, Any], other_fate: str, fields: str = "", **more: Any) -> Pair:
    """Of a page that asks for leave to PUT."""
    common = {"allow_origins": ["https://a.example"], "allow_methods": ["PUT"]}
    asked = f"Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n{fields}"
    rules = [edge_route(to("films", cors=common | told)) for told in (one, other)]
    return routes(rules[0], fate, rules[1], other_fate, Call(method="OPTIONS", fields=asked), **more)


def static(endpoint: dict[str, Any], fate: str, other: dict[str, Any], other_fate: str, match: Any = None) -> Pair:
    """A service of one written endpoint; match: of the subset that is called."""

    def documents(fields: dict[str, Any]) -> list[Change]:
        spec: dict[str, Any] = {"type": "static", "endpoints": [{"address": "127.0.0.1", "port": "{port}"} | fields]}
        destination: dict[str, Any] = {"service": "written"}
        if match is not None:
            spec["subsets"] = [{"name": "some", "match": match}]
            destination["subset"] = "some"
        return [
            document("Service", "written", spec),
            document("Route", "r", edge_route({"destinations": [destination]})),
        ]

    return Pair(documents(endpoint), fate, documents(other), other_fate, Call())


def failing_over(target: dict[str, str]) -> Change:
    return document("TrafficPolicy", "p", {"targets": [target], "failover": [{"service": "films"}]})


def limited(
    spec: dict[str, Any],
    fate: str,
    other: dict[str, Any],
    other_fate: str,
    call: Call,
    namespace: str = "default",
    **more: Any,
) -> Pair:
    common: dict[str, Any] = {"targets": [{"route": "r"}]}
    if "sliding_window" not in spec:
        common["token_bucket"] = {"rate": "1/h", "burst": 1}
    route = document("Route", "r", edge_route(to("films")))
    return Pair(
        [route, document("RateLimit", "l", common | spec, namespace)],
        fate,
        [route, document("RateLimit", "l", common | other, namespace)],
        other_fate,
        call,
        **more,
    )


def windows(one: dict[str, Any], fate: str, other: dict[str, Any], other_fate: str) -> Pair:
    """Of one call in ten seconds; the next one comes after twelve."""
    common = {"limit": 1, "window": "10s"}
    told = [{"sliding_window": common | each} for each in (one, other)]
    return limited(told[0], fate, told[1], other_fate, Call(times=2, pauses_s=12.0))


def proved(pair: Pair, *fields: str) -> Any:
    """A pair and the fields that it proves."""
    return pytest.param(pair, marks=pytest.mark.proves(*fields), id=fields[0])


PORTED: Final = [
    document("Service", "empty", {"ports": [{}, {"name": "more", "port": 81}]}),
    document("Route", "r", edge_route({"destinations": [{"service": "empty", "port": "more"}]})),
]
FILMS_A: Final = {"service": "films", "subset": "a"}
VALUE: Final = "X-Kind: AxleB\r\n"
TWICE: Final = Call(times=2)
PAIRS: Final = [
    proved(
        matching(header({"exact": "AxleB"}), header("axleb"), fields=VALUE),
        "StringMatch.exact",
        "Match.headers",
    ),
    proved(matching(header({"prefix": "Ax"}), header({"prefix": "xl"}), fields=VALUE), "StringMatch.prefix"),
    proved(matching(header({"suffix": "eB"}), header({"suffix": "le"}), fields=VALUE), "StringMatch.suffix"),
    proved(
        matching(header({"contains": "xl"}), header({"contains": "lx"}), fields=VALUE),
        "StringMatch.contains",
    ),
    proved(
        matching(header({"regex": "A.*B"}), header({"regex": "A"}), fields=VALUE),
        "StringMatch.regex",
    ),
    proved(
        matching(header({"in": ["a", "AxleB"]}), header({"in": ["a", "b"]}), fields=VALUE),
        "StringMatch.in",
    ),
    proved(
        matching(header({"present": True}), header({"present": False}), fields=VALUE),
        "StringMatch.present",
    ),
    proved(
        matching(header({"exact": "axleb", "ignore_case": True}), header({"exact": "axleb"}), fields=VALUE),
        "StringMatch.ignore_case",
    ),
    proved(
        matching(header({"exact": "b", "invert": True}), header({"exact": "b"}), fields=VALUE),
        "StringMatch.invert",
    ),
    proved(matching({"methods": ["GET"]}, {"methods": ["PUT"]}), "Match.methods"),
    proved(matching({"query": {"a": "1"}}, {"query": {"a": "2"}}, "/?a=1"), "Match.query"),
    proved(
        matching({"cookies": {"a": "1"}}, {"cookies": {"a": "2"}}, fields="Cookie: a=1\r\n"),
        "Match.cookies",
    ),
    proved(matching({"scheme": "http"}, {"scheme": "https"}), "Match.scheme"),
    proved(
        matching({"source": {"cidr": ["127.0.0.0/8"]}}, {"source": {"cidr": ["10.0.0.0/8"]}}),
        "Match.source",
        "Source.cidr",
    ),
    proved(
        matching({"path": {"exact": "/a"}}, {"path": {"exact": "/b"}}, "/a"),
        "Match.path",
        "PathMatch.exact",
    ),
    proved(matching({"path": {"prefix": "/a"}}, {"path": {"prefix": "/a/b/c"}}, "/a/b"), "PathMatch.prefix"),
    proved(
        matching({"path": {"template": "/{x}/b"}}, {"path": {"template": "/{x}"}}, "/a/b"),
        "PathMatch.template",
    ),
    proved(
        matching({"path": {"regex": "/[a-c]+"}}, {"path": {"regex": "/[d-f]+"}}, "/abc"),
        "PathMatch.regex",
    ),
    proved(
        matching({"path": {"string_prefix": "/ab"}}, {"path": {"prefix": "/ab"}}, "/abc"),
        "PathMatch.string_prefix",
    ),
    proved(
        matching({"path": {"exact": "/a", "ignore_case": True}}, {"path": {"exact": "/a"}}, "/A"),
        "PathMatch.ignore_case",
    ),
    proved(
        routes(edge_route(to("films")), FILMS, edge_route(to("films"), hosts=["other.example"]), NOWHERE, Call()),
        "Route.hosts",
    ),
    proved(
        routes(
            edge_route(to("films"), hosts=["films"], listeners=["edge"]),
            FILMS,
            edge_route(to("films"), hosts=["films"], listeners=["mesh"]),
            NOWHERE,
            Call(host="films"),
        ),
        "Route.listeners",
    ),
    proved(
        routes(
            edge_route(to("films"), to("books", {"exact": "/a"}), order="listed"),
            FILMS,
            edge_route(to("films"), to("books", {"exact": "/a"})),
            BOOKS,
            Call("/a"),
        ),
        "Route.order",
        "Route.rules",
        "Rule.match",
    ),
    proved(
        routes(
            edge_route(to("films"), encoded_slashes="pass"),
            FILMS,
            edge_route(to("films")),
            "400",
            Call("/a%2Fb"),
        ),
        "Route.encoded_slashes",
    ),
    proved(
        routes(
            edge_route(to("films"), to("books", {"exact": "/a/b"}), double_slashes="pass"),
            FILMS,
            edge_route(to("films"), to("books", {"exact": "/a/b"})),
            BOOKS,
            Call("/a//b"),
        ),
        "Route.double_slashes",
    ),
    proved(
        Pair(
            [
                document("Route", "a", edge_route(to("films"), priority=1)),
                document("Route", "b", edge_route(to("books", {"exact": "/a"}))),
            ],
            FILMS,
            [
                document("Route", "a", edge_route(to("films"))),
                document("Route", "b", edge_route(to("books", {"exact": "/a"}))),
            ],
            BOOKS,
            Call("/a"),
        ),
        "Route.priority",
    ),
    proved(
        routes(edge_route(to("films")), FILMS, edge_route(to("books")), BOOKS, Call()),
        "Rule.destinations",
        "RuleDestination.service",
    ),
    proved(
        routes(
            edge_route({"destinations": [{"service": "films", "weight": 1}, {"service": "books", "weight": 0}]}),
            FILMS,
            edge_route({"destinations": [{"service": "films", "weight": 0}, {"service": "books", "weight": 1}]}),
            BOOKS,
            Call(),
        ),
        "RuleDestination.weight",
    ),
    proved(
        routes(
            edge_route({"destinations": [{"service": "films", "namespace": "default"}]}),
            FILMS,
            edge_route({"destinations": [{"service": "films", "namespace": "elsewhere"}]}),
            "403",
            Call(),
        ),
        "RuleDestination.namespace",
    ),
    proved(
        routes(
            edge_route({"respond": {"status": 418, "body": "a"}}),
            "418",
            edge_route({"respond": {"status": 404}}),
            "404",
            Call(),
        ),
        "Rule.respond",
        "Respond.status",
    ),
    proved(
        routes(
            edge_route({"redirect": {"port": 8443}}),
            "Location: http://shop.example:8443/",
            edge_route({"redirect": {"host": "films.example"}}),
            "Location: http://films.example/",
            Call(),
            shown="Location",
        ),
        "Rule.redirect",
        "Redirect.port",
        "Redirect.host",
    ),
    proved(
        routes(
            edge_route({"redirect": {"path": {"full": "/new"}, "status": 308}}),
            "308",
            edge_route({"redirect": {"path": {"full": "/new"}}}),
            "302",
            Call(),
        ),
        "Redirect.status",
    ),
    proved(
        routes(
            edge_route({"redirect": {"path": {"full": "/new"}}}),
            "Location: http://shop.example/new",
            edge_route({"redirect": {"scheme": "https"}}),
            "Location: https://shop.example/",
            Call(),
            shown="Location",
        ),
        "Redirect.path",
        "Redirect.scheme",
        "PathRewrite.full",
    ),
    proved(
        subset({"version": "v1"}, FILMS, {"version": "v2"}, NOBODY),
        "Service.subsets",
        "Subset.match",
        "SubsetMatch.version",
        "RuleDestination.subset",
    ),
    proved(subset({"zone": "a"}, FILMS, {"zone": "b"}, NOBODY), "SubsetMatch.zone"),
    proved(subset({"tags": ["new"]}, FILMS, {"tags": ["new", "fast"]}, NOBODY), "SubsetMatch.tags"),
    proved(subset({"metadata": {"k": "v"}}, FILMS, {"metadata": {"k": "w"}}, NOBODY), "SubsetMatch.metadata"),
    proved(static({}, FILMS, {"port": 1}, "502"), "Service.type", "Service.endpoints", "StaticEndpoint.port"),
    proved(
        static({"address": "localhost"}, FILMS, {"address": "127.0.0.2", "port": 1}, "502"),
        "StaticEndpoint.address",
    ),
    proved(static({"weight": 1}, FILMS, {"weight": 0}, NOBODY), "StaticEndpoint.weight"),
    proved(
        static({"version": "1"}, FILMS, {"version": "2"}, NOBODY, {"version": "1"}),
        "StaticEndpoint.version",
    ),
    proved(static({"zone": "1"}, FILMS, {"zone": "2"}, NOBODY, {"zone": "1"}), "StaticEndpoint.zone"),
    proved(static({"tags": ["1"]}, FILMS, {"tags": ["2"]}, NOBODY, {"tags": ["1"]}), "StaticEndpoint.tags"),
    proved(
        static({"metadata": {"a": "1"}}, FILMS, {"metadata": {}}, NOBODY, {"metadata": {"a": "1"}}),
        "StaticEndpoint.metadata",
    ),
    proved(
        Pair(
            [document("Service", "films", {"aliases": ["cinema.example"]})],
            FILMS,
            [document("Service", "films", {})],
            NOWHERE,
            Call(host="cinema.example"),
            face=MESH,
        ),
        "Service.aliases",
    ),
    proved(
        limited({}, "429", {"token_bucket": {"rate": "1/h", "burst": 2}}, FILMS, TWICE),
        "RateLimit.token_bucket",
        "TokenBucket.burst",
    ),
    proved(limited({"mode": "audit"}, FILMS, {"mode": "enforce"}, "429", TWICE), "RateLimit.mode"),
    proved(
        limited(
            {"key": ["header.x-who"], "on_missing_key": "reject"},
            "429",
            {"key": ["header.x-who"], "on_missing_key": "skip"},
            FILMS,
            TWICE,
        ),
        "RateLimit.on_missing_key",
    ),
    proved(
        limited({"response": {"status": 503}}, "503", {}, "429", TWICE),
        "RateLimit.response",
        "LimitResponse.status",
    ),
    proved(
        limited({"response": {"headers": False}}, "", {}, "Retry-After", TWICE, shown="Retry-After"),
        "LimitResponse.headers",
    ),
    proved(
        limited({"targets": [{"route": "r"}]}, "429", {"targets": [{"route": "other"}]}, FILMS, TWICE),
        "RateLimit.targets",
        "Target.route",
    ),
    proved(
        limited({"targets": [{"service": "films"}]}, "429", {"targets": [{"service": "books"}]}, FILMS, TWICE),
        "Target.service",
    ),
    proved(
        limited({"targets": [{"namespace": "default"}]}, "429", {"targets": [{"service": "books"}]}, FILMS, TWICE),
        "Target.namespace",
    ),
    proved(
        limited(
            {"targets": [{"route": "r", "rule": "0"}]}, "429", {"targets": [{"route": "r", "rule": "1"}]}, FILMS, TWICE
        ),
        "Target.rule",
    ),
    proved(
        limited(
            {"targets": [{"service": "films", "subset": "a"}]}, FILMS, {"targets": [{"service": "films"}]}, "429", TWICE
        ),
        "Target.subset",
    ),
    proved(
        limited(
            {"max_keys": 1, "key": ["query.n"]},
            FILMS,
            {"key": ["query.n"]},
            "429",
            Call(between="/?n=2", target="/?n=1", times=2),
        ),
        "RateLimit.max_keys",
    ),
    proved(
        routes(
            edge_route(to("films", fault={"abort": {"status": 418, "percent": 100}})),
            "418",
            edge_route(to("films", fault={"abort": {"status": 418, "percent": 0}})),
            FILMS,
            Call(),
        ),
        "FaultAbort.percent",
    ),
    proved(
        routes(
            edge_route({"redirect": {"host_from_header": "x-kind"}}),
            "Location: http://axleb/",
            edge_route({"redirect": {"host": "books"}}),
            "Location: http://books/",
            Call(fields="X-Kind: axleb\r\n"),
            shown="Location",
        ),
        "Redirect.host_from_header",
    ),
    proved(
        ports([{"name": "web"}], FILMS, [{"name": "http"}], NOBODY, "web"),
        "Service.ports",
        "ServicePort.name",
    ),
    proved(
        ports(
            [{}, {"name": "more", "port": 81, "target_port": "{port}"}],
            FILMS,
            [{}, {"name": "more", "port": 81}],
            NOBODY,
            "more",
        ),
        "RuleDestination.port",
    ),
    proved(
        Pair(
            [*PORTED, failing_over({"service": "empty", "port": "more"})],
            FILMS,
            [*PORTED, failing_over({"service": "empty", "port": "http"})],
            NOBODY,
            Call(),
        ),
        "Target.port",
    ),
    proved(static_ports([{"target_port": "{port}"}], FILMS, [{"target_port": 1}], "502"), "ServicePort.target_port"),
    proved(
        static_ports([{}, {"name": "b", "port": "{port}"}], FILMS, [{}, {"name": "b", "port": 1}], "502"),
        "ServicePort.port",
    ),
    proved(
        Pair(
            [
                document("Service", "films", {"subsets": [{"name": "some", "match": {"version": "v1"}}]}),
                document("Route", "r", edge_route({"destinations": [{"service": "films", "subset": "some"}]})),
            ],
            FILMS,
            [
                document("Service", "films", {"subsets": [{"name": "others", "match": {"version": "v1"}}]}),
                document("Route", "r", edge_route({"destinations": [{"service": "films", "subset": "some"}]})),
            ],
            NOBODY,
            Call(),
        ),
        "Subset.name",
    ),
    proved(
        Pair(
            [
                document("Route", "r", edge_route(to("films", name="buy"))),
                document(
                    "RateLimit", "l", {"targets": [{"route": "r", "rule": "buy"}], "token_bucket": {"rate": "1/h"}}
                ),
            ],
            "429",
            [
                document("Route", "r", edge_route(to("films", name="look"))),
                document(
                    "RateLimit", "l", {"targets": [{"route": "r", "rule": "buy"}], "token_bucket": {"rate": "1/h"}}
                ),
            ],
            FILMS,
            TWICE,
        ),
        "Rule.name",
    ),
    proved(cors({}, "204", {"allow_methods": ["DELETE"]}, "403"), "Cors.allow_methods"),
    proved(
        cors({"allow_headers": ["x-a"]}, "204", {}, "403", "Access-Control-Request-Headers: x-a\r\n"),
        "Cors.allow_headers",
    ),
    proved(
        cors(
            {"max_age": "1m"},
            "Access-Control-Max-Age: 60",
            {},
            "Access-Control-Max-Age: 3600",
            shown="Access-Control-Max-Age",
        ),
        "Cors.max_age",
    ),
    proved(
        routes(
            edge_route(to("films", timeouts={"deadline": "200ms"}, fault={"delay": {"fixed": "60s"}})),
            "504",
            edge_route(to("films", timeouts={"deadline": "200ms"}, fault={"delay": {"fixed": "60s", "percent": 0}})),
            FILMS,
            Call(),
        ),
        "FaultDelay.percent",
    ),
    proved(
        limited(
            {"targets": [{"mesh": True}]}, "429", {"targets": [{"namespace": "mesh"}]}, FILMS, TWICE, namespace="mesh"
        ),
        "Target.mesh",
    ),
    proved(windows({}, FILMS, {"segments": 1}, "429"), "SlidingWindow.segments"),
    proved(windows({"segments": 1, "exact": True}, FILMS, {"segments": 1}, "429"), "SlidingWindow.exact"),
    proved(
        limited({"scope": "gateway"}, FILMS, {"on_store_failure": "closed"}, NOBODY, Call(), lost="nobody answers"),
        "RateLimit.scope",
    ),
    proved(
        limited({"on_store_failure": "open"}, FILMS, {}, "429", TWICE, lost="nobody answers"),
        "RateLimit.on_store_failure",
    ),
    proved(
        limited({"response": {"body": "later"}}, "later", {"response": {"body": "no"}}, "no", TWICE, shown="body"),
        "LimitResponse.body",
    ),
]


@pytest.mark.parametrize("pair", PAIRS)
async def test_a_field_decides_the_fate_of_a_call(pair: Pair) -> None:
    assert await fate_under(pair, pair.one, pair.fate) == pair.fate
    assert await fate_under(pair, pair.other, pair.other_fate) == pair.other_fate


async def fate_under(pair: Pair, documents: list[Change], expected: str) -> str:
    """Status and who answered, or the field of the answer that is looked for: whole, or its name where the expected
    one is a name."""
    films, books = saying("films"), saying("books")
    async with films.running(), books.running():
        changes = [_placed(change, films) for change in documents]
        changes.append(
            running("films", "1", port=films.port, version="v1", zone="a", tags=["new"], metadata={"k": "v"})
        )
        changes.append(running("books", "1", port=books.port))
        call = pair.call
        async with compiled_gateway(*changes, face=pair.face, lost=pair.lost) as gateway:
            for number in range(call.times):
                if number and call.between:
                    await gateway.ask(call.between, call.host)
                if number:
                    gateway.leap(call.pauses_s)
                status, head, body = await gateway.ask(call.target, call.host, call.fields, call.method)
    if pair.shown == "body":
        return body
    if pair.shown:
        found = [line for line in head.split("\r\n") if line.lower().startswith(f"{pair.shown.lower()}:")]
        return (found[0] if ":" in expected else pair.shown) if found else ""
    return f"{status} {body}" if status == 200 else str(status)


def _placed(change: Change, films: RecordingUpstream) -> Change:
    """With the port at which films listens, where the document asks for it."""
    value = msgspec.msgpack.decode(change.value)
    for place in (*value["spec"].get("endpoints", ()), *value["spec"].get("ports", ())):
        place |= {name: films.port for name, number in place.items() if number == "{port}"}
    return msgspec.structs.replace(change, value=msgspec.Raw(msgspec.msgpack.encode(value)))
