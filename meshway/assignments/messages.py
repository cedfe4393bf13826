"""What a worker asks for, and what it is granted: assignments of calls that it may admit without asking again.

Worker to supervisor in frames of the channel, supervisor to registry as the JSON of POST /v1/assignments. Times in a
message are spans in seconds: no clock is compared with another's.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

# Of one body: with as many budgets it stays below the 1 MiB that frames and requests may have.
MOST_ASKS: Final = 2_000
_MOST: Final = 1 << 40
_LONGEST_S: Final = 32 * 86_400.0

Count = Annotated[int, Meta(ge=0, le=_MOST)]


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one limit allows. id: of the document and the place it counts for; all who share it write the same.

    kind: a `bucket` fills up again; of a `window` each call leaves after window_s, counted in segments; a `period`
    begins anew with each number of `period` and lasts about window_s; of what is `running` as many as there are may run
    at once, and come back when they end. limit: a bucket's burst, or the calls of the others. rate: calls a second in
    the long run. lends: workers may borrow of a bucket (`loan_of`); not where one call may take nearly all of it.
    """

    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    limit: Annotated[int, Meta(ge=1, le=_MOST)]
    rate: Annotated[float, Meta(gt=0, le=float(_MOST))]
    window_s: Annotated[float, Meta(ge=0, le=_LONGEST_S)] = 0.0
    segments: Annotated[int, Meta(ge=1, le=60)] = 1
    kind: Literal["bucket", "window", "period", "running"] = "bucket"
    period: Count = 0
    lends: bool = True


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one worker for one key of one budget.

    budget: its place in the list beside. key: what is counted apart, as a digest. worker: who asks, unique on its host.
    held: of what it was granted before, what it still has and keeps; back: what it gives back, of the grants with this
    mark. The rest of them is spent, or, of what is running, over. want: how many calls it would like; 0: it only gives
    back. least: fewer are of no use, where a call counts for more than 1.
    """

    budget: Count
    key: Annotated[str, Meta(max_length=64)]
    worker: Annotated[str, Meta(min_length=1, max_length=300)]
    want: Count
    held: Count = 0
    back: Count = 0
    mark: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    least: Annotated[int, Meta(ge=1, le=_MOST)] = 1


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """Of one host. workers: that it has. Without asks it asks whether the store is there."""

    node: Annotated[str, Meta(min_length=1, max_length=253)]
    workers: Annotated[int, Meta(ge=0, le=65_535)]
    budgets: Annotated[tuple[Budget, ...], Meta(max_length=MOST_ASKS)] = ()
    asks: Annotated[tuple[Ask, ...], Meta(max_length=MOST_ASKS)] = ()


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """count: calls that may be admitted, with those still held, for keep_s from the asking on; what is left then is
    given back with this mark. Below 0: so many places of running calls are to be given up. left: what others may still
    be granted. reset_s: until all is there again. again_s: not to ask before; 0: there is more. others: of a period,
    what others hold and have not used, as far as they have told.
    """

    count: int
    left: float
    reset_s: float
    again_s: float
    keep_s: float
    mark: int = 0
    others: int = 0


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the asks. workers: live ones of the whole mesh."""

    workers: int
    grants: list[Grant]


def loan_of(budget: Budget, workers: int) -> int:
    """Calls that each worker may admit ahead of its first grant, and pays back from its next ones.

    The store keeps so many back for every worker, so that no key's first call waits for an answer and still no limit is
    exceeded. Small buckets lend nothing, and nothing but buckets does: elsewhere it would be missing for good.
    """
    return budget.limit // (4 * workers) if workers > 0 and budget.kind == "bucket" and budget.lends else 0
