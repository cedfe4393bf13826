"""What is followed as it happens, for the API's description: changes, the feed, open pages, calls."""

from __future__ import annotations

from typing import Any, Final

from registry.machine import live, tap
from registry.machine.schemas import A_PROBLEM, LABEL, STREAM, WHOLE
from registry.manners.openapi import Operation, Parameter

_EVENTS: Final = "text/event-stream"
_FRAMES: Final = "application/x-meshway-feed"
_SINCE: Final = Parameter(
    name="since", about="Go on after this revision; without it a snapshot comes first.", schema=WHOLE
)
_GO_ON: Final = Parameter(name="Last-Event-ID", about="As since.", place="header")
_FILTERS: Final = tuple(
    Parameter(name=name, about=f"Only entries of this {name}.", schema=LABEL if name != "kind" else STREAM)
    for name in ("namespace", "kind", "service")
)


def stream_operations() -> list[Operation]:
    return [
        _get(
            "watch",
            "/v1/watch",
            "following",
            "Changes as server-sent events: snapshot, delta, reset; `id:` is the revision.",
            right="documents:read",
            by_rows=True,
            parameters=(_SINCE, *_FILTERS, _GO_ON),
            answers={200: STREAM, 503: A_PROBLEM},
            produces=_EVENTS,
        ),
        _get(
            "readLive",
            live.PATH,
            "following",
            "What an open page shows, as server-sent events: revisions, signals, alerts, rollouts, gateways.",
            right="signed_in",
            detail="`revisions` names what changed, `id:` is the revision: Last-Event-ID goes on, or gets `reset`. "
            "`signals` and `gateways` bear the answers of GET /v1/insight/services and /v1/gateways when they changed; "
            "`alerts` and `rollouts` the namespaces where there is something new; `head` comes every 15 s.",
            parameters=(
                Parameter(name="topics", about="Some of them, by commas; without it all that may be read."),
                Parameter(name="namespace", about="Only of this one; `gateways` are the mesh's.", schema=LABEL),
                Parameter(name="services", about="Signals of these alone, `namespace/name` by commas."),
                Parameter(
                    name="window_s",
                    about="Of signals, up to now: 900.",
                    schema={"type": "integer", "minimum": 10, "maximum": live.LONGEST_S},
                ),
                _SINCE,
                _GO_ON,
            ),
            answers={200: STREAM, 503: A_PROBLEM},
            produces=_EVENTS,
        ),
        _get(
            "followFeed",
            "/v1/feed",
            "following",
            "What gateways follow: length-prefixed msgpack frames.",
            right="feed:read",
            parameters=(
                _SINCE,
                Parameter(name="epoch", about="The history `since` belongs to."),
                Parameter(name="node", about="Who follows."),
            ),
            answers={200: {"type": "string", "contentMediaType": _FRAMES}, 503: A_PROBLEM},
            produces=_FRAMES,
        ),
        _get(
            "tapRequests",
            tap.PATH,
            "calls",
            "Calls as they end, of all gateways, as server-sent events: at most 200 a second, the rest counted.",
            right="metrics:read",
            by_rows=True,
            parameters=(
                Parameter(name="filter", about="As of GET /v1/requests."),
                Parameter(name="sample", about="Percent.", schema={"type": "integer", "minimum": 1, "maximum": 100}),
            ),
            answers={200: {"type": "string"}},
            produces=_EVENTS,
        ),
    ]


def _get(name: str, path: str, tag: str, about: str, **more: Any) -> Operation:
    return Operation(method="GET", path=path, id=name, tag=tag, about=about, **more)
