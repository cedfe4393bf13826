"""From a query's bytes to an answer's."""

import random
from collections import Counter

import pytest
from dnslib import CLASS, RCODE, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.dns.responder import Responder
from registry.dns.zone import Zone
from tests.parts.dns_queries import question
from tests.parts.registry_bench import Bench


def responder(bench: Bench, seed: int = 1) -> Responder:
    return Responder(Zone(bench.view, "127.0.0.1"), random.Random(seed).random)


def parsed(data: bytes | None) -> DNSRecord:
    assert data is not None
    return DNSRecord.parse(data)


@pytest.mark.parametrize(
    ("name", "kind", "klass"),
    [
        ("example.com", "A", "IN"),
        ("mesh.example.com", "A", "IN"),
        (".", "NS", "IN"),
        ("mesh", "AXFR", "IN"),
        ("a.mesh", "A", "CH"),
    ],
)
def test_what_is_not_ours_is_refused(name: str, kind: str, klass: str) -> None:
    reply = parsed(responder(Bench()).over_udp(question(name, kind, klass)))
    assert (reply.header.rcode, reply.header.aa, reply.header.ra) == (RCODE.REFUSED, 0, 0)
    assert reply.q.qclass == getattr(CLASS, klass)


def test_every_instance_comes_first_about_as_often_as_the_others() -> None:
    bench = Bench()
    for at in range(4):
        bench.register("reviews", f"r{at}", address=f"10.0.0.{at}")
    asked, answering = question("reviews.default.mesh"), responder(bench)
    first = Counter(str(parsed(answering.over_udp(asked)).rr[0].rdata) for _ in range(400))
    assert len(first) == 4
    assert min(first.values()) > 60


def test_the_question_is_echoed_letter_for_letter() -> None:
    bench = Bench()
    bench.register("reviews", "r1", address="10.0.0.1")
    asked = question("rEvIeWs.DeFaUlT.mEsH")
    reply = responder(bench).over_udp(asked)
    assert reply is not None
    assert reply[12 : len(asked)] == asked[12:]
    assert len(parsed(reply).rr) == 1


def test_a_large_answer_is_cut_over_udp_and_whole_over_a_stream() -> None:
    bench = Bench()
    for at in range(200):
        bench.register("reviews", f"r{at}", address=f"10.0.0.{at}")
    asked, answering = question("reviews.default.mesh"), responder(bench)
    short = answering.over_udp(asked)
    assert short is not None
    assert len(short) <= 512
    assert parsed(short).header.tc == 1
    whole = parsed(answering.over_stream(asked))
    assert (whole.header.tc, len(whole.rr)) == (0, 200)


BENCH = Bench()
BENCH.register("reviews", "r1", address="10.0.0.1")
_NAMES = st.lists(
    st.sampled_from([b"reviews", b"default", b"mesh", b"_tcp", b"_http", b"r1", b"ns", b"\xff\0", b"MESH", b"m" * 63]),
    max_size=6,
)


@pytest.mark.fuzz
@settings(max_examples=settings().max_examples * 10)
@given(st.binary(max_size=400), _NAMES, st.integers(0, 300), st.booleans())
def test_no_bytes_make_it_raise(noise: bytes, labels: list[bytes], kind: int, is_whole: bool) -> None:
    answering = responder(BENCH)
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    data = b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + kind.to_bytes(2, "big") + b"\0\1" if is_whole else noise
    for reply in (answering.over_udp(data), answering.over_stream(data)):
        if reply is not None:
            assert reply[:2] == data[:2]
            assert b"\xff" in reply[12:] or parsed(reply).header.qr == 1  # dnslib reads no label that is no text
        else:
            assert not is_whole
