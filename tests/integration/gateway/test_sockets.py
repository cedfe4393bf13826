import socket
from contextlib import suppress

import pytest

from gateway.listeners.sockets import MOST_UNSENT, open_one, open_slots, url_of
from meshway.problem import Problem
from tests.parts.ports import free_port


def test_all_slots_share_one_free_port() -> None:
    slots = open_slots("127.0.0.1", 0, 3, "--edge-port")
    try:
        assert len({slot.getsockname() for slot in slots}) == 1
        with socket.create_connection(slots[0].getsockname(), timeout=2):
            pass
        assert url_of(slots[0]) == f"http://127.0.0.1:{slots[0].getsockname()[1]}"
    finally:
        for slot in slots:
            slot.close()


def test_a_port_that_another_gateway_shares_out_is_taken_nevertheless() -> None:
    slots = open_slots("127.0.0.1", 0, 1, "--edge-port")
    try:
        with pytest.raises(Problem) as caught:
            open_slots("127.0.0.1", slots[0].getsockname()[1], 2, "--edge-port")
        assert (caught.value.code, "--edge-port" in (caught.value.mend or "")) == ("port_taken", True)
        with pytest.raises(Problem, match="taken"):
            open_one("127.0.0.1", slots[0].getsockname()[1], "--admin-port")
    finally:
        slots[0].close()


def test_slots_of_datagrams_share_a_port_that_no_other_gateway_gets() -> None:
    slots = open_slots("127.0.0.1", free_port(), 2, "spec.port", is_udp=True)
    place = slots[0].getsockname()
    try:
        assert {slot.getsockname() for slot in slots} == {place}
        with pytest.raises(Problem, match="taken"):
            open_slots("127.0.0.1", place[1], 1, "spec.port", is_udp=True)
        more = open_slots("127.0.0.1", place[1], 2, "spec.port", is_udp=True, is_shared=True)
        for slot in more:
            slot.close()
        heard = set[int]()
        for _ in range(200):  # addresses are spread by their hash: 2^-199 that one slot gets all
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
                caller.sendto(b"x", place)
        for at, slot in enumerate(slots):
            with suppress(BlockingIOError):
                slot.recvfrom(1)
                heard.add(at)
        assert heard == {0, 1}
        with open_slots("127.0.0.1", place[1], 1, "spec.port")[0]:
            pass  # the same port of TCP is another one
    finally:
        for slot in slots:
            slot.close()


def test_an_address_that_is_not_ours_is_refused_with_the_reason() -> None:
    with pytest.raises(Problem, match=r"cannot listen on 192\.0\.2\.1"):
        open_slots("192.0.2.1", 0, 1, "--edge-port")


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system has no such bound")
def test_what_the_system_holds_for_a_caller_who_reads_nothing_is_bounded() -> None:
    (slot,) = open_slots("127.0.0.1", 0, 1, "--edge-port")
    slot.setblocking(True)
    with slot, socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(slot.getsockname())
        connection, _ = slot.accept()
        with connection:
            connection.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while sent < 8 * MOST_UNSENT:
                    sent += connection.send(b"x" * 65_536)
            assert sent < 2 * MOST_UNSENT, "4 MiB otherwise"
