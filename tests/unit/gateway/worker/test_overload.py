import time
from pathlib import Path

from gateway.exchange import EDGE, MESH
from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.relay.relay import Relay
from gateway.relay.shedding import DEFAULT, NOTHING, SHEDDABLE, Shedding
from gateway.routing.table import TablesHolder
from gateway.settings import OverloadSettings
from gateway.telemetry.counters import Counters, read_counters
from gateway.upstream.pool import Pool
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.worker.overload import HOLD_S, REFUSED, SHED, STALLED, Overload, give_back, resident_bytes, worst_but_one
from tests.parts.one_route import one_route

MIB = 1 << 20
SETTINGS = OverloadSettings(memory=100 * MIB, lag_soft_s=0.05, lag_hard_s=0.2)


def _no_connector(*_: object) -> None:
    raise AssertionError("nobody connects here")


class Bench:
    def __init__(self, folder: Path, settings: OverloadSettings = SETTINGS) -> None:
        self.now = 0.0
        self.resident = 10 * MIB
        self.used_s = 0.0
        self.busy = 0.9  # of each second
        self.turns: list[bool] = []
        self.closed_idle = self.shrunk = 0
        self.counters = Counters(folder / "w0")
        holder = TablesHolder(one_route(None))
        wheel = TimerWheel(0.0)
        pool = Pool(_no_connector, wheel, time.monotonic)  # type: ignore[arg-type]  # never asked
        relay = Relay(holder, pool, wheel, time.monotonic, lambda exchange, now: None)
        self.places = Places(10, 100)
        self.listeners = [ListenerContext(face, relay, b"meshway-test", places=self.places) for face in (EDGE, MESH)]
        self.shedding = Shedding(holder, lambda: 0.0)
        self.overload = Overload(
            settings, self.shedding, self.listeners, self.counters, 3,
            turn=self.turns.append, close_idle=self._close_idle, shrink=self._shrink, resident=lambda: self.resident,
            used=lambda: self.used_s,
        )  # fmt: skip
        self.second()

    def _shrink(self) -> None:
        self.shrunk += 1

    def _close_idle(self) -> None:
        self.closed_idle += 1

    def second(self, *lags_s: float) -> int:
        """A second passes in which the loop was so late at times. The level that is shed then."""
        for lag_s in (*lags_s, *[0.001] * (100 - len(lags_s))):
            self.now += TICK_S
            self.used_s += self.busy * TICK_S
            self.overload.beat(self.now, lag_s)
        self.now += TICK_S
        self.used_s += self.busy * TICK_S
        self.overload.beat(self.now, 0.001)
        return self.shedding.level

    def told(self) -> dict[str, float]:
        found = {}
        for (_, labels), cells in read_counters(self.counters.path).items():
            pairs = dict(labels)
            found[f"{pairs.pop('__name__')} {' '.join(pairs.values())}"] = cells[0]
        return found


def test_a_late_loop_sheds_by_criticality_and_goes_on_for_some_seconds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.second() == NOTHING
    assert bench.second(0.06, 0.07) == SHEDDABLE
    assert bench.second(0.3, 0.4) == DEFAULT
    began = bench.now
    while bench.second() == DEFAULT:
        assert bench.now < began + 2 * HOLD_S
    assert bench.now >= began + HOLD_S
    assert bench.shedding.level == NOTHING
    assert bench.turns == [True, True, False]


def test_a_worker_that_others_keep_from_running_sheds_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.busy = 0.3
    assert bench.second(0.3, 0.4) == NOTHING
    bench.busy = 0.6
    assert bench.second(0.3, 0.4) == DEFAULT


def test_one_pause_alone_is_no_overload(tmp_path: Path) -> None:
    assert Bench(tmp_path).second(3.0) == NOTHING
    assert worst_but_one([]) == worst_but_one([9.0]) == 0.0
    assert worst_but_one([0.1, 9.0, 0.2]) == 0.2


def test_memory_closes_the_door_then_sheds_and_then_closes_idle_connections(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.resident = 75 * MIB
    assert (bench.second(), bench.places.is_short_of_memory, bench.closed_idle) == (NOTHING, False, 0)
    bench.resident = 76 * MIB
    assert (bench.second(), bench.places.is_short_of_memory, bench.closed_idle) == (SHEDDABLE, True, 0)
    bench.resident = 91 * MIB
    assert (bench.second(), bench.places.is_short_of_memory, bench.closed_idle) == (DEFAULT, True, 1)
    bench.resident = 10 * MIB
    bench.second()
    assert not bench.places.is_short_of_memory
    assert bench.shrunk == 2


def test_nought_is_no_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OverloadSettings(memory=0, lag_soft_s=0.0, lag_hard_s=0.0))
    bench.resident = 1 << 40
    assert bench.second(5.0, 5.0) == NOTHING
    assert not bench.places.is_short_of_memory


def test_what_it_decides_by_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    nought = {name for name, value in bench.told().items() if "total" in name and not value}
    assert {name.partition(" ")[0] for name in nought} == {SHED, REFUSED, STALLED}
    bench.shedding.shed["default"] += 2
    bench.places.refused["memory"] += 1
    bench.listeners[0].cut = 4
    bench.listeners[0].kept_out = 1
    bench.second(0.3, 0.4)
    bench.shedding.shed["default"] += 1
    bench.second(0.3, 0.4)
    assert {name: value for name, value in bench.told().items() if value or "total" not in name} == {
        "meshway_overload_level 3": 2.0,
        "meshway_loop_lag_seconds 3": 0.3,
        "meshway_worker_memory_bytes 3": 10.0 * MIB,
        "meshway_connections edge": 0.0,
        "meshway_connections mesh": 0.0,
        "meshway_addresses_kept_out edge": 1.0,
        "meshway_addresses_kept_out mesh": 0.0,
        "meshway_connections_stalled_total edge": 4.0,
        "meshway_shed_total default": 3.0,
        "meshway_connections_refused_total memory": 1.0,
    }


def test_what_was_needed_for_a_moment_is_the_systems_again_within_a_minute(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    blocks = [b"x" * (MIB >> 4) for _ in range(128)]
    full, last = resident_bytes(), blocks.pop()
    blocks.clear()
    assert resident_bytes() > full - MIB, "the C library holds it, since the last block lies at the heap's end"
    for _ in range(61):
        bench.second()
    assert resident_bytes() < full - 6 * MIB
    assert last


def test_the_memory_of_this_process_is_known_here() -> None:
    assert 5 * MIB < resident_bytes() < 1 << 40
    give_back()
