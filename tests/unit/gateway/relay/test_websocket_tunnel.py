from gateway.exchange import Reply
from gateway.plan import RoutePlan, WebSocketPlan
from gateway.upstream.cluster import Cluster
from tests.parts.one_route import plan
from tests.parts.playbook import FakeUpstream, Playbook
from tests.parts.websocket import ACCEPT, KEY, frame

TEXT, PONG = 1, 10
DRAINED = ("", "drained", "no time")
MASK = b"\x01\x02\x03\x04"
FIELDS = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"


def _plan(target: Cluster) -> RoutePlan:
    return plan(target, upgraded_idle_s=100.0, websocket=WebSocketPlan(1000, 2000, 20.0))


def opened() -> tuple[Playbook, FakeUpstream]:
    book = Playbook(make_plan=_plan)
    book.request(fields=FIELDS)
    upstream = book.connect()
    upstream.upgrade(fields=f"Sec-WebSocket-Accept: {ACCEPT}\r\n")
    return book, upstream


def test_an_answer_to_another_key_is_none() -> None:
    book = Playbook(make_plan=_plan)
    book.request(fields=FIELDS)
    book.connect().upgrade(fields="Sec-WebSocket-Accept: AAAA\r\n")
    assert book.told == [("reply", 502, "upstream_protocol", "UPE")]
    book.assert_nothing_is_held()


def test_while_one_side_takes_nothing_the_others_silence_is_no_sign() -> None:
    book, upstream = opened()
    call = book.relay.tunnels
    assert call.open == 1
    upstream._heard.on_write_paused()  # the service's window: the caller is not read
    book.pass_time(25.0)
    upstream._heard.on_write_resumed()
    assert all(told[0] != "finished" for told in book.told)
    assert book.relay.tunnels.open == 1


def test_who_answers_is_asked_again_and_nobody_is_left() -> None:
    book, upstream = opened()
    tunnel = upstream.events._call.tunnel  # type: ignore[union-attr]
    for _ in range(5):
        book.pass_time(20.0)
        upstream.body(frame(PONG))
        tunnel.on_bytes(frame(PONG, key=MASK))
    assert len([told for told in book.told if told == ("body", frame(9))]) == 5
    assert book.finished == []


def test_within_a_long_frame_of_one_side_the_other_is_not_asked_and_may_be_silent() -> None:
    book, upstream = opened()
    tunnel = upstream.events._call.tunnel  # type: ignore[union-attr]
    upstream.body(frame(TEXT, b"x" * 900)[:10])
    for _ in range(3):
        book.pass_time(20.0)
        upstream.body(b"x" * 10)
    tunnel.on_bytes(frame(TEXT, b"y" * 900, key=MASK)[:10])
    for _ in range(3):
        book.pass_time(20.0)
        tunnel.on_bytes(b"y" * 10)
    assert ("body", frame(9)) not in book.told
    assert book.relay.tunnels.open == 1


def test_who_says_nothing_when_asked_is_left() -> None:
    book, upstream = opened()
    for _ in range(2):
        book.pass_time(20.0)
        if upstream.events is not None:
            upstream.body(frame(PONG))
    assert book.told[-1] == ("finished",)
    assert book.last().metadata.startswith(b',"close_code":1001')


def failed() -> tuple[Playbook, FakeUpstream]:
    """By its caller, in his second frame."""
    book, upstream = opened()
    tunnel = upstream.events._call.tunnel  # type: ignore[union-attr]
    tunnel.on_bytes(frame(TEXT, b"one", key=MASK) + frame(3, key=MASK))
    tunnel.on_bytes(frame(3, key=MASK))
    return book, upstream


def test_a_caller_at_fault_waits_a_second_for_the_rest_and_is_not_pinged() -> None:
    book, upstream = failed()
    upstream.body(frame(TEXT, b"two"))
    book.pass_time(0.9)
    assert book.told[-1] == ("body", frame(TEXT, b"two"))
    book.pass_time(0.2)
    assert book.told[-2:] == [("body", b"\x88\x02\x03\xea"), ("finished",)]
    assert book.last().metadata == b',"close_code":1002,"messages_in":1,"messages_out":1'
    book.assert_nothing_is_held()


def test_of_a_caller_at_fault_the_drain_a_refusal_and_the_services_own_fault_are_the_end() -> None:
    for end in ("drain", "fault", "cut", "refusal"):
        book, upstream = failed()
        if end == "drain":
            upstream.events._call.tunnel.say_goodbye(*DRAINED)  # type: ignore[union-attr]
        elif end == "fault":
            upstream.body(frame(3))
        elif end == "cut":
            upstream.fail("reset")
        else:
            refusal = Reply(403, "denied", "UAEX", "not any more", policy="AccessPolicy own")
            upstream.events._call.tunnel.end_refused(refusal)  # type: ignore[union-attr]
        assert book.told[-2:] == [("body", b"\x88\x02\x03\xea"), ("finished",)], end
        told = [each for each in upstream.told if each[0] == "body"]
        assert len(told) == 2, "its message, and one close frame"
        exchange = book.last()
        assert (exchange.reason, exchange.flag) == ("websocket_protocol", "DPE")
        book.assert_nothing_is_held()


def test_a_fault_behind_the_services_own_close_frame_is_the_end() -> None:
    book, upstream = opened()
    tunnel = upstream.events._call.tunnel  # type: ignore[union-attr]
    upstream.body(frame(8, b"\x03\xe8"))
    tunnel.on_bytes(frame(3, key=MASK))
    assert book.told[-2:] == [("body", frame(8, b"\x03\xe8")), ("finished",)]
    book.assert_nothing_is_held()


def test_what_it_held_is_given_back_and_counted() -> None:
    book, upstream = opened()
    tunnel = upstream.events._call.tunnel  # type: ignore[union-attr]
    tunnel.on_bytes(frame(TEXT, b"one", key=MASK))
    upstream.body(frame(TEXT, b"two") + frame(TEXT, b"three"))
    assert tunnel.say_goodbye(*DRAINED)
    exchange = book.last()
    assert exchange.metadata == b',"close_code":1001,"messages_in":1,"messages_out":2'
    assert (exchange.flag, exchange.reason, exchange.detail) == DRAINED
    assert book.told[-2:] == [("body", b"\x88\x02\x03\xe9"), ("finished",)]
    tunnels = book.relay.tunnels
    assert (tunnels.open, tunnels.from_callers, tunnels.from_services) == (0, 1, 2)
    book.assert_nothing_is_held()
