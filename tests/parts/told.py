"""Messages as values, which tests compare."""

from gateway.wire.multiplexed.messages import Allowing, Body, Ended, Event, Head, Interim, Leaving, Request, Trailers

_SAID = {
    Request: ("stream", "fields", "ended", "first"),
    Interim: ("stream", "fields"),
    Head: ("stream", "fields", "ended", "first", "trailers"),
    Body: ("stream", "data", "ended"),
    Trailers: ("stream", "fields"),
    Ended: ("stream", "error"),
    Leaving: ("last", "error"),
    Allowing: ("streams", "connects"),
}


def told(*events: Event) -> list[tuple[object, ...]]:
    """Of each its kind, and what it says."""
    return [(type(event).__name__, *(getattr(event, name) for name in _SAID[type(event)])) for event in events]
