import asyncio
import json

import pytest

from gateway.compiler.tables import Compiler
from gateway.exchange import MESH
from gateway.limits.assigned import Assigned
from gateway.limits.desk import Desk
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Parts
from gateway.worker.explaining import MOST_BYTES, MOST_SHOWN, explaining, tell_when_known, told_of
from meshway.assignments.messages import Budget, Grant
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, running, to
from tests.parts.clock import ManualClock
from tests.parts.conditions import until


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


class Desks:
    """Of two scopes, whose answers are given by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.mesh, self.host = (
            Desk("1", lambda number, budgets, asks: None, loop.call_soon, ManualClock()) for _ in range(2)
        )
        self.told: list[str] = []
        self.sent: list[str] = []
        budget = Budget(id="l", limit=5, rate=1.0)
        self.limit = Assigned(budget, self.mesh, TokenBuckets(1.0, 5.0), set())
        self.asks = True

    def tell(self, loop: asyncio.AbstractEventLoop) -> None:
        tell_when_known(loop, (self.mesh, self.host), self._told, self.sent.append)

    def _told(self) -> str:
        if self.asks:
            self.limit.look("k", 0.0)
        self.told.append(f"{self.limit.left('k', 0.0):g} left")
        return self.told[-1]


async def test_how_shared_limits_stand_is_asked_before_it_is_told() -> None:
    loop = asyncio.get_running_loop()
    desks = Desks(loop)
    desks.tell(loop)
    assert (desks.told, desks.sent) == (["5 left"], [])
    await asyncio.sleep(0)  # the turn ends, and the asks go out
    desks.mesh.answered(1, [Grant(count=0, left=2.0, reset_s=1.0, again_s=0.0, keep_s=1.0)], 8)
    assert desks.sent == ["2 left"]


async def test_what_asks_nobody_is_told_at_once_and_what_nobody_answers_after_a_while() -> None:
    loop = asyncio.get_running_loop()
    desks = Desks(loop)
    desks.asks = False
    desks.tell(loop)
    assert desks.sent == ["5 left"]
    desks.asks = True
    desks.tell(loop)
    assert len(desks.sent) == 1
    await until(lambda: len(desks.sent) == 2)
    desks.mesh.tell("the registry is away", 8)
    assert desks.sent == ["5 left", "5 left"], "once"
    desks.mesh.tell("", 8)
    desks.tell(loop)
    desks.mesh.tell("away again", 8)
    assert len(desks.sent) == 3, "that nobody answers is known at once"
