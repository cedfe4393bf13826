"""What outside clients called: by credential, and by day. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from registry.insight.rolling import credential_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshway.telemetry import Row, Rows

DAY_S: Final = 86_400
_LIMITED: Final = "RL"
_DENIED: Final = "UAEX"


class ConsumerCalls(msgspec.Struct, frozen=True, kw_only=True):
    """failed: answered 500 and above, or not at all. limited: refused by a RateLimit; denied: by an AccessPolicy, an
    external check, or because the Consumer is suspended. Who shows a credential that holds no more is nobody, and
    counts for none."""

    calls: int = 0
    failed: int = 0
    limited: int = 0
    denied: int = 0


class CredentialUse(msgspec.Struct, frozen=True, kw_only=True):
    """id: of an API key; of other credentials the method: jwt, basic. last_used: seconds since 1970, to 10 s."""

    id: str
    calls: ConsumerCalls
    last_used: float | None


class ConsumerUse(msgspec.Struct, frozen=True, kw_only=True):
    """calls: in the span. credentials: those that had calls, in the span or before."""

    namespace: str
    name: str
    calls: ConsumerCalls
    last_used: float | None
    credentials: list[CredentialUse]


class ConsumerDay(msgspec.Struct, frozen=True, kw_only=True):
    """begin: of the day in UTC, seconds since 1970."""

    begin: int
    calls: ConsumerCalls


class _Sum:
    __slots__ = ("calls", "denied", "failed", "limited")

    def __init__(self) -> None:
        self.calls = self.failed = self.limited = self.denied = 0

    def add(self, row: Row) -> None:
        flags = row.key[3].split(",")
        self.calls += row.calls
        self.failed += row.failed
        self.limited += row.calls * (_LIMITED in flags)
        self.denied += row.calls * (_DENIED in flags)

    def told(self) -> ConsumerCalls:
        return ConsumerCalls(calls=self.calls, failed=self.failed, limited=self.limited, denied=self.denied)


class Days:
    """Takes rows in the order of time. consumer: `namespace/name`; others' rows are left out. first: of the days."""

    def __init__(self, consumer: str, first: int, count: int) -> None:
        self._consumer, self._first = consumer, first
        self._sums = [_Sum() for _ in range(count)]

    def add(self, at: int, rows: Iterable[Row]) -> None:
        day = (at - self._first) // DAY_S
        if 0 <= day < len(self._sums):
            for row in rows:
                if row.key[0] == self._consumer:
                    self._sums[day].add(row)

    def told(self) -> list[ConsumerDay]:
        return [
            ConsumerDay(begin=self._first + day * DAY_S, calls=of_day.told()) for day, of_day in enumerate(self._sums)
        ]


def uses_of(consumers: Iterable[str], rows: Rows, used: Mapping[tuple[str, str], int]) -> list[ConsumerUse]:
    """consumers: by name, all that are told. used: when what was used last, as the store names it."""
    sums: dict[str, dict[str, _Sum]] = {name: {} for name in sorted(consumers)}
    totals = {name: _Sum() for name in sums}
    for (consumer, credential, *_), row in rows.items():
        if (known := sums.get(consumer)) is not None:
            known.setdefault(credential, _Sum()).add(row)
            totals[consumer].add(row)
    word = credential_used(("", "", "", ""))[0]
    for what, credential in used:
        if what.startswith(word) and (known := sums.get(what.removeprefix(word))) is not None:
            known.setdefault(credential, _Sum())
    return [_use(name, totals[name], of, used) for name, of in sums.items()]


def _use(consumer: str, total: _Sum, sums: dict[str, _Sum], used: Mapping[tuple[str, str], int]) -> ConsumerUse:
    namespace, _, name = consumer.partition("/")
    credentials = [
        CredentialUse(id=each, calls=of.told(), last_used=used.get(credential_used((consumer, each, "", ""))))
        for each, of in sorted(sums.items())
    ]
    last = max((each.last_used for each in credentials if each.last_used is not None), default=None)
    return ConsumerUse(namespace=namespace, name=name, calls=total.told(), last_used=last, credentials=credentials)
