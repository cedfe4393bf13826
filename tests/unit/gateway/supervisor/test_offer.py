"""Sockets handed from one process's hand to the other's, in one process."""

import os
import socket
import threading
from pathlib import Path

import pytest

from gateway.listeners.sockets import open_slots
from gateway.supervisor.offer import HELLO, SOCKET, Offer, OwnPlace, refuse_elsewhere, send_offer, take_offer
from meshway.problem import Problem

PARTNER = OwnPlace("partner", "127.0.0.1", 9443, "edge", "https")


def test_more_descriptors_than_a_message_holds_arrive_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    slots = 120
    edge, own = (open_slots("127.0.0.1", 0, slots, "--edge-port") for _ in range(2))
    with socket.socket(socket.AF_UNIX) as listening, (tmp_path / "lock").open("w") as lock, socket.socket() as admin:
        listening.bind(str(tmp_path / "run" / SOCKET))
        listening.listen()

        def hand() -> None:
            link, _ = listening.accept()
            with link:
                assert link.recv(100) == HELLO
                sockets = [lock.fileno(), admin.fileno(), *(each.fileno() for each in (*edge, *own))]
                send_offer(link, Offer("1", slots, ["edge"], [PARTNER]), sockets)

        handing = threading.Thread(target=hand)
        handing.start()
        taken = take_offer(tmp_path, 120)
        handing.join(10)
        try:
            assert (taken.offer.slots, list(taken.listeners), list(taken.own)) == (slots, ["edge"], [PARTNER])
            inodes = [os.fstat(each.fileno()).st_ino for each in (*taken.listeners["edge"], *taken.own[PARTNER])]
            assert inodes == [os.fstat(each.fileno()).st_ino for each in (*edge, *own)]
            assert os.fstat(taken.lock).st_ino == os.fstat(lock.fileno()).st_ino
        finally:
            os.close(taken.lock)
            for each in (taken.link, taken.admin, *taken.listeners["edge"], *taken.own[PARTNER], *edge, *own):
                each.close()


def test_where_no_gateway_runs_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        take_offer(tmp_path, 120)
    assert caught.value.code == "nothing_to_take_over"
    assert "without --take-over" in (caught.value.mend or "")


def test_another_place_than_the_one_that_runs_has_is_refused() -> None:
    [taken] = open_slots("127.0.0.1", 0, 1, "--edge-port")
    with taken:
        port = taken.getsockname()[1]
        for same in (port, 0):
            refuse_elsewhere(taken, "127.0.0.1", same, "--edge-port")
        for bind, other in (("127.0.0.2", port), ("0.0.0.0", port), ("127.0.0.1", port - 1)):
            with pytest.raises(Problem) as caught:
                refuse_elsewhere(taken, bind, other, "--edge-port")
            assert caught.value.code == "other_place"
            assert "--edge-port" in (caught.value.mend or "")
