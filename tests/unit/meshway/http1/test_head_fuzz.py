"""Differential fuzzing: our reader beside h11 and httptools (strict) on heads that are wrong by a byte or two.

The rule is one-sided: what we accept, they must accept and read alike; we may refuse more (narrower on purpose). And
whatever the split, and whatever head came before on the connection, the verdict is the same.
"""

import random
import re
from dataclasses import dataclass, field

import h11
import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.http1.message import CHUNKED, RequestHead
from tests.parts.raw_reader import in_pieces, read_requests
from tests.parts.slots import slots_of

LIMITS = HeadLimits()
TRACE = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LINES = (
    *(b"Host: books.test", b"Host: b.test:80", b"host:a", b"Accept: */*", b"X: y", b"X-Empty:", b"Cookie: a=b; c"),
    *(b"Content-Length: 5", b"content-length: 0", b"Transfer-Encoding: chunked", b"Connection: keep-alive, X"),
    *(b"Connection: close", b"Upgrade: websocket", b"Expect: 100-continue", b"TE: trailers", b"X_A: b"),
    *(TRACE, b"x-request-id: 0123456789abcdef", b"Authorization: Bearer a.b.c", b"Via: 1.1 a"),
)
STARTS = (
    b"GET /a HTTP/1.1",
    b"POST /a?b=c HTTP/1.1",
    b"GET http://b.test/ HTTP/1.1",
    b"PUT /a HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
)
NOISE = (
    *(b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b",", b";", b"\x0b", b"\x7f", b"\x80", b"0", b"5", b"_", b"+"),
    *(
        b"\r\n ",
        b"\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Host: evil\r\n",
        b"#",
        b"@",
    ),
)

heads = st.builds(
    lambda start, lines: b"\r\n".join([start, *lines, b"", b""]),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=7).map(lambda lines: [LINES[0], *lines])
    | st.lists(st.sampled_from(LINES)),
)


@dataclass(frozen=True, slots=True)
class Edit:
    """At a share of the data: drop some bytes and put noise there."""

    share: float
    drop: int
    noise: bytes


edits = st.lists(
    st.builds(Edit, st.floats(0, 1), st.integers(0, 3), st.sampled_from((b"", *NOISE)) | st.binary(max_size=2)),
    max_size=3,
)


def edited(data: bytes, changes: list[Edit]) -> bytes:
    for change in changes:
        at = int(change.share * len(data))
        data = data[:at] + change.noise + data[at + change.drop :]
    return data


def verdict(reader: RequestReader, data: bytes) -> RequestHead | int | None:
    try:
        return reader.read(data)
    except HeadError as error:
        return error.status


def facts(head: RequestHead | int | None) -> object:
    if not isinstance(head, RequestHead):
        return head
    return {name: getattr(head, name) for name in slots_of(RequestHead)}


@dataclass(slots=True)
class Heard:
    """What httptools calls back with."""

    url: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_done: bool = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_done = True


def as_httptools_reads(data: bytes) -> Heard | None:
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    return heard if heard.is_done else None


def as_h11_reads(data: bytes) -> h11.Request | None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6)
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


def check_against_oracles(data: bytes) -> None:
    """What we accept both accept, with the same fields, framing and target."""
    reader = RequestReader(LIMITS, lines=request_lines(strip=False, underscores="pass"))
    head = verdict(reader, data)
    if not isinstance(head, RequestHead):
        return
    alone = data[: head.head_size]
    theirs = as_h11_reads(alone.removeprefix(b"\r\n"))  # h11 leaves RFC 9112 §2.2's SHOULD out
    assert theirs is not None, alone
    assert theirs.target == head.target
    assert theirs.method == head.method
    heard = as_httptools_reads(alone)
    # llhttp knows a closed list of methods, and no Upgrade of theirs means anything to us.
    if heard is not None:
        assert heard.url == head.target
        assert sorted(heard.fields) == sorted((name, value) for name, value in theirs.headers)
    else:
        assert not re.match(rb"(\r\n)?(GET|POST|PUT|OPTIONS) ", alone), alone
    check_framing(head, [(bytes(name), bytes(value)) for name, value in theirs.headers])


def check_framing(head: RequestHead, fields: list[tuple[bytes, bytes]]) -> None:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    assert len(lengths) + len(codings) <= 1
    assert (head.body == CHUNKED) == bool(codings)
    if lengths:
        assert head.body == int(lengths[0])
    hosts = [value for name, value in fields if name == b"host"]
    assert len(hosts) == 1 or (not hosts and head.minor == 0)
    assert head.is_absolute or not hosts or head.authority == hosts[0]
    block = [line.partition(b":")[0].lower() for line in head.block.split(b"\r\n")[:-1]]
    assert set(block) <= {name for name, _ in fields}
    assert not {b"content-length", b"transfer-encoding", b"host", b"connection"} & set(block)


fuzz = settings(max_examples=settings().max_examples * 15, suppress_health_check=list(HealthCheck))


@pytest.mark.fuzz
@fuzz
@given(heads, edits)
def test_what_we_accept_the_oracles_read_alike(data: bytes, changes: list[Edit]) -> None:
    check_against_oracles(edited(data, changes))


@pytest.mark.fuzz
@fuzz
@given(st.lists(heads, min_size=1, max_size=3), edits, st.lists(st.integers(0, 900), max_size=5))
def test_the_verdict_is_the_same_whatever_the_split(datas: list[bytes], changes: list[Edit], cuts: list[int]) -> None:
    data = edited(b"".join(datas), changes)
    whole, parts = read_requests([data]), read_requests(in_pieces(data, cuts))
    # Split, a head may be broken off before a fault further on is seen: refused all the same.
    assert [facts(one.head) for one in whole.requests] == [facts(one.head) for one in parts.requests]
    assert [one.body for one in whole.requests] == [one.body for one in parts.requests]
    if whole.status != parts.status:
        assert {whole.status, parts.status} <= {400, 414, 431, 505}
    assert (whole.status is None) == (parts.status is None)


@pytest.mark.fuzz
@fuzz
@given(heads, edits)
def test_what_came_before_on_the_connection_changes_no_verdict(data: bytes, changes: list[Edit]) -> None:
    lines = request_lines()
    used = RequestReader(LIMITS, lines=lines)
    verdict(used, data)
    verdict(used, other_ids(data))  # the block is learned at the second of its length
    second = edited(data, changes)
    assert facts(verdict(used, second)) == facts(verdict(RequestReader(LIMITS), second))


def other_ids(data: bytes) -> bytes:
    return data.replace(b"0af7", b"ffff").replace(b"x-request-id: 0123", b"x-request-id: ffff")


@pytest.mark.fuzz
def test_no_edit_at_or_in_an_id_changes_the_verdict_of_a_used_reader() -> None:
    """Bytes of the same number in the place of others, at every offset: what the cuts must withstand."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    data = b"\r\n".join([STARTS[0], LINES[0], TRACE, b"X: y", b"x-request-id: 0123456789abcdef", b"Z: 1", b"", b""])
    for at in range(len(data)):
        noise = [chance.choice(NOISE) for _ in range(6)] + [b"\r\nA: b", b"\r\nTransfer-Encoding:chunked", b"a\r\n\r\n"]
        for piece in noise:
            used = RequestReader(LIMITS)
            verdict(used, data)
            verdict(used, other_ids(data))
            second = (data[:at] + piece + data[at + len(piece) :])[: len(data)]
            assert facts(verdict(used, second)) == facts(verdict(RequestReader(LIMITS), second)), (seed, second)
