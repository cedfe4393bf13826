from __future__ import annotations

import logging

import pytest

from registry.leases.hold_log import log_holds
from registry.leases.self_preservation import Hold

ALIVE = {("shop", "a"): 20, ("shop", "b"): 4, ("shop", "c"): 3, ("other", "a"): 50}


def hold(zone: str | None, overdue: int, since_s: float = 100.0) -> Hold:
    return Hold(namespace="shop", zone=zone, since_s=since_s, tripped_s=since_s, overdue=overdue)


def told(caplog: pytest.LogCaptureFixture, before: list[Hold], after: list[Hold], now: float) -> list[str]:
    caplog.clear()
    one, other = ({(hold.namespace, hold.zone): hold for hold in holds} for holds in (before, after))
    log_holds(logging.getLogger("test"), "leases", one, other, ALIVE, now, max_s=900.0)
    return [record.message for record in caplog.records]


def test_the_log_says_where_holds_begin_and_end_and_nothing_between(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, [], [hold("a", 9), hold(None, 6)], 100.0) == [
        "self-preservation begins in namespace shop, zone a: leases, 9 of 20, for 900 s at most",
        "self-preservation begins in namespace shop: leases, 6 of 27, for 900 s at most",
    ]
    assert told(caplog, [hold("a", 9)], [hold("a", 12)], 101.0) == []
    assert told(caplog, [hold("a", 2)], [], 130.0) == [
        "self-preservation ends in namespace shop, zone a after 30 s, no more than usual are missing: leases, 2 of 20 "
        "at last"
    ]
    assert told(caplog, [hold("a", 12)], [], 1000.0) == [
        "self-preservation ends in namespace shop, zone a after 900 s, as long as it may last: leases, 12 of 20 at last"
    ]
