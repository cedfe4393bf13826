"""A watcher resumes behind the last whole revision, and starts over where it cannot."""

from httpx_sse import ServerSentEvent

from meshway.client.keeper import FIRST_RETRY_S
from meshway.client.watching import Position

CHANGE = '{"revision": 7, "changes": [{"op": "put", "kind": "Instance", "namespace": "a", "name": "b/c", "value": {}}]}'


def position(since: int | None = None) -> Position:
    return Position("Instance", None, None, since)


def test_a_delta_is_read_and_resumed_behind() -> None:
    at = position(3)
    event = at.read(ServerSentEvent("delta", CHANGE, "7"))
    assert event is not None
    assert (event.type, event.revision, event.changes[0].name) == ("delta", 7, "b/c")
    assert at.params() == {"kind": "Instance", "since": "7"}
    assert at.again() is None


def test_a_snapshot_that_broke_off_is_taken_anew_and_the_caller_forgets_the_parts() -> None:
    at = position()
    assert at.again() is None
    assert at.read(ServerSentEvent("snapshot", CHANGE, "7")) is not None
    assert "since" not in at.params()
    forget = at.again()
    assert forget is not None
    assert forget.type == "reset"


def test_the_head_moves_a_watcher_on_that_sees_no_changes() -> None:
    at = position()
    at.read(ServerSentEvent("snapshot", CHANGE, "7"))
    assert at.read(ServerSentEvent("message", "", "9")) is None
    assert at.params()["since"] == "9"


def test_after_a_reset_everything_is_asked_for() -> None:
    at = position(3)
    event = at.read(ServerSentEvent("reset", '{"reason": "compacted"}', "7"))
    assert event is not None
    assert event.type == "reset"
    assert "since" not in at.params()


def test_events_of_a_later_version_are_skipped() -> None:
    assert position().read(ServerSentEvent("weather", "{}", "")) is None


def test_of_several_registries_each_is_tried_soon_before_the_waits_grow() -> None:
    at = Position(None, None, None, None, registries=3)
    waits_s = [at.wait_s() for _ in range(6)]
    assert max(waits_s[:3]) <= FIRST_RETRY_S
    assert waits_s[3] > FIRST_RETRY_S - 0.001
    assert waits_s[5] > 2.0 * FIRST_RETRY_S
