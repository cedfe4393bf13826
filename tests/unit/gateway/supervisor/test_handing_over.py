"""Both ends of a supervisor's succession in one process, over a real socket: what only one may keep changes hands."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.channel import Buckets, Channel, ChannelFrame, Leaving, NonceFrame, TransitionFrame
from gateway.supervisor import handing_over, taking_over
from gateway.supervisor.handing_over import HandingOver
from gateway.supervisor.offer import SOCKET, Offer, take_offer
from gateway.supervisor.taking_over import TakingOver
from gateway.upstream.transition import Transition
from tests.parts.conditions import until

_ACCEPTS: Final = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print(flush=True)
link, _ = listening.accept()
sys.stdin.read()
"""

EJECTED = Transition(kind="ejected", cluster="shop/books", endpoint=("shop", "books", "1"), until_s=5.0)


class Bench:
    """said: what became of the one that hands over. told: what the one that takes over heard."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.told: list[object] = []
        self.taken: Channel | None = None
        (folder / "run").mkdir()
        self.folder = folder
        self._lock = (folder / "run" / "gateway.lock").open("w")
        self._admin = socket.socket()
        self.handing = HandingOver(
            folder / "run", self._offer, self._hold, lambda: self.said.append("goes on"), self._on_taken, self._in_force
        )
        self.taking = TakingOver(
            self.told.append,
            lambda slot, _: self.told.append(slot),
            lambda: self.told.append("handed"),
            lambda: self.told.append("ended"),
            self._judge,
        )
        self.handing.listen()

    def _offer(self) -> tuple[Offer, list[int]]:
        return Offer("1", 2, [], []), [self._lock.fileno(), self._admin.fileno()]

    async def _hold(self) -> None:
        self.said.append("holds")

    def _on_taken(self, channel: Channel, pid: int) -> None:
        assert pid in (0, os.getpid())
        self.said.append("taken")
        self.taken = channel

    def _in_force(self) -> list[ChannelFrame]:
        return [TransitionFrame(transition=EJECTED)]

    def _judge(self, frame: NonceFrame) -> bool:
        return frame.mark == b"fresh"

    async def begin(self) -> None:
        taken = await asyncio.to_thread(take_offer, self.folder, 2)
        os.close(taken.lock)
        taken.admin.close()
        await self.taking.open(taken.link)

    def close(self) -> None:
        self.handing.close()
        self.taking.give_up()
        self._lock.close()
        self._admin.close()


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    on = Bench(folder)
    try:
        yield on
    finally:
        on.close()


async def test_what_is_in_force_goes_along_and_limits_slot_by_slot(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        await on.begin()
        await until(lambda: on.told)
        assert (on.said, on.told) == (["holds"], [EJECTED])
        on.taking.ready(7)
        await until(lambda: on.taken is not None)
        assert on.taken is not None
        for frame in (Buckets(limits=[]), Buckets(limits=[]), Leaving()):
            on.taken.send(frame)
        await on.taking.settled.wait()
        assert on.told == [EJECTED, 0, 1, "handed"]
        assert on.handing.is_taken
        assert on.taking.is_handed
        on.taken.close()
        await until(lambda: on.told[4:] == ["ended"], what="the end of the other one")


async def test_a_nonce_is_judged_where_the_book_is_and_by_nobody_as_fresh_where_that_is_gone(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        await on.begin()
        on.taking.ready(7)
        await until(lambda: on.taken is not None)
        judged: list[bool] = []
        on.handing.ask(NonceFrame(number=1, mark=b"fresh", until=9.0), judged.append)
        on.handing.ask(NonceFrame(number=1, mark=b"known", until=9.0), judged.append)
        await until(lambda: len(judged) == 2)
        assert judged == [True, False]
        on.taking.give_up()
        await until(lambda: on.taken is not None and on.taken.is_closed)
        on.handing.ask(NonceFrame(number=2, mark=b"fresh", until=9.0), judged.append)
        assert judged == [True, False, False]


async def test_one_that_leaves_before_it_serves_changes_nothing_and_another_may_try(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        await on.begin()
        await until(lambda: on.told)
        on.taking.give_up()
        await until(lambda: "goes on" in on.said)
        assert not on.handing.is_taken
        assert not on.taking.is_handed, "neither the book of nonces nor the data folder is ours"
        assert on.told == [EJECTED]
        link = await asyncio.to_thread(take_offer, on.folder, 2)
        assert link.offer.slots == 2
        os.close(link.lock)
        link.admin.close()
        link.link.close()


async def test_who_says_something_else_gets_nothing_and_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        with socket.socket(socket.AF_UNIX) as other:
            other.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(other, str(tmp_path / "run" / SOCKET))
            await loop.sock_sendall(other, b"meshway take over 0\n")
            assert await asyncio.wait_for(loop.sock_recv(other, 100), 10.0) == b""
        assert on.said == [], "it has held no file, and so takes none up again"
        await on.begin()
        await until(lambda: on.told)
        assert on.said == ["holds"]


async def test_one_that_lives_on_has_its_place_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_over, "ENDS_WITHIN_S", 0.1)
    async with bench(tmp_path) as on:
        await on.begin()
        await until(lambda: on.told)
        assert on.handing._channel is not None
        on.handing._channel.close()
        await asyncio.wait_for(on.taking.settled.wait(), 10.0)
        assert (on.taking.is_handed, on.told) == (False, [EJECTED])


async def test_who_does_not_serve_in_time_is_parted_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "SERVES_WITHIN_S", 0.1)
    async with bench(tmp_path) as on:
        await on.begin()
        await until(lambda: "goes on" in on.said)
        assert not on.handing.is_taken


async def test_the_place_of_one_that_was_killed_is_free(tmp_path: Path) -> None:
    name = str(tmp_path / "sock")
    command = [sys.executable, "-c", _ACCEPTS, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as before:
        assert before.stdout is not None
        await asyncio.to_thread(before.stdout.readline)
        link, told = socket.socket(socket.AF_UNIX), list[str]()
        link.connect(name)
        taking = TakingOver(
            lambda _: None,
            lambda _, __: None,
            lambda: told.append("handed"),
            lambda: told.append("ended"),
            lambda _: False,
        )
        await taking.open(link)
        before.kill()
        await asyncio.wait_for(taking.settled.wait(), 10.0)
    assert (taking.is_handed, told) == (True, ["handed", "ended"])
