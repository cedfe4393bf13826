"""What documents say of telling a call: its line in the access log, what the registry keeps, its trace.

Compiled by gateway/compiler/telling.py; looked up once for calls of one sort (telemetry/finish.py).
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.exchange import Exchange
from gateway.telemetry.log_sink import SinkPlace

WHOLE: Final = 65_536  # a share of calls as a number below which 16 random bits lie
# Response flags of calls without an answer that are no doing of their caller's, nor a refusal.
_UNANSWERED: Final = frozenset({"UH", "UF", "UC", "UT", "UPE", "DT", "SI", "UO", "OM"})
# Of answers that the service broke off. With an answer SI and DT are the usual end of a conversation or connection.
_BROKEN_OFF: Final = frozenset({"UC", "UT", "UPE"})
Read = Callable[[Exchange], bytes | None]


@dataclass(slots=True, frozen=True)
class LogPlan:
    """A line by a document. is_wanted: whether the call has one; its end is told; None: each has. added: names, and
    where their values are from. masks: RE2 expressions. sinks: () = the gateway's own. buffer: bytes. is_off: no
    call has a line."""

    is_wanted: Callable[[Exchange, float], bool] | None = None
    added: Sequence[tuple[str, Read]] = ()
    dropped: frozenset[str] = frozenset()
    is_combined: bool = False
    query: str = "drop"
    address: str = "full"
    masks: Sequence["re.Pattern[bytes] | Any"] = ()
    sinks: Sequence[SinkPlace] = ()
    buffer: int = 4 << 20
    is_off: bool = False


@dataclass(slots=True, frozen=True)
class KeepPlan:
    """What the registry gets. errors, rest: shares of WHOLE. slow_s: from then on all."""

    errors: int = WHOLE
    slow_s: float = 1.0
    rest: int = WHOLE // 100


@dataclass(slots=True, frozen=True)
class TracePlan:
    """head: share of WHOLE. per_second: of the gateway. errors: failed calls are traced. trusts: whose sampled flag
    counts, `mesh all none`."""

    head: int = WHOLE // 100
    per_second: int = 100
    errors: bool = True
    slow_s: float = 1.0
    trusts: str = "mesh"
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class CallPlan:
    """log None: as the gateway was started. is_counted: in metrics."""

    log: LogPlan | None = None
    keep: KeepPlan = KeepPlan()
    trace: TracePlan = TracePlan()
    is_counted: bool = True

    @property
    def slow_s(self) -> float:
        """From then on there is something to tell."""
        return min(self.keep.slow_s, self.trace.slow_s)


USUAL: Final = CallPlan()
# What MeshSettings turn off.
NO_LOG: Final = LogPlan(is_off=True)
NOTHING_KEPT: Final = KeepPlan(errors=0, slow_s=math.inf, rest=0)
UNTRACED: Final = TracePlan(head=0, per_second=0, errors=False, slow_s=math.inf, trusts="none")


def share_of(percent: float) -> int:
    return round(percent * WHOLE / 100.0)


def has_failed(status: int, flag: str) -> bool:
    """Of a call that is over; in the numbers, in what is kept of single calls and in traces alike.

    status: 0: nobody got an answer. Of the caller's leaving, a refusal, what he asked for wrongly and what a drain cut
    nobody is told as of a failure.
    """
    if status >= 500:
        return True
    return bool(flag) and not (_BROKEN_OFF if status else _UNANSWERED).isdisjoint(flag.split(","))
