"""What all calls of a worker share: tables, pool, timers, clock, and what is done at the end of each."""

from collections.abc import Callable
from random import random as uniform

from gateway.exchange import Exchange
from gateway.relay.deadline import TimerWheel
from gateway.relay.shedding import Shedding
from gateway.relay.tunnel import Tunnels
from gateway.routing.table import TablesHolder
from gateway.upstream.pool import Pool


class Relay:
    """Built once a worker; a call (call.py) carries one exchange with it.

    now: monotonic seconds. finish: told of each exchange exactly once, when it is over, with the clock's reading.
    random: uniform in [0, 1), for backoff and shares. mirrored: copies of calls that have no answer yet. holder: what
    calls are matched by; while the worker sheds, that is a `Shedding`. sample: decides anew whether a matched call's
    trace is sampled; None: no document says otherwise. tunnels: what runs after an upgrade. carried: what newer tables
    judge (`TablesHolder`).
    """

    __slots__ = ("carried", "finish", "holder", "mirrored", "now", "pool", "random", "sample", "tunnels", "wheel")

    def __init__(
        self,
        tables: TablesHolder | Shedding,
        pool: Pool,
        wheel: TimerWheel,
        now: Callable[[], float],
        finish: Callable[[Exchange, float], None],
        random: Callable[[], float] = uniform,
    ) -> None:
        self.holder = tables
        self.carried = tables.carried
        self.pool = pool
        self.wheel = wheel
        self.now = now
        self.finish = finish
        self.random = random
        self.mirrored = 0
        self.tunnels = Tunnels()
        self.sample: Callable[[Exchange], None] | None = None
