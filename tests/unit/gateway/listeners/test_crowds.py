"""When an address is kept out, and when it is let in again."""

import socket
from collections.abc import Iterator

import pytest

from gateway.exchange import EDGE
from gateway.listeners import syn_filter
from gateway.listeners.crowds import MOST_KEPT_OUT, MOST_REFUSED, Crowds
from gateway.relay.deadline import TimerWheel
from gateway.relay.relay import Relay
from gateway.routing.table import TablesHolder
from gateway.upstream.pool import Pool
from gateway.wire.connection_limits import ConnectionLimits
from gateway.wire.listener_context import ListenerContext
from tests.parts.one_route import one_route

pytestmark = pytest.mark.skipif(not syn_filter.IS_OFFERED, reason="this system filters no sockets")
FLOODING = "127.0.0.9"


@pytest.fixture
def accepting() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def crowds_before(accepting: socket.socket) -> tuple[Crowds, ListenerContext]:
    wheel = TimerWheel(0.0)
    pool = Pool(lambda *_: lambda: None, wheel, lambda: 1.0)  # no call is carried
    relay = Relay(TablesHolder(one_route(None)), pool, wheel, lambda: 1.0, lambda exchange, now: None)
    listener = ListenerContext(EDGE, relay, b"gw", limits=ConnectionLimits(per_address=10))
    return Crowds(listener, accepting), listener


def is_dropped(accepting: socket.socket) -> bool:
    """What the flooding address asks for."""
    with socket.socket() as caller:
        caller.bind((FLOODING, 0))
        caller.settimeout(0.3)
        try:
            caller.connect(accepting.getsockname())
        except TimeoutError:
            return True
    return False


def test_who_asks_on_and_on_is_dropped_until_he_has_fewer(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    crowds.beat(0.0)
    listener.per_address[FLOODING] = 10
    for _ in range(MOST_REFUSED - 1):
        listener.crowded(FLOODING)
    assert not crowds.kept_out
    listener.crowded(FLOODING)
    assert (list(crowds.kept_out), listener.kept_out, is_dropped(accepting)) == ([FLOODING], 1, True)
    crowds.beat(1.0)
    assert is_dropped(accepting), "he has as many as before"
    listener.per_address[FLOODING] = 8
    crowds.beat(1.5)
    assert crowds.kept_out, "looked at each second"
    crowds.beat(2.0)
    assert (list(crowds.kept_out), listener.kept_out, is_dropped(accepting)) == ([], 0, False)


def test_whoever_is_kept_out_comes_in_where_the_limit_is_lifted(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    crowds.beat(0.0)
    listener.per_address[FLOODING] = 10
    for _ in range(MOST_REFUSED):
        listener.crowded(FLOODING)
    listener.limits = ConnectionLimits(per_address=0)
    crowds.beat(1.0)
    assert (list(crowds.kept_out), is_dropped(accepting)) == ([], False)


def test_who_is_refused_now_and_then_is_not_dropped(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    for second in range(5):
        crowds.beat(float(second))
        for _ in range(MOST_REFUSED - 1):
            listener.crowded(FLOODING)
    assert not crowds.kept_out


def test_callers_of_ipv4_are_known_on_a_socket_for_both_families(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    for _ in range(MOST_REFUSED):
        listener.crowded(f"::ffff:{FLOODING}")
    assert is_dropped(accepting)
    for _ in range(MOST_REFUSED):
        listener.crowded("fe80::1%eth0")
    assert str(crowds.kept_out["fe80::1%eth0"]) == "fe80::1"


def test_the_next_worker_takes_the_socket_over_without_a_filter(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    for _ in range(MOST_REFUSED):
        listener.crowded(FLOODING)
    assert is_dropped(accepting)
    crowds_before(accepting)
    assert not is_dropped(accepting), "though nobody closed it"
    for _ in range(MOST_REFUSED):
        listener.crowded("127.0.0.8")
    crowds.close()
    assert not crowds.kept_out
    assert not is_dropped(accepting)


def test_there_is_a_bound_to_how_many_are_kept_out(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    for at in range(MOST_KEPT_OUT + 5):
        for _ in range(MOST_REFUSED):
            listener.crowded(f"10.0.0.{at}")
    assert len(crowds.kept_out) == MOST_KEPT_OUT


def test_where_filters_are_forbidden_connections_are_reset_as_ever(accepting: socket.socket) -> None:
    crowds, listener = crowds_before(accepting)
    accepting.close()
    for _ in range(2 * MOST_REFUSED):
        listener.crowded(FLOODING)
    assert (crowds.kept_out, listener.kept_out) == ({}, 0)
