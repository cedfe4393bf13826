"""What breaks below a connection is told, and counted where it comes too often to be told."""

import pytest

from gateway.wire.http3.faults import LINES_EVERY_S, Faults
from tests.parts.clock import ManualClock


def test_a_flood_of_faults_is_a_line_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    faults = Faults(clock)
    for _ in range(1_000):
        faults.tell("a connection is ended", ValueError("by a caller"))
    assert [record.getMessage() for record in caplog.records] == ["a connection is ended, ValueError"]
    assert faults.untold == 999
    clock.now_s += LINES_EVERY_S
    faults.tell("a connection is ended", KeyError(1))
    assert caplog.records[-1].getMessage() == "a connection is ended, KeyError (and 999 others since the last line)"
    assert (len(caplog.records), faults.untold) == (2, 0)
