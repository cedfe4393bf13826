"""Queries and answers on the wire, with dnslib as the second reader."""

import random

import pytest
from dnslib import CLASS, EDNS0, QTYPE, RCODE, RR, SRV, A, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.dns.message import (
    BADVERS,
    EDNS_LIMIT,
    FORMERR,
    NOERROR,
    NOTIMP,
    OWNER,
    PLAIN_LIMIT,
    STREAM_LIMIT,
    RecordSet,
    answer,
    deny,
    labels_of,
    read_query,
    record,
    record_set,
    refuse,
    soa_data,
    srv_data,
    udp_limit,
    wire_name,
)
from tests.parts.dns_queries import question

fuzz = settings(max_examples=settings().max_examples * 10)


def addresses(count: int) -> RecordSet:
    return record_set((record(OWNER, 1, 5, bytes((10, 0, at >> 8, at & 255))), b"") for at in range(count))


@given(
    st.lists(st.text("abcXYZ019-_", min_size=1, max_size=63), min_size=1, max_size=3),
    st.sampled_from(["A", "AAAA", "SRV", "NS", "SOA", "ANY", "HTTPS"]),
    st.sampled_from([0, 511, 512, 1232, 4096, 65535]),
)
def test_what_dnslib_asks_is_what_we_read(labels: list[str], kind: str, payload: int) -> None:
    name = ".".join(labels)
    data = question(name, kind, payload=payload)
    query = read_query(data)
    assert query is not None
    assert query.rcode == NOERROR
    assert query.name == wire_name(name.lower())
    assert [label.decode() for label in labels_of(query.name)] == name.lower().split(".")
    assert (query.type, query.klass) == (getattr(QTYPE, kind), CLASS.IN)
    assert query.payload == (max(payload, 512) if payload else 0)
    assert udp_limit(query) == min(max(payload, PLAIN_LIMIT), EDNS_LIMIT)


@pytest.mark.fuzz
@fuzz
@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused_or_dropped(data: bytes) -> None:
    _read_anything(data)


@pytest.mark.fuzz
@fuzz
@given(st.binary(min_size=8, max_size=300), st.sampled_from([b"\x01\x00", b"\x00\x00", b"\x01\x20", b"\x78\x00"]))
def test_any_bytes_behind_a_query_s_head_are_read_or_refused(rest: bytes, flags: bytes) -> None:
    _read_anything(b"\x12\x34" + flags + b"\0\x01\0\0\0\0\0\x01" + rest)


