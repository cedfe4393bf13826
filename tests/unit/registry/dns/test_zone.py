"""The zone's names over a real view."""

import pytest
from dnslib import QTYPE, DNSRecord

from registry.dns.message import read_query
from registry.dns.responder import Responder
from registry.dns.zone import Zone, holds
from tests.parts.dns_queries import question
from tests.parts.registry_bench import Bench, written


def ask(bench: Bench, name: str, kind: str = "A", address: str | None = "127.0.0.1") -> DNSRecord:
    responder = Responder(Zone(bench.view, address), lambda: 0.0)
    data = responder.over_udp(question(name, kind))
    assert data is not None
    return DNSRecord.parse(data)


def rows(reply: DNSRecord) -> list[tuple[str, str]]:
    return sorted((QTYPE[row.rtype], str(row.rdata)) for row in reply.rr)


def test_a_service_has_the_addresses_of_its_passing_instances_each_once() -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1")
    bench.register("reviews", "r2", address="10.0.0.1", port=81)
    bench.register("reviews", "r3", address="fd00::3")
    bench.register("reviews", "r4", address="10.0.0.4", weight=0)
    assert rows(ask(bench, "reviews.default.mesh")) == [("A", "10.0.0.1")]
    assert rows(ask(bench, "reviews.default.mesh", "AAAA")) == [("AAAA", "fd00::3")]
    assert [row.ttl for row in ask(bench, "reviews.default.mesh").rr] == [5]


@pytest.mark.parametrize(
    "name", ["reviews.default.mesh", "_reviews._tcp.default.mesh", "_http._tcp.reviews.default.mesh"]
)
def test_srv_leads_to_instances_by_names_that_resolve(name: str) -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1", port=9080, weight=7)
    reply = ask(bench, name, "SRV")
    assert rows(reply) == [("SRV", "0 7 9080 r1.reviews.default.mesh.")]
    assert [(str(row.rname), str(row.rdata)) for row in reply.ar] == [("r1.reviews.default.mesh.", "10.0.0.1")]
    assert rows(ask(bench, "r1.reviews.default.mesh")) == [("A", "10.0.0.1")]


def test_named_ports_are_asked_by_name_and_the_main_one_by_its_document() -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1", port=9080, ports={"admin": 9999})
    assert rows(ask(bench, "_admin._tcp.reviews.default.mesh", "SRV")) == [("SRV", "0 1 9999 r1.reviews.default.mesh.")]
    assert not ask(bench, "_web._tcp.reviews.default.mesh", "SRV").rr
    bench.apply(written("Service", "reviews", {"ports": [{"name": "web", "port": 80}]}))
    assert rows(ask(bench, "_web._tcp.reviews.default.mesh", "SRV")) == [("SRV", "0 1 9080 r1.reviews.default.mesh.")]
    assert not ask(bench, "_http._tcp.reviews.default.mesh", "SRV").rr


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("mesh", 0),
        ("default.mesh", 0),
        ("_tcp.default.mesh", 0),
        ("mesh.mesh", 0),
        ("reviews.default.mesh", 0),
        ("_tcp.reviews.default.mesh", 0),
        ("r1.reviews.default.mesh", 0),
        ("documented.default.mesh", 0),
        ("ns.mesh.mesh", 0),
        ("nobody.mesh", 3),
        ("_tcp.nobody.mesh", 3),
        ("nobody.default.mesh", 3),
        ("_nobody._tcp.default.mesh", 3),
        ("_tcp.nobody.default.mesh", 3),
        ("nobody.reviews.default.mesh", 3),
        ("_http._udp.reviews.default.mesh", 3),
        ("x._http._tcp.reviews.default.mesh", 3),
    ],
)
def test_a_name_that_holds_nothing_is_told_from_one_that_is_not(name: str, rcode: int) -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1")
    bench.apply(written("Service", "documented", {}))
    reply = ask(bench, name, "TXT")
    assert (reply.header.rcode, reply.rr) == (rcode, [])
    (soa,) = reply.auth
    assert (str(soa.rname), QTYPE[soa.rtype], soa.rdata.times[0]) == ("mesh.", "SOA", bench.view.revision)


def test_the_zone_names_itself() -> None:
    bench = Bench()
    reply = ask(bench, "mesh", "NS")
    assert rows(reply) == [("NS", "ns.mesh.mesh.")]
    assert [str(row.rdata) for row in reply.ar] == ["127.0.0.1"]
    assert rows(ask(bench, "ns.mesh.mesh")) == [("A", "127.0.0.1")]
    assert rows(ask(bench, "ns.mesh.mesh", address=None)) == []
    assert QTYPE[ask(bench, "mesh", "SOA").rr[0].rtype] == "SOA"


def test_an_instance_at_a_host_name_is_a_cname_and_the_target_of_srv() -> None:
    bench = Bench()
    bench.register("db", "d1", address="db.example.com", port=5432)
    assert rows(ask(bench, "db.default.mesh")) == [("CNAME", "db.example.com.")]
    assert rows(ask(bench, "d1.db.default.mesh", "AAAA")) == [("CNAME", "db.example.com.")]
    reply = ask(bench, "_db._tcp.default.mesh", "SRV")
    assert (rows(reply), reply.ar) == ([("SRV", "0 1 5432 db.example.com.")], [])
    bench.register("db", "d2", address="other.example.com", port=5432)
    assert len(ask(bench, "db.default.mesh").rr) == 1
    bench.register("db", "d3", address="10.0.0.3", port=5432)
    assert rows(ask(bench, "db.default.mesh")) == [("A", "10.0.0.3")]
    assert len(ask(bench, "db.default.mesh", "SRV").rr) == 3


def test_an_answer_that_was_remembered_follows_the_catalogue() -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1")
    responder = Responder(Zone(bench.view, None), lambda: 0.5)

    def addresses() -> list[str]:
        data = responder.over_udp(question("reviews.default.mesh"))
        assert data is not None
        return sorted(str(row.rdata) for row in DNSRecord.parse(data).rr)

    assert addresses() == ["10.0.0.1"]
    bench.register("reviews", "r2", address="10.0.0.2")
    assert addresses() == ["10.0.0.1", "10.0.0.2"]
    bench.register("reviews", "r1", address="10.0.0.9")
    assert addresses() == ["10.0.0.2", "10.0.0.9"]


def test_an_answer_that_was_remembered_does_not_outlive_its_history() -> None:
    bench, other = Bench(), Bench()
    bench.register("reviews", "r1", address="10.0.0.1")
    other.register("reviews", "r1", address="10.0.0.2")
    zone = Zone(bench.view, None)
    responder = Responder(zone, lambda: 0.0)
    asked = question("reviews.default.mesh")
    assert responder.over_udp(asked) != Responder(Zone(other.view, None), lambda: 0.0).over_udp(asked)
    bench.view.replace(
        epoch="e2", revision=1, at=None, floor=2, instance_number=1, namespaces=[],
        instances=other.view.services[("default", "reviews")].values(), documents=[],
    )  # fmt: skip
    assert responder.over_udp(asked) == Responder(Zone(other.view, None), lambda: 0.0).over_udp(asked)


def test_only_whole_labels_are_in_the_zone() -> None:
    def name(text: str) -> bytes:
        query = read_query(question(text))
        assert query is not None
        return query.name

    assert holds(name("mesh"))
    assert holds(name("a.MESH"))
    assert not holds(name("mesh.example.com"))
    assert not holds(name("xmesh"))
    assert not holds(b"\x05\x04mesh\0")  # a label of five bytes that ends like the zone
