from gateway.exchange import MESH, Exchange, Reply
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.cluster_settings import BulkheadSettings
from tests.parts.one_route import cluster, endpoint, plan
from tests.parts.playbook import Playbook


def test_an_answer_goes_to_the_caller_and_the_connection_to_the_pool() -> None:
    book = Playbook()
    book.request()
    upstream = book.connect()
    assert upstream.told == [("request", b"", "ended")]
    upstream.answer(200, b"hello")
    assert book.told == [("head", 200, b"hello", "ended")]
    assert upstream.endpoint.idle == [upstream]
    exchange = book.last()
    assert (exchange.status, exchange.flag, exchange.attempts, exchange.bytes_out) == (200, "", 1, 5)
    book.assert_nothing_is_held()


def test_the_next_call_uses_the_kept_connection() -> None:
    book = Playbook(endpoints=(endpoint(1, "a"),))
    book.request()
    upstream = book.connect()
    upstream.answer()
    book.request()
    assert book.openings == []
    assert len(upstream.told) == 2


def test_an_answer_in_pieces_is_passed_on_as_it_comes() -> None:
    book = Playbook()
    book.request()
    upstream = book.connect()
    upstream.answer(200, b"one", ended=False)
    upstream.body(b"two")
    assert book.finished == []
    upstream.end(b"checksum: 1\r\n")
    assert book.told == [("head", 200, b"one", "open"), ("body", b"two"), ("end", b"checksum: 1\r\n")]
    assert book.last().bytes_out == 6


def test_a_request_without_a_route_is_answered_404() -> None:
    book = Playbook()
    book.request(target="/none")
    assert book.told == [("reply", 404, "no_route", "NR")]
    assert book.last().reason == "no_route"


def test_a_path_that_readers_take_differently_is_refused_before_any_route() -> None:
    book = Playbook()
    book.request(target="/a%2Fb")
    assert book.told == [("reply", 400, "bad_request", "DPE")]
    assert book.last().plan is None


def test_without_an_endpoint_the_answer_is_503() -> None:
    book = Playbook(endpoints=())
    book.request()
    assert book.told == [("reply", 503, "no_endpoint", "UH")]
    book.last()


def _with_filters(*filters: object) -> Playbook:
    def make(target: Cluster) -> RoutePlan:
        return plan(target, request_filters=filters)  # type: ignore[arg-type]

    return Playbook(make_plan=make)


def test_a_filter_that_replies_ends_the_exchange_before_the_next_filter() -> None:
    asked: list[str] = []

    def refuse(_: Exchange) -> Reply:
        return Reply(429, "rate_limited", "RL")

    def never(_: Exchange) -> None:
        asked.append("second")

    book = _with_filters(refuse, never)
    book.request()
    assert book.told == [("reply", 429, "rate_limited", "RL")]
    assert asked == []
    assert book.openings == []


async def test_a_filter_that_must_wait_goes_on_later_with_the_next_filter() -> None:
    import asyncio

    decided: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()

    async def ask() -> Reply | None:
        return await decided

    book = _with_filters(lambda _: ask(), lambda _: None)
    book.request(method="POST", fields="Content-Length: 9\r\n", first=b"body", ended=False)
    assert book.downstream.is_paused
    decided.set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert book.connect().told == [("request", b"body", "open")]
    assert not book.downstream.is_paused


async def test_a_filter_that_breaks_while_it_waits_refuses() -> None:
    import asyncio

    async def break_down() -> Reply | None:
        raise OSError("the authoriser is gone")

    book = _with_filters(lambda _: break_down())
    book.request()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert book.told == [("reply", 503, "policy_unavailable", "UAEX")]


def test_a_body_waits_paused_until_somebody_takes_it() -> None:
    book = Playbook()
    call = book.request(method="POST", fields="Content-Length: 9\r\n", first=b"one", ended=False)
    was_paused = book.downstream.is_paused
    call.on_body(b"two")
    upstream = book.connect()
    assert upstream.told == [("request", b"onetwo", "open")]
    assert (was_paused, book.downstream.is_paused) == (True, False)
    call.on_body(b"six")
    call.on_end(b"")
    assert upstream.told[1:] == [("body", b"six"), ("end", b"")]
    upstream.answer()
    assert book.last().bytes_in == 9


def test_a_body_that_was_whole_before_the_connection_is_sent_whole() -> None:
    book = Playbook()
    call = book.request(method="POST", fields="Content-Length: 3\r\n", first=b"", ended=False)
    call.on_body(b"abc")
    call.on_end(b"")
    assert book.connect().told == [("request", b"abc", "ended")]


def test_a_slow_upstream_pauses_the_caller() -> None:
    book = Playbook()
    book.request(method="POST", fields="Content-Length: 9\r\n", first=b"one", ended=False)
    upstream = book.connect()
    assert upstream.events is not None
    seen = []
    for event in (upstream.events.on_write_paused, upstream.events.on_write_resumed):
        event()
        seen.append(book.downstream.is_paused)
    assert seen == [True, False]


