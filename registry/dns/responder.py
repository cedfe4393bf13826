"""A query's answer, from bytes to bytes: authoritative for the zone `mesh`, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.dns.message import (
    ANY,
    IN,
    NOERROR,
    NXDOMAIN,
    REFUSED,
    STREAM_LIMIT,
    TRANSFERS,
    Query,
    answer,
    deny,
    read_query,
    refuse,
    udp_limit,
)
from registry.dns.zone import Zone, holds

if TYPE_CHECKING:
    from collections.abc import Callable

_ONE: Final = (0,)


class Responder:
    """random: 0 to 1, for the order of an answer: clients take the first."""

    def __init__(self, zone: Zone, random: Callable[[], float]) -> None:
        self._zone = zone
        self._random = random

    def over_udp(self, data: bytes) -> bytes | None:
        """None: nothing is sent."""
        query = read_query(data)
        return None if query is None else self._respond(query, udp_limit(query))

    def over_stream(self, data: bytes) -> bytes | None:
        """None: this is no peer to talk to any longer."""
        query = read_query(data)
        return None if query is None else self._respond(query, STREAM_LIMIT)

    def _respond(self, query: Query, limit: int) -> bytes:
        if query.rcode != NOERROR:
            return refuse(query, query.rcode)
        if query.klass not in (IN, ANY) or query.type in TRANSFERS or not holds(query.name):
            return refuse(query, REFUSED)
        found = self._zone.find(query.name, query.type)
        if found is None:
            return deny(query, NXDOMAIN, self._zone.soa())
        count = len(found.records.records)
        if not count:
            return deny(query, NOERROR, self._zone.soa())
        if count == 1:
            return answer(query, found.records, _ONE, limit)
        if found.only_one:
            return answer(query, found.records.one(int(self._random() * count)), _ONE, limit)
        random = self._random
        order = sorted(range(count), key=lambda _: random())
        return answer(query, found.records, order, limit)
