"""What stays critical is taken out when it asked for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from meshway.problem import Problem
from registry.catalog.registering import Announce, RemoveCritical
from registry.compat.consul.attributes import KEY, Attributes, attributes_text
from registry.compat.consul.removal import SHORTEST_S, Removal
from registry.compat.consul.updates import failing, passing
from tests.parts.clock import ManualClock
from tests.parts.registry_bench import Bench

if TYPE_CHECKING:
    from registry.compat.consul.updates import Judge

BOOKS = ("default", "books", "b1")


class Store(Bench):
    """The catalogue's one call that Removal makes."""

    is_down = False

    def remove_critical(self, key: tuple[str, str, str], number: int) -> asyncio.Future[bool]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.is_down:
            future.set_exception(Problem(503, "store_unavailable", "No"))
        else:
            future.set_result(self.commit(RemoveCritical(key, number)))
        return future

    def now(self, judge: Judge) -> None:
        self.commit(Announce(BOOKS, judge, self.renewed.append))


def _opened(deregister_s: int) -> tuple[Store, ManualClock, Removal]:
    store, clock = Store(), ManualClock()
    store.register("books", "b1", metadata={KEY: attributes_text(Attributes(check="ttl", deregister_s=deregister_s))})
    return store, clock, Removal(store.view, store, clock)  # type: ignore[arg-type]


async def test_it_goes_once_it_was_critical_long_enough_without_a_break() -> None:
    store, clock, removal = _opened(90)
    store.now(failing(BOOKS, ""))
    clock.advance(89)
    await removal.remove()
    store.now(passing(BOOKS))
    store.now(failing(BOOKS, ""))
    clock.advance(89)
    await removal.remove()
    assert store.view.instance(BOOKS) is not None
    clock.advance(1)
    store.is_down = True
    await removal.remove()
    assert store.view.instance(BOOKS) is not None
    store.is_down = False
    await removal.remove()
    assert store.view.instance(BOOKS) is None


async def test_the_shortest_time_is_consul_s_and_without_one_it_stays() -> None:
    store, clock, removal = _opened(1)
    store.now(failing(BOOKS, ""))
    clock.advance(SHORTEST_S - 1)
    await removal.remove()
    assert store.view.instance(BOOKS) is not None
    clock.advance(1)
    await removal.remove()
    assert store.view.instance(BOOKS) is None
    store, clock, removal = _opened(0)
    store.now(failing(BOOKS, ""))
    clock.advance(10_000)
    await removal.remove()
    assert store.view.instance(BOOKS) is not None