@pytest.mark.fuzz
@fuzz
@given(st.data())
def test_a_query_that_was_damaged_never_raises(data: st.DataObject) -> None:
    whole = bytearray(question("_http._tcp.reviews.default.mesh", "SRV", payload=1232))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    _read_anything(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def _read_anything(data: bytes) -> None:
    query = read_query(data)
    if query is None:
        assert len(data) < 12 or data[2] & 0x80
        return
    assert query.rcode in (NOERROR, FORMERR, NOTIMP, BADVERS)
    reply = answer(query, addresses(3), range(3), PLAIN_LIMIT) if query.rcode == NOERROR else refuse(query, query.rcode)
    assert reply[:2] == data[:2]
    assert reply[2] & 0x80
    assert len(reply) <= PLAIN_LIMIT


@pytest.mark.parametrize(
    "data",
    [
        question("a.mesh")[:-1],
        question("a.mesh") + b"\0",
        bytes(DNSRecord(DNSHeader(id=1)).pack()),
        bytes(DNSRecord(DNSHeader(id=1), questions=[DNSQuestion("a.mesh"), DNSQuestion("b.mesh")]).pack()),
        # The name points to itself.
        b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",
        # Two OPT records.
        bytes(DNSRecord(DNSHeader(id=1), questions=[DNSQuestion("a.mesh")], ar=[EDNS0(), EDNS0()]).pack()),
        # 256 bytes of name.
        b"\0\1\1\0\0\1\0\0\0\0\0\0" + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",
    ],
    ids=["cut", "longer", "none", "two", "a loop", "two OPT", "a long name"],
)
def test_what_is_no_question_is_a_format_error(data: bytes) -> None:
    query = read_query(data)
    assert query is not None
    assert query.rcode == FORMERR
    assert DNSRecord.parse(refuse(query, FORMERR)).header.rcode == RCODE.FORMERR


def test_another_opcode_is_not_implemented_and_another_edns_version_is_bad() -> None:
    update = bytes(DNSRecord(DNSHeader(id=1, opcode=5), questions=[DNSQuestion("a.mesh")]).pack())
    query = read_query(update)
    assert query is not None
    reply = DNSRecord.parse(refuse(query, query.rcode))
    assert (reply.header.rcode, reply.header.opcode) == (RCODE.NOTIMP, 5)
    query = read_query(question("a.mesh", payload=1232, version=1))
    assert query is not None
    reply = DNSRecord.parse(refuse(query, query.rcode))
    (opt,) = reply.ar
    assert query.rcode == BADVERS == (opt.edns_rcode << 4 | reply.header.rcode)


def test_an_answer_is_no_query() -> None:
    assert read_query(bytes(DNSRecord.question("a.mesh").reply().pack())) is None


def test_an_answer_says_what_dnslib_would_say() -> None:
    asked = DNSRecord.question("ReViews.default.mesh", "SRV")
    target = wire_name("r1.reviews.default.mesh")
    found = record_set([(record(OWNER, 33, 5, srv_data(7, 9080, target)), record(target, 1, 5, b"\x0a\0\0\1"))])
    query = read_query(bytes(asked.pack()))
    assert query is not None
    ours = answer(query, found, [0], PLAIN_LIMIT)
    theirs = asked.reply(ra=0)
    theirs.add_answer(RR("ReViews.default.mesh", QTYPE.SRV, ttl=5, rdata=SRV(0, 7, 9080, "r1.reviews.default.mesh")))
    theirs.add_ar(RR("r1.reviews.default.mesh", QTYPE.A, ttl=5, rdata=A("10.0.0.1")))
    assert DNSRecord.parse(ours) == theirs
    assert ours[12 : 12 + len(query.question)] == bytes(asked.pack())[12:]


def test_a_denial_carries_the_soa() -> None:
    query = read_query(question("x.mesh"))
    assert query is not None
    zone = wire_name("mesh")
    data = soa_data(wire_name("ns.mesh.mesh"), wire_name("hostmaster.mesh"), 2**33 + 7, negative_ttl_s=5)
    soa = record(zone, 6, 5, data)
    reply = DNSRecord.parse(deny(query, 3, soa))
    assert (reply.header.rcode, reply.header.aa, reply.header.ra) == (RCODE.NXDOMAIN, 1, 0)
    (authority,) = reply.auth
    assert str(authority.rname) == "mesh."
    assert authority.rdata.times == (7, 3600, 600, 86400, 5)


def test_what_does_not_fit_is_cut_and_says_so_but_over_a_stream() -> None:
    query = read_query(question("a.mesh"))
    assert query is not None
    found = addresses(5000)
    order = random.Random(1).sample(range(5000), 5000)
    short = answer(query, found, order, PLAIN_LIMIT)
    assert len(short) <= PLAIN_LIMIT
    reply = DNSRecord.parse(short)
    assert reply.header.tc == 1
    assert len(reply.rr) == (PLAIN_LIMIT - 12 - 12) // 16
    assert str(reply.rr[0].rdata) == f"10.0.{order[0] >> 8}.{order[0] & 255}"
    long = answer(query, found, order, STREAM_LIMIT)
    assert STREAM_LIMIT - 16 < len(long) <= STREAM_LIMIT
    assert DNSRecord.parse(long).header.tc == 0


def test_extras_that_do_not_fit_are_left_out_without_a_word() -> None:
    query = read_query(question("a.mesh", "SRV", payload=512))
    assert query is not None
    target = wire_name("a-rather-long-name-of-an-instance.a.default.mesh")
    pair = (record(OWNER, 33, 5, srv_data(1, 80, target)), record(target, 1, 5, b"\x0a\0\0\1"))
    reply = DNSRecord.parse(whole := answer(query, record_set([pair] * 6), range(6), PLAIN_LIMIT))
    assert len(whole) <= PLAIN_LIMIT
    assert (reply.header.tc, len(reply.rr)) == (0, 6)
    assert 0 < len(reply.ar) - 1 < 6  # one is OPT
