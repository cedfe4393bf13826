from typing import Any

from registry.documents.claims import claim_text, claims, rivals
from tests.parts.registry_bench import written


def of(kind: str, spec: dict[str, Any], namespace: str = "default") -> frozenset[tuple[str, ...]]:
    document = written(kind, "x", spec, namespace)
    return claims(document.spec, namespace, "x")


def route(match: list[dict[str, Any]], **spec: Any) -> frozenset[tuple[str, ...]]:
    return of("Route", {"rules": [{"match": match, "destinations": [{"service": "books"}]}], **spec})


def test_equal_matches_are_equal_however_they_are_written() -> None:
    one = route([{"methods": ["GET", "PUT"], "headers": {"X-A": "1", "b": "2"}}])
    other = route([{"methods": ["PUT", "GET"], "headers": {"B": "2", "x-a": "1"}}])
    assert one == other
    assert route([]) == route([{}])


def test_host_listener_priority_and_match_each_tell_routes_apart() -> None:
    claimed = route([{"path": {"prefix": "/a"}}])
    base = {rival for claim in claimed for rival in rivals(claim)}
    assert base & claimed
    assert not base & route([{"path": {"exact": "/a"}}])
    assert not base & route([{"path": {"prefix": "/a"}}], hosts=["a.example"])
    assert not base & route([{"path": {"prefix": "/a"}}], priority=1)
    assert not base & route([{"path": {"prefix": "/a"}}], listeners=["mesh"], hosts=["books"])


def test_mesh_hosts_are_one_however_they_are_spelled() -> None:
    spelled = [route([], listeners=["mesh"], hosts=[host]) for host in ("books", "books.default")]
    assert spelled[0] == spelled[1]


def test_a_policy_claims_its_blocks_for_its_targets() -> None:
    found = of("TrafficPolicy", {"targets": [{"service": "books"}], "retry": {"max_retries": 1}, "timeouts": {}})
    assert sorted(found) == [
        ("block", "service default/books", "retry"),
        ("block", "service default/books", "timeouts"),
    ]
    assert claim_text(sorted(found)[0]) == "retry of service default/books"


def test_a_policy_without_targets_claims_its_namespace() -> None:
    one = of("TrafficPolicy", {"retry": {"max_retries": 1}}, "shop")
    other = of("TrafficPolicy", {"targets": [{"namespace": "shop"}], "retry": {"max_retries": 2}}, "shop")
    assert one == other


def test_an_authentication_claims_its_targets() -> None:
    methods = [{"jwt": {"issuer": "https://id.example", "audiences": ["a"], "jwks_uri": "https://id.example/jwks"}}]
    found = of("Authentication", {"targets": [{"service": "books"}, {"route": "r"}], "methods": methods})
    assert [claim_text(claim) for claim in sorted(found)] == [
        "the word on who calls route default/r",
        "the word on who calls service default/books",
    ]
    assert of("Authentication", {"methods": methods}) == {("callers", "namespace default")}


def test_in_namespace_mesh_no_targets_are_the_whole_mesh() -> None:
    spec = {"retry": {"max_retries": 1}}
    assert of("TrafficPolicy", spec, "mesh") == of("TrafficPolicy", {**spec, "targets": [{"mesh": True}]}, "mesh")


def test_limits_claim_nothing_and_aliases_are_the_meshs() -> None:
    assert of("RateLimit", {"token_bucket": {"rate": "1/s"}}) == frozenset()
    assert of("Service", {"aliases": ["books.example"]}) == of("Service", {"aliases": ["books.example"]}, "other")
    assert of("Service", {"aliases": ["films.example"]}) != of("Service", {"aliases": ["books.example"]})


def test_names_in_templates_and_a_slash_behind_a_prefix_tell_no_routes_apart() -> None:
    assert route([{"path": {"template": "/a/{x}"}}]) == route([{"path": {"template": "/a/{y}"}}])
    assert route([{"path": {"prefix": "/a/"}}]) == route([{"path": {"prefix": "/a"}}])
    assert route([{"path": {"prefix": "/"}}]) == route([])
    assert route([{"path": {"template": "/a/{x}"}}]) != route([{"path": {"template": "/a/{x=**}"}}])


def test_a_listed_route_rules_out_others_of_its_hosts_at_its_priority_and_the_other_way_round() -> None:
    listed, specific = ("listed", "edge", "*", "0"), ("specificity", "edge", "*", "0")
    assert listed in route([], order="listed")
    assert specific in route([])
    assert set(rivals(listed)) == {listed, specific}
    assert rivals(specific) == (listed,)


def test_a_rule_for_everything_is_told_in_words() -> None:
    told = {claim_text(rival) for claim in route([]) for rival in rivals(claim)}
    assert "every call on host * of the edge listener at priority 0" in told


def test_connections_of_a_listener_host_and_source_are_one_documents() -> None:
    sent = {"listeners": ["pg"], "destinations": [{"service": "db"}]}
    anybody, net = ({"source": sources} for sources in ([], ["10.0.0.0/8"]))
    assert of("TcpRoute", sent | anybody) == frozenset({("connections", "pg", "", "everybody")})
    assert of("TcpRoute", sent | net) == frozenset({("connections", "pg", "", "10.0.0.0/8")})
    [claim] = of("TlsRoute", sent | net | {"hosts": ["a.example"]})
    assert claim_text(claim) == "connections of 10.0.0.0/8 for a.example on Listener pg"


def test_a_udp_route_claims_the_datagrams_of_its_listeners() -> None:
    found = of("UdpRoute", {"listeners": ["game", "voice"], "destinations": [{"service": "world"}]})
    assert found == {("datagrams", "game"), ("datagrams", "voice")}
    assert claim_text(("datagrams", "game")) == "datagrams of Listener game"


def test_a_port_of_udp_is_another_one_than_that_of_tcp() -> None:
    tcp, udp = (of("Listener", {"port": 9443, "protocol": protocol}, "mesh") for protocol in ("https", "udp"))
    assert not tcp & udp
    assert [claim_text(claim) for claim in udp] == ["port 9443 (UDP) of 127.0.0.1"]
