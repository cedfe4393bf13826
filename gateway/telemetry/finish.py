"""The end of a call: what it adds to counters and histograms, and its line in the access log.

A call leaves three numbers in plain objects; the cells of the mapped file are written every 50 ms, many calls at once,
since touching one mapped cell costs as much as all three. A worker that is killed takes its last 50 ms of numbers along
(docs/guide/observability.md).
"""

from collections.abc import Callable
from typing import Final

from gateway.exchange import EDGE, Exchange
from gateway.telemetry.access_line import outcome_of
from gateway.telemetry.access_log import AccessLog, AddLine
from gateway.telemetry.call_plan import USUAL, CallPlan, has_failed
from gateway.telemetry.counters import CALL, CONSUMER_CALLS, ENDPOINT, HISTOGRAM, Counters, Labels
from gateway.telemetry.recorder import MOST_HEAD, SLOW_S, Recorder
from gateway.telemetry.tap import Tap
from gateway.telemetry.telling import Telling, asks_of_all
from meshway.histogram import bucket_of
from meshway.peer_certificate import METHOD as BY_CERTIFICATE

KEPT: Final = 16_384  # sorts of calls that are remembered; beyond it all are looked up again
MOST_UNWRITTEN: Final = 4_096  # calls of one sort

# The rule's slot, service, instance, listener, status, flag, reason, policy, the service or Consumer that calls, or
# where none does the listener's face: all that calls of one sort have in common.
Sort = tuple[int, str, str, str, int, str, str, str, str | int]
# Refusals are counted by whose word they are as well, by their flag.
REFUSALS: Final = {"RL": "meshway_rate_limited_total", "UAEX": "meshway_auth_denied_total"}


class Tally:
    """What calls of one sort added since the last flush. call, endpoint: first cells of their series, -1: has none.

    others: cells that count each of them as well.

    whole: seconds of calls whose answer came in one piece, to its end and to its first byte alike. parted: of all
    others, (seconds to the end, seconds to the first byte or -1.0). unwritten: calls in both. outcome: their part of
    an access line. add_line: None: these have none. plan: what documents say of telling them. slow_s: from then on
    there is something to tell; 0.0: there is of each; None: nobody is told. failed: they did, which counts against
    the instance. mutual: the caller showed a certificate. source: who called.
    """

    __slots__ = (
        "add_line", "bytes_in", "bytes_out", "call", "endpoint", "failed", "mutual", "others", "outcome",
        "parted", "plan", "repeats", "slow_s", "source", "unwritten", "whole",
    )  # fmt: skip

    def __init__(
        self,
        call: int,
        endpoint: int,
        outcome: bytes,
        others: tuple[int, ...],
        plan: CallPlan,
        add_line: AddLine | None,
        source: str,
        *,
        failed: bool,
        mutual: bool,
        slow_s: float | None,
    ) -> None:
        self.mutual = mutual
        self.call = call
        self.endpoint = endpoint
        self.others = others
        self.outcome = outcome
        self.plan = plan
        self.add_line = add_line
        self.source = source
        self.failed = failed
        self.slow_s = slow_s
        self.whole: list[float] = []
        self.parted: list[tuple[float, float]] = []
        self.unwritten = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.repeats = 0

    def write(self, cells: "memoryview[float]") -> None:
        """Into the cells of the two series; begins anew."""
        whole, self.whole = self.whole, []
        parted, self.parted = self.parted, []
        durations = whole + [seconds for seconds, _ in parted]
        at = self.call
        if at < 0:  # calls that are not counted
            self.unwritten = self.bytes_in = self.bytes_out = self.repeats = 0
            return
        cells[at] += len(durations)
        cells[at + 1] += self.bytes_in
        cells[at + 2] += self.bytes_out
        cells[at + 3] += sum(durations)
        if self.repeats:
            cells[at + 4] += self.repeats
        if self.mutual:
            cells[at + 5] += len(durations)
        together = _by_bucket(whole)  # in both histograms
        _add(cells, at + HISTOGRAM, together)
        if parted:
            _add(cells, at + HISTOGRAM, _by_bucket([seconds for seconds, _ in parted]))
        for at in self.others:
            cells[at] += len(durations)
        at = self.endpoint
        if at >= 0:
            begun = [seconds for _, seconds in parted if seconds >= 0.0]
            cells[at] += len(durations)
            cells[at + 1] += self.repeats
            if self.failed:
                cells[at + 2] += len(durations)
            cells[at + 3] += sum(whole + begun)
            _add(cells, at + HISTOGRAM, together)
            _add(cells, at + HISTOGRAM, _by_bucket(begun))
        self.unwritten = self.bytes_in = self.bytes_out = self.repeats = 0


def _by_bucket(durations: list[float]) -> dict[int, int]:
    """How many are of each: a cell costs as much as ten of them, and most of them are of a few."""
    counts: dict[int, int] = {}
    for seconds in durations:
        bucket = bucket_of(seconds)
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


def _add(cells: "memoryview[float]", at: int, counts: dict[int, int]) -> None:
    """at: the histogram's first cell."""
    for bucket, count in counts.items():
        cells[at + bucket] += count


