import re

import pytest

from gateway.exchange import EDGE, MESH
from gateway.relay.trace import begin_trace, brought_trace, is_drawn, sample_anew
from tests.parts.calls import call

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
FORM = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


def _parts(fields: dict[str, str], listener: int = MESH, forwarded: bytes = b"") -> tuple[bytes, bytes, bytes, bytes]:
    """Trace id, parent id, flags, request id of a call with these fields."""
    exchange = call(headers=fields, listener=listener)
    exchange.forwarded = forwarded
    begin_trace(exchange)
    match = FORM.match(exchange.traceparent)
    assert match, exchange.traceparent
    return match[1], match[2], match[3], exchange.request_id


def test_a_trace_is_passed_on_with_a_parent_of_our_own() -> None:
    trace, parent, flags, _ = _parts({"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert (trace, flags) == (TRACE.encode(), b"01")
    assert parent != PARENT.encode()


@pytest.mark.parametrize("value", [f"cc-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-the-future-has"])
def test_a_later_version_is_read_as_ours(value: str) -> None:
    assert _parts({"traceparent": value})[0] == TRACE.encode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE}-{PARENT}-0-",
        f"cc-{TRACE}-{PARENT}-01.more",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(value: str) -> None:
    trace, _, flags, request_id = _parts({"traceparent": value})
    assert trace != TRACE.encode()
    assert flags in (b"00", b"01")
    assert request_id == trace


def test_about_one_begun_trace_in_a_hundred_is_sampled() -> None:
    sampled = sum(_parts({})[2] == b"01" for _ in range(5_000))
    assert 10 <= sampled <= 120


@pytest.mark.parametrize("value", ["order-4711", "a" * 128, "A.b_c-0123"])
def test_a_decent_request_id_is_kept(value: str) -> None:
    assert _parts({"x-request-id": value})[3] == value.encode()


@pytest.mark.parametrize("value", ["short", "a" * 129, "has space in it", "semi;colon;", ""])
def test_any_other_request_id_is_made_anew(value: str) -> None:
    request_id = _parts({"x-request-id": value, "traceparent": f"00-{TRACE}-{PARENT}-01"})[3]
    assert re.fullmatch(rb"[0-9a-f]{32}", request_id)
    assert request_id != TRACE.encode()


def test_callers_outside_do_not_say_what_is_sampled_but_trusted_proxies_do() -> None:
    fields = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Forwarded-For": "192.0.2.1"}
    assert not is_drawn(TRACE.encode(), 655)
    assert _parts(fields, EDGE)[2] == b"00"
    assert _parts(fields, EDGE, b"Via: 1.1 a\r\nX-Forwarded-For: 10.0.0.7\r\n")[2] == b"00"
    assert _parts(fields, EDGE, b"Via: 1.1 a\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.7\r\n")[2] == b"01"
    drawn = f"{TRACE[:28]}0001"
    assert _parts({"traceparent": f"00-{drawn}-{PARENT}-00"}, EDGE)[2] == b"01"


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"b3": f"{TRACE}-{PARENT}-1"}, b"01"),
        ({"b3": f"{TRACE}-{PARENT}-0"}, b"00"),
        ({"b3": f"{TRACE}-{PARENT}-d-{PARENT}"}, b"01"),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT, "X-B3-Sampled": "1"}, b"01"),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": PARENT}, b"00"),
    ],
)
def test_b3_is_read_where_there_is_no_traceparent(fields: dict[str, str], flags: bytes) -> None:
    trace, _, sampled, _ = _parts(fields)
    assert (trace, sampled) == (TRACE.encode(), flags)


@pytest.mark.parametrize("value", ["0", "1", TRACE, f"{TRACE}-", f"{TRACE}-{PARENT[:4]}", f"{TRACE[:-1]}x-{PARENT}-1"])
def test_what_is_no_b3_begins_a_new_trace(value: str) -> None:
    assert _parts({"b3": value})[0] != TRACE.encode()


@pytest.mark.parametrize(
    ("trusts", "listener", "flags"),
    [
        ("mesh", MESH, b"01"),
        ("mesh", EDGE, b"00"),
        ("all", EDGE, b"01"),
        ("none", MESH, b"00"),
    ],
)
def test_a_document_says_whose_word_on_sampling_is_taken(trusts: str, listener: int, flags: bytes) -> None:
    exchange = call(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}, listener=listener)
    begin_trace(exchange)
    sample_anew(exchange, 0, trusts)
    assert exchange.traceparent[-2:] == flags
    assert brought_trace(exchange) == (TRACE.encode(), b"01")


def test_a_document_says_how_many_begun_traces_are_sampled() -> None:
    for head, wanted in ((0, b"00"), (65_536, b"01")):
        exchange = call()
        begin_trace(exchange)
        sample_anew(exchange, head, "mesh")
        assert exchange.traceparent[-2:] == wanted