def test_a_slow_caller_pauses_the_upstream_and_is_not_its_silence() -> None:
    book = Playbook()
    call = book.request()
    upstream = book.connect()
    upstream.answer(200, b"one", ended=False)
    call.on_write_paused()
    assert upstream.is_paused
    book.pass_time(400.0)
    assert book.finished == []
    call.on_write_resumed()
    upstream.body(b"two")
    upstream.end()
    assert book.told[1:] == [("body", b"two"), ("end", b"")]


def test_an_upstream_that_takes_no_byte_for_30_s_is_given_up_and_one_that_takes_some_is_not() -> None:
    book = Playbook()
    book.request(method="POST", fields="Content-Length: 9\r\n", first=b"one", ended=False)
    upstream = book.connect()
    upstream.unsent = 100
    assert upstream.events is not None
    upstream.events.on_write_paused()
    book.pass_time(29.0)
    upstream.unsent = 90
    book.pass_time(29.0)
    assert book.told == []
    book.pass_time(32.0)
    assert book.told == [("reply", 504, "idle_timeout", "SI")]


def test_an_early_answer_ends_the_exchange_and_the_connection() -> None:
    book = Playbook()
    book.request(method="POST", fields="Content-Length: 900\r\n", first=b"one", ended=False)
    upstream = book.connect()
    upstream.can_be_reused = False  # as the wire says while its request is not whole
    upstream.answer(401)
    assert book.told == [("head", 401, b"", "ended")]
    assert upstream.is_closed
    assert book.last().status == 401


def test_interim_answers_are_passed_on() -> None:
    book = Playbook()
    book.request()
    upstream = book.connect()
    upstream.interim(103)
    upstream.answer()
    assert book.told == [("interim", 103), ("head", 200, b"", "ended")]


def test_an_upgrade_passes_bytes_both_ways_until_both_halves_are_closed() -> None:
    book = Playbook()
    call = book.request(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n")
    upstream = book.connect()
    upstream.upgrade(b"hi")
    assert call.tunnel is not None
    call.tunnel.on_bytes(b"ping")
    upstream.body(b"pong")
    call.tunnel.on_end()
    assert book.finished == []
    upstream.end()
    assert upstream.told[1:] == [("body", b"ping"), ("end", b"")]
    assert book.told == [("upgrade",), ("body", b"hi"), ("body", b"pong"), ("end", b"")]
    exchange = book.last()
    assert (exchange.status, exchange.bytes_in, exchange.bytes_out) == (101, 4, 6)
    book.assert_nothing_is_held()


def test_the_upstreams_half_of_an_upgrade_may_close_first() -> None:
    book = Playbook()
    call = book.request(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n")
    upstream = book.connect()
    upstream.upgrade()
    upstream.end()
    assert book.finished == []
    assert call.tunnel is not None
    call.tunnel.on_end()
    assert call.is_over
    assert book.last().status == 101


def _bulkhead_of_one(*endpoints: object, now: object) -> Cluster:
    return cluster(*endpoints, now=now, bulkhead=BulkheadSettings(1, 1, 1.0))  # type: ignore[arg-type]


def test_a_full_bulkhead_lets_the_next_call_wait_and_go_on_when_a_call_ends() -> None:
    book = Playbook(make_cluster=_bulkhead_of_one)
    book.request()
    first = book.connect()
    book.request()
    waiting = book.downstream
    assert book.openings == []
    first.answer()
    assert len(book.openings) == 1
    book.connect().answer(204)
    assert waiting.told == [("head", 204, b"", "ended")]


def test_a_caller_who_leaves_while_waiting_holds_no_slot() -> None:
    book = Playbook(make_cluster=_bulkhead_of_one)
    book.request()
    first = book.connect()
    book.request().on_gone()
    first.answer()
    assert book.openings == []
    book.request()
    assert len(book.openings) + len(first.told) == 2


def test_the_way_and_the_ids_are_told_upstream() -> None:
    book = Playbook()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call = book.request(fields=f"traceparent: {trace}\r\nx-request-id: order-4711\r\n")
    upstream = book.connect()
    assert b"x-request-id: order-4711\r\n" in upstream.fields
    assert b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-" in upstream.fields
    assert trace.encode() not in upstream.fields
    assert b"meshway-attempt: 1\r\n" in upstream.fields
    assert b"meshway-deadline" not in upstream.fields
    assert call.exchange.request_id == b"order-4711"


def test_a_callers_deadline_counts_on_the_mesh_listener_only() -> None:
    book = Playbook()
    book.request(fields="meshway-deadline: 500\r\n", listener=MESH)
    assert b"meshway-deadline: 500\r\n" in book.connect().fields
    book.pass_time(0.5)
    assert book.told == [("reply", 504, "deadline_exceeded", "DT")]
    book.last()
    book.request(fields="meshway-deadline: 500\r\n")
    book.pass_time(0.6)
    assert book.told == []