class Finisher:
    """`finish` is told by the relay of each exchange once, `flush` is called by the worker every 50 ms.

    telling: who is told of single calls; None: nobody is. plan_of: what documents say of telling calls of a sort, by
    one of them.
    """

    __slots__ = ("_counters", "_log", "_plan_of", "_recorder", "_tallies", "_tap", "_telling", "_unwritten")

    def __init__(
        self, counters: Counters, log: AccessLog, recorder: Recorder | None = None, telling: Telling | None = None
    ) -> None:
        self._counters = counters
        self._log = log
        self._recorder = recorder
        self._telling = telling
        self._tap: Tap | None = None
        self._plan_of: Callable[[Exchange], CallPlan] = lambda _: USUAL
        self._tallies: dict[Sort, Tally] = {}
        self._unwritten: list[Tally] = []

    def follow(self, plan_of: Callable[[Exchange], CallPlan]) -> None:
        """Documents say otherwise from now on."""
        self._plan_of = plan_of
        self._tallies.clear()  # those with something unwritten are in the other list, too

    def listen(self, tap: Tap | None) -> None:
        """tap: is told of each call; None: nobody listens any more."""
        self._tap = tap
        self._tallies.clear()

    def finish(self, exchange: Exchange, now: float) -> None:
        """now: the clock's reading at the exchange's end."""
        plan, cluster, endpoint = exchange.plan, exchange.cluster, exchange.endpoint
        principal = exchange.principal
        sort = (
            -1 if plan is None else plan.slot,
            "" if cluster is None else cluster.name,
            "" if endpoint is None else endpoint.id,
            exchange.listener_name,
            exchange.status,
            exchange.flag,
            exchange.reason,
            exchange.policy,
            exchange.listener if principal is None or not principal.counted_as else principal.counted_as,
        )
        try:
            tally = self._tallies[sort]
        except KeyError:
            tally = self._open(sort, exchange)
        unwritten = tally.unwritten
        if not unwritten:
            self._unwritten.append(tally)
        unwritten += 1
        tally.unwritten = unwritten
        started, first_byte = exchange.started, exchange.first_byte
        took_s = now - started
        if first_byte == now:
            tally.whole.append(took_s)
        else:
            tally.parted.append((took_s, first_byte - started if first_byte else -1.0))
        tally.bytes_out += exchange.bytes_out
        if exchange.bytes_in:
            tally.bytes_in += exchange.bytes_in
        if exchange.attempts > 1:
            tally.repeats += exchange.attempts - 1
        add_line = tally.add_line
        if add_line is not None:
            add_line(exchange, now, tally.outcome)
        slow_s = tally.slow_s
        if slow_s is not None and (took_s >= slow_s or (exchange.traceparent and exchange.traceparent[54] & 1)):
            self._tell(exchange, now, tally)
        recorder = self._recorder
        if recorder is not None:
            recorder.seen += 1
            head = exchange.head
            held = head if head.head_size <= MOST_HEAD else None
            recorder.remember((now, started, held, exchange.listener, exchange.peer, exchange.scheme, sort))
            if now >= recorder.due or exchange.status >= 500 or took_s >= SLOW_S:
                recorder.take(exchange, now)
        if unwritten >= MOST_UNWRITTEN:
            self.flush()

    def flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for tally in unwritten:
            tally.write(self._counters.cells)

    def _open(self, sort: Sort, exchange: Exchange) -> Tally:
        if len(self._tallies) >= KEPT:
            self._tallies.clear()  # those with something unwritten are in the other list, too
        slot, service, instance, listener, status, flag, _, policy, _ = sort
        counters = self._counters
        route, rule, track = counters.rules[slot] if slot >= 0 else ("", "", "")
        labels: Labels = (
            ("listener", listener),
            ("route", route),
            ("rule", rule),
            ("source", source_of(exchange)),
            ("service", service),
            ("status_class", status_class_of(status)),
            ("response_flag", flag),
        )
        if track:
            labels = (*labels, ("track", track))
        plan, failed = self._plan_of(exchange), has_failed(status, flag)
        flags = flag.split(",")
        call = endpoint = -1
        others: list[int] = []
        if plan.is_counted:
            call = counters.series(CALL, labels)
            endpoint = counters.series(ENDPOINT, (("service", service), ("instance", instance))) if instance else -1
            others = [counters.counter(name, policy=policy) for code, name in REFUSALS.items() if code in flags]
        if plan.is_counted and (principal := exchange.principal) is not None and principal.consumer:
            others.append(
                counters.counter(
                    CONSUMER_CALLS,
                    consumer=principal.consumer,
                    credential=principal.credential,
                    status_class=status_class_of(status),
                    response_flag=flag,
                )
            )
        slow_s: float | None = None
        if self._tap is not None:
            slow_s = 0.0
        elif self._telling is not None:
            slow_s = 0.0 if failed or asks_of_all(plan) else plan.slow_s
        tally = self._tallies[sort] = Tally(
            call,
            endpoint,
            outcome_of(exchange),
            tuple(others),
            plan,
            self._log.adder(plan.log),
            source_of(exchange),
            failed=failed,
            # By the first of the sort: on one listener a name is proved in one way, as good as always.
            mutual=exchange.principal is not None and exchange.principal.method == BY_CERTIFICATE,
            slow_s=slow_s,
        )
        return tally

    def _tell(self, exchange: Exchange, now: float, tally: Tally) -> None:
        if self._tap is not None:
            self._tap.see(exchange, now, tally.outcome)
        if self._telling is not None:
            self._telling.tell(exchange, now, tally.outcome, tally.plan, tally.source, failed=tally.failed)


def status_class_of(status: int) -> str:
    return f"{status // 100}xx" if status else "none"


def source_of(exchange: Exchange) -> str:
    """The service that calls, `namespace/name`, where it has proved who it is; else `edge` or, inside, `anonymous`."""
    principal = exchange.principal
    if principal is not None and principal.service:
        return f"{principal.namespace}/{principal.service}"
    return "edge" if exchange.listener == EDGE else "anonymous"
