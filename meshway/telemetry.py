"""Numbers that gateways report of their calls (POST /v1/telemetry), and how they are added up.

A report says what came since the one before: per caller and service, per Route and outcome, per instance, of Consumers
(whose rows have no durations) per credential and outcome, and per track of rules that have some. Durations are
log-linear histograms (meshway/histogram.py) of which only the buckets that hold something are said, so that any
percentile over any span and any number of gateways is had by adding.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from meshway.histogram import BUCKETS, middle

PATH: Final = "/v1/telemetry"
# Of one report: what the registry reads without holding others up.
MOST_ROWS: Final = 2_000
# How long a gateway keeps what it could not report.
KEPT_S: Final = 600.0

# The parts of keys, by section.
EDGES: Final = "edges"  # source, service
ROUTES: Final = "routes"  # route, rule, service, status class, response flag
INSTANCES: Final = "instances"  # service, instance
CONSUMERS: Final = "consumers"  # Consumer, credential, status class, response flag
TRACKS: Final = "tracks"  # route, rule, track: of destinations that are counted apart
KEY_PARTS: Final = {EDGES: 2, ROUTES: 5, INSTANCES: 2, CONSUMERS: 4, TRACKS: 3}

NO_NUL: Final = r"^[^\x00]*$"

Key = tuple[str, ...]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(max_length=600)]


class Row(msgspec.Struct, array_like=True, gc=False):
    """Calls of one sort. key: as the section says. failed: answered 500 and above, or not at all; rejected: 400 to 499.

    retries: attempts after the first. bytes_in, bytes_out: of bodies. seconds: of all calls together. buckets: calls by
    bucket of meshway/histogram.py; of an instance's those that had a first byte, and until then. limited: refused by a
    RateLimit; shed: by a breaker or a bulkhead; mutual: by callers that showed a certificate. An older gateway tells of
    none of the three.
    """

    key: tuple[Name, ...]
    calls: Count = 0
    failed: Count = 0
    rejected: Count = 0
    retries: Count = 0
    bytes_in: Count = 0
    bytes_out: Count = 0
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    buckets: dict[Annotated[int, Meta(ge=0, lt=BUCKETS)], Count] = {}
    limited: Count = 0
    shed: Count = 0
    mutual: Count = 0

    def add(self, other: "Row") -> None:
        """The key stays."""
        self.calls += other.calls
        self.failed += other.failed
        self.rejected += other.rejected
        self.retries += other.retries
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.seconds += other.seconds
        self.limited += other.limited
        self.shed += other.shed
        self.mutual += other.mutual
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count

    def take_away(self, other: "Row") -> None:
        """What was added before."""
        self.calls -= other.calls
        self.failed -= other.failed
        self.rejected -= other.rejected
        self.retries -= other.retries
        self.bytes_in -= other.bytes_in
        self.bytes_out -= other.bytes_out
        # Seconds are no whole numbers: what is left of none is not to be below.
        self.seconds = max(0.0, self.seconds - other.seconds)
        self.limited -= other.limited
        self.shed -= other.shed
        self.mutual -= other.mutual
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            if left := buckets[bucket] - count:
                buckets[bucket] = left
            else:
                del buckets[bucket]

    def copied(self, key: Key) -> "Row":
        """Under another key, to be added to."""
        return Row(
            key,
            self.calls,
            self.failed,
            self.rejected,
            self.retries,
            self.bytes_in,
            self.bytes_out,
            self.seconds,
            self.buckets.copy(),
            self.limited,
            self.shed,
            self.mutual,
        )

    def quantile_s(self, share: float) -> float:
        """Seconds that `share` (0 to 1) of the calls took at most, within 4 %; 0.0 where none was measured."""
        return self.quantiles_s((share,))[0]

    def quantiles_s(self, shares: Sequence[float]) -> list[float]:
        """As `quantile_s`, of several shares, ascending: as meshway/histogram.py has it, over what holds something."""
        buckets = self.buckets
        if not buckets:
            return [0.0] * len(shares)
        total, seen, found = sum(buckets.values()), 0, []
        wanted = shares[0] * total
        for bucket in sorted(buckets):
            seen += buckets[bucket]
            while seen >= wanted:
                found.append(middle(bucket))
                if len(found) == len(shares):
                    return found
                wanted = shares[len(found)] * total
        raise AssertionError("no share is above 1")


Rows = dict[Key, Row]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """A report. boot: of the process that counts, anew at its start; sequence: of its reports, from 1 on. begun, ended:
    of the span, seconds since 1970 by the gateway's clock. Unknown fields are left alone: a newer gateway says more.
    """

    node: Annotated[str, Meta(min_length=1, max_length=253, pattern=NO_NUL)]
    boot: Annotated[str, Meta(min_length=8, max_length=64, pattern=NO_NUL)]
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    begun: Annotated[float, Meta(ge=0, le=1e11)]
    ended: Annotated[float, Meta(ge=0, le=1e11)]
    edges: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)] = ()
    routes: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)] = ()
    instances: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)] = ()
    consumers: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)] = ()
    tracks: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)] = ()

    def bad_key(self) -> str:
        """The path of a row whose key has not the parts of its section, or a NUL, which no database keeps; "": none."""
        for section, parts in KEY_PARTS.items():
            for at, row in enumerate(getattr(self, section)):
                if len(row.key) != parts or "\0" in "".join(row.key):
                    return f"{section}[{at}][0]"
        return ""


def add_row(rows: Rows, row: Row) -> None:
    """The row itself stays as it is."""
    known = rows.get(row.key)
    if known is None:
        rows[row.key] = row.copied(row.key)
    else:
        known.add(row)


def summed(rows: Iterable[Row]) -> Row:
    """All of them as one, without a key."""
    total = Row(())
    for row in rows:
        total.add(row)
    return total
