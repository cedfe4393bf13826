"""A table of a prime size that endpoints fill by turns, each in an order of its own (Eisenbud et al., NSDI 2016, §3.4).

A pick is one look-up. Shares differ by a hundredth with a hundred places an endpoint, and one that leaves moves little
beyond its own calls. A large table takes tens of milliseconds to fill.
"""

from typing import Final

from gateway.balancing.bounded_load import Admits, Bound
from gateway.balancing.hash_key import HashOf
from gateway.balancing.hash_members import Aside, Laid, Members
from gateway.balancing.pick import Pick
from gateway.balancing.stable_hash import stable_hashes
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

PLACES: Final = 100  # an endpoint
# Few sizes, for a table of another size places nearly every caller anew.
SIZES: Final = (1_009, 8_191, 65_537)
AT_ONCE: Final = SIZES[0]  # is filled in about a millisecond

Table = list[Endpoint]


def table_size(endpoints: int) -> int:
    """The first size with a hundred places an endpoint, else the largest."""
    return next((size for size in SIZES if size >= PLACES * endpoints), SIZES[-1])


def fill(members: Members, size: int) -> Table:
    """The table. size: a prime. Heavier endpoints have more turns: in each round the one with the largest weight has
    one, the others their share of one."""
    endpoints, weights = members.endpoints, members.weights
    heaviest = max(weights)
    orders = [_order(endpoint, size) for endpoint in endpoints]
    owners = [-1] * size
    turns = [(at, weight / heaviest) for at, weight in enumerate(weights)]
    credit = [0.0] * len(endpoints)
    left = size
    while True:
        for at, share in turns:
            credit[at] += share
            if credit[at] < 1.0 - 1e-9:
                continue
            credit[at] -= 1.0
            place, skip = orders[at]
            while owners[place] >= 0:
                place = (place + skip) % size
            owners[place] = at
            orders[at] = ((place + skip) % size, skip)
            left -= 1
            if not left:
                return [endpoints[owner] for owner in owners]


def _order(endpoint: Endpoint, size: int) -> tuple[int, int]:
    """First place and step; a step below a prime size meets every place."""
    offset, skip, *_ = stable_hashes("/".join(endpoint.key).encode())
    return offset % size, skip % (size - 1) + 1


class Maglev:
    """size: of the table, a prime; 0: by the number of endpoints."""

    __slots__ = ("_bound", "_hash_of", "_laid", "_size")

    def __init__(self, hash_of: HashOf, size: int, max_load_factor: float, aside: Aside) -> None:
        self._hash_of = hash_of
        self._size = size
        self._bound = Bound(max_load_factor)
        self._laid = Laid[Table]([], fill, AT_ONCE, aside)

    def __call__(self, eligible: Eligible) -> Pick:
        laid, hash_of = self._laid, self._hash_of
        laid.lay_for(eligible, lambda count: self._size or table_size(count))
        serves, admits = frozenset(eligible.endpoints), self._bound.over(eligible)

        def pick(exchange: Exchange) -> Endpoint:
            key = hash_of(exchange)
            table = laid.places
            first = table[key % len(table)]
            if first in serves and (admits is None or admits(first)):
                return first
            return _next(table, key, eligible.endpoints, serves, admits)

        return pick


def _next(
    table: Table, key: int, endpoints: tuple[Endpoint, ...], serves: frozenset[Endpoint], admits: Admits | None
) -> Endpoint:
    """Where the table's endpoint cannot take the call: on through the table by a step of the key's own."""
    size = len(table)
    place, step = key % size, key // size % (size - 1) + 1 if size > 1 else 1
    allowed: Endpoint | None = None
    for _ in range(size):
        place = (place + step) % size
        endpoint = table[place]
        if endpoint in serves:
            if admits is None or admits(endpoint):
                return endpoint
            allowed = allowed or endpoint
    return allowed or endpoints[key % len(endpoints)]
