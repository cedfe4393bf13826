"""The thread that keeps the registrations of a program without an event loop."""

import threading

from meshway.client.background import Background
from meshway.client.registration import Held, describe
from meshway.client.registry import Registry
from meshway.client.settings import MeshSettings

AWAY = MeshSettings(registry="http://127.0.0.1:1")


def keepers() -> int:
    return sum(thread.name == "meshway" for thread in threading.enumerate())


def test_threads_that_register_at_the_same_time_share_one_keeper() -> None:
    background, before = Background(AWAY, Registry(AWAY)), keepers()
    together = threading.Barrier(8)
    kept = []

    def register(port: int) -> None:
        together.wait()
        kept.append(background.keep(describe(AWAY, "many", port)))

    threads = [threading.Thread(target=register, args=(40_000 + at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert keepers() - before == 1
    assert len(kept) == 8
    for me in kept:
        background.end(me)


def test_a_keeper_that_does_not_answer_lets_the_program_end() -> None:
    background = Background(AWAY, Registry(AWAY))
    me = background.keep(describe(AWAY, "stuck", 40_100))
    held, stuck = Held(describe(AWAY, "stuck", 40_101)), threading.Event()
    assert background._loop is not None
    background._loop.call_soon_threadsafe(stuck.wait, 5.0)
    try:
        assert background.leave(held) is False
        background.forget(held)
    finally:
        stuck.set()
    background.end(me)
