import json

import pytest

from gateway.compiler.tables import Compiler
from gateway.exchange import MESH
from gateway.plan import Parts
from gateway.worker.explaining import MOST_BYTES, MOST_SHOWN, explaining, told_of
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock


def compiler_of(*changes: object) -> Compiler:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.5))
    assert compiler.snapshot(1, changes) == []  # type: ignore[arg-type]
    return compiler


@pytest.mark.parametrize(("peer", "may_ask"), [("127.0.0.1", True), ("::1", True), ("10.0.0.9", False), ("", False)])
def test_only_callers_of_this_machine_may_ask(peer: str, may_ask: bool) -> None:
    compiler = compiler_of(running("books", "1"))
    tell = explaining(lambda: compiler.state, "gw-1")(call(host="books.default.mesh", listener=MESH, peer=peer))
    assert (tell is not None) == may_ask


def test_a_field_is_ascii_of_one_line_and_bounded() -> None:
    rules = [to("books", {"exact": f"/{number}"}, name=f"r{number}") for number in range(100)]
    many = [running("books", str(number), zone="ü") for number in range(100)]
    route = document("Route", "r", edge_route(*rules, to("books", name="all"), listeners=["mesh"], hosts=["books"]))
    compiler = compiler_of(*many, route)
    exchange = call("/%C3%BC", host="books.default.mesh", listener=MESH)
    tell = explaining(lambda: compiler.state, "gw-1")(exchange)
    assert tell is not None
    field = tell(exchange)
    assert field.isascii()
    assert len(field) <= MOST_BYTES
    assert (field.count(b"\r\n"), field[-2:]) == (1, b"\r\n")
    told = json.loads(field.partition(b": ")[2])
    (destination,) = told["destinations"]
    assert (len(destination["endpoints"]), destination["endpoints_left_out"]) == (MOST_SHOWN, 100 - MOST_SHOWN)
    assert (len(told["tried"]), told["tried_left_out"]) == (MOST_SHOWN, 100 - MOST_SHOWN)


def test_what_is_no_question_is_answered_with_the_reason() -> None:
    state = compiler_of(running("books", "1")).state
    assert "url" in told_of(state, {"method": "GET"}, "gw-1")["error"]
    assert told_of(state, {"url": "ftp://a/"}, "gw-1") == {"error": "url: ftp is not http"}
    assert "has no instance" in told_of(state, {"url": "http://books/", "as": "films"}, "gw-1")["error"]
    split = told_of(state, {"url": "http://books.default.mesh/", "headers": {"a": "b\r\nc: d"}}, "gw-1")
    assert (split["answered"]["status"], split["answered"]["reason"]) == (400, "bad_request")
