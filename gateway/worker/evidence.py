"""Which instances gave good answers: evidence of life that the registry takes in place of heartbeats.

Nothing is counted for it on the way of a call: outlier detection counts already, and where it is switched off a plain
number does. The endpoints are looked over in slices. A round takes half a second, so with a report each two seconds
the shortest lease (3 s) is renewed in time; with many endpoints up to two seconds, so that no slice holds the loop.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from gateway.routing.table import Tables

if TYPE_CHECKING:
    from gateway.upstream.endpoint import Endpoint

MIN_BEATS: Final = 10  # of 50 ms
MAX_BEATS: Final = 40
PER_SLICE: Final = 1_000
MOST_NAMED: Final = 2_000  # in one frame of the channel
InstanceKey = tuple[str, str, str]


class Evidence:
    """tell: gets namespace, service and id of each instance that answered."""

    def __init__(self, tell: Callable[[list[InstanceKey]], None]) -> None:
        self._tell = tell
        self._beats_left = 0
        self._slice = 1
        self._rest: Iterator[Endpoint] = iter(())

    def beat(self, tables: Tables) -> None:
        """The next slice; what a table swap brings is seen in the next round."""
        if not self._beats_left:
            count = len(tables.endpoints)
            self._beats_left = min(max(count // PER_SLICE, MIN_BEATS), MAX_BEATS)
            self._slice = count // self._beats_left + 1
            self._rest = iter(tables.endpoints.values())
        self._beats_left -= 1
        found: dict[InstanceKey, None] = {}
        for endpoint in islice(self._rest, self._slice):
            answers = good_answers(endpoint)
            if answers != endpoint.answers_told:
                endpoint.answers_told = answers
                namespace, service, _ = endpoint.key
                found[(namespace, service, endpoint.registered_id)] = None
        named = list(found)
        for at in range(0, len(named), MOST_NAMED):
            self._tell(named[at : at + MOST_NAMED])


def good_answers(endpoint: "Endpoint") -> int:
    """All so far that were no failure of the server."""
    record = endpoint.outlier
    return endpoint.answers if record is None else endpoint.answers + record.window.total - record.window.failed
