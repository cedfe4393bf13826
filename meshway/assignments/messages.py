"""What a worker asks for, and what it is granted: assignments of calls that it may admit without asking again.

Worker to supervisor in frames of the channel, supervisor to registry as the JSON of POST /v1/assignments. Times in a
message are spans in seconds: no clock is compared with another's.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

# Of one body: with as many budgets it stays below the 1 MiB that frames and requests may have.
MOST_ASKS: Final = 2_000
_MOST: Final = 1 << 40

Count = Annotated[int, Meta(ge=0, le=_MOST)]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What one limit allows. id: of the document and the place it counts for; all who share it write the same.

    limit: a bucket's burst, or the calls of a window. rate: calls a second in the long run. segments: of the window;
    0: it is a bucket.
    """

    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    limit: Annotated[int, Meta(ge=1, le=_MOST)]
    rate: Annotated[float, Meta(gt=0, le=float(_MOST))]
    window_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    segments: Annotated[int, Meta(ge=0, le=60)] = 0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Of one worker for one key of one budget.

    budget: its place in the list beside. key: what is counted apart, as a digest. worker: who asks, unique on its host.
    held: of what it was granted before, what it still has and keeps; back: what it gives back, of the grants with this
    mark. The rest of them is spent. want: how many calls it would like; 0: it only gives back.
    """

    budget: Count
    key: Annotated[str, Meta(max_length=64)]
    worker: Annotated[str, Meta(min_length=1, max_length=300)]
    want: Count
    held: Count = 0
    back: Count = 0
    mark: Annotated[int, Meta(ge=0, le=1 << 53)] = 0


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """Of one host. workers: that it has. Without asks it asks whether the store is there."""

    node: Annotated[str, Meta(min_length=1, max_length=253)]
    workers: Annotated[int, Meta(ge=0, le=65_535)]
    budgets: Annotated[tuple[Budget, ...], Meta(max_length=MOST_ASKS)] = ()
    asks: Annotated[tuple[Ask, ...], Meta(max_length=MOST_ASKS)] = ()


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """count: calls that may be admitted, with those still held, for keep_s from the asking on; what is left then is
    given back with this mark. left: what others may still be granted. reset_s: until all is there again. again_s: not
    to ask before; 0: there is more.
    """

    count: int
    left: float
    reset_s: float
    again_s: float
    keep_s: float
    mark: int = 0


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the asks. workers: live ones of the whole mesh."""

    workers: int
    grants: list[Grant]


def loan_of(budget: Budget, workers: int) -> int:
    """Calls that each worker may admit ahead of its first grant, and pays back from its next ones.

    The store keeps so many back for every worker, so that no key's first call waits for an answer and still no limit is
    exceeded. Small buckets lend nothing, and windows neither: there it would be missing from every window.
    """
    return budget.limit // (4 * workers) if workers > 0 and not budget.segments else 0
