"""What `make bench` measures, in the order of RESULTS.md: a line a section, each with its way to be measured."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from loadtest import (
    beside_spring,
    cached,
    everything_on,
    http2,
    http3,
    many_routes,
    memory,
    p99_at_load,
    profiles,
    tcp,
    tls,
    two_workers,
    udp,
    under_change,
    websocket,
)
from loadtest.comparison import Profile
from loadtest.micro import policies
from loadtest.peers import RoutesBy

Measure = Callable[[int, int], str]
"""Of so many rounds, of so many seconds a run: text of its section, with a line for each target (targets.py)."""


@dataclass(frozen=True)
class Section:
    """name: its heading, and its word for --only. what: one line for people. rounds, seconds: of a whole run. runs: how
    many runs there are in a round. fixed_s: what it takes besides, on two quiet cores: starts, warming up."""

    name: str
    what: str
    measure: Measure
    runs: int
    fixed_s: int
    rounds: int = 5
    seconds: int = 2

    def takes_s(self, rounds: int | None = None, seconds: int | None = None) -> float:
        return self.fixed_s + (rounds or self.rounds) * self.runs * (seconds or self.seconds)


_ALL: Final = ("interpreted", *profiles.PROXIES, "floor")
_BOTH: Final = ("interpreted", *profiles.PROXIES)


def _compared(profile: Profile, what: str, others: tuple[str, ...] = profiles.PROXIES) -> Section:
    measure = partial(_compare, profile, others)
    return Section(profile.name, what, measure, runs=len(others) + 1, fixed_s=20)


def _compare(profile: Profile, others: tuple[str, ...], rounds: int, seconds: int) -> str:
    return profiles.compare(profile, rounds, seconds, others)


def _routes(by: RoutesBy, name: str, what: str, runs: int) -> Section:
    return Section(name, what, partial(many_routes.compare, by), runs=runs, fixed_s=20)


SECTIONS: Final = (
    _compared(profiles.BARE_GET, "the same short GET again and again on 64 kept connections", _ALL),
    _compared(profiles.BARE_UNIQUE, "8 usual fields, each call with another path, id and trace", _BOTH),
    _compared(profiles.FULL, "limit, retries, ejection, header changes, JSON access log, on all of them", _BOTH),
    Section("Spring Cloud Gateway", "bare get, bare unique and full beside it", beside_spring.section, 6, 110),
    _compared(profiles.POST, "a body up"),
    _compared(profiles.LARGE, "a body down"),
    _compared(profiles.NEW, "TCP opened for each call"),
    _routes("prefix", "10,000 routes", "by prefix, beside one route and Envoy's list of as many", 3),
    _routes("template", "10,000 routes by template", "beside one route", 2),
    _routes("regex", "10,000 routes by expression", "beside one route", 2),
    Section("while 10,000 routes are applied", "p99 before and meanwhile", under_change.section, 2, 12, 1, 10),
    Section("everything on", "access log and traces, against neither", everything_on.section, 2, 12),
    Section("each policy", "what it adds to our own code, on minus off", policies.section, 3, 5, 9, 1),
    Section("TLS on a kept connection", "beside plain, and with a certificate of the caller", tls.section, 3, 20),
    Section("HTTP/2 and gRPC", "to services of HTTP/1.1 and of HTTP/2, and unary calls", http2.section, 15, 40),
    Section("HTTP/3", "beside HTTP/2, both by TLS", http3.section, 2, 20),
    Section("WebSocket", "a message there and back, beside nginx and HAProxy", websocket.section, 4, 20),
    Section("TCP", "echoes, bulk and silent connections, beside HAProxy", tcp.section, 4, 40),
    Section("UDP", "a question and its answer, beside nginx", udp.section, 2, 15),
    Section("cached", "from the store and past it, beside nginx", cached.section, 8, 20, 5, 1),
    Section("memory", "of 10,000 routes and 1,000 services, of idle connections", memory.section, 1, 0, 2, 30),
    Section("p99 at 70 % load", "open loop, beside Envoy", p99_at_load.section, 4, 15, 5, 3),
    Section(
        "two workers",
        "two cores with everything on each against one, beside nginx and Envoy",
        two_workers.section,
        11,
        33,
        5,
        1,
    ),
)
NAMES: Final = tuple(section.name for section in SECTIONS)
