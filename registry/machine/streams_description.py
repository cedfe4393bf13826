"""What is followed as it happens, for the API's description: changes, the feed, open pages, calls."""

from __future__ import annotations

from registry.machine import live, tap
from registry.machine.schemas import A_PROBLEM, LABEL, STREAM, WHOLE
from registry.manners.openapi import Operation, Parameter


def stream_operations() -> list[Operation]:
    since = Parameter(name="since", about="Go on after this revision; without it a snapshot comes first.", schema=WHOLE)
    filters = tuple(
        Parameter(name=name, about=f"Only entries of this {name}.", schema=LABEL if name != "kind" else STREAM)
        for name in ("namespace", "kind", "service")
    )
    return [
        Operation(
            method="GET",
            path="/v1/watch",
            id="watch",
            tag="following",
            right="documents:read",
            by_rows=True,
            about="Changes as server-sent events: snapshot, delta, reset; `id:` is the revision.",
            parameters=(since, *filters, Parameter(name="Last-Event-ID", about="As since.", place="header")),
            answers={200: STREAM, 503: A_PROBLEM},
            produces="text/event-stream",
        ),
        Operation(
            method="GET",
            path=live.PATH,
            id="readLive",
            tag="following",
            right="signed_in",
            about="What an open page shows, as server-sent events: revisions, signals, alerts, rollouts, gateways.",
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
                since,
                Parameter(name="Last-Event-ID", about="As since.", place="header"),
            ),
            answers={200: STREAM, 503: A_PROBLEM},
            produces="text/event-stream",
        ),
        Operation(
            method="GET",
            path="/v1/feed",
            id="followFeed",
            tag="following",
            right="feed:read",
            about="What gateways follow: length-prefixed msgpack frames.",
            parameters=(
                since,
                Parameter(name="epoch", about="The history `since` belongs to."),
                Parameter(name="node", about="Who follows."),
            ),
            answers={
                200: {"type": "string", "contentMediaType": "application/x-meshway-feed"},
                503: A_PROBLEM,
            },
            produces="application/x-meshway-feed",
        ),
        Operation(
            method="GET",
            path=tap.PATH,
            id="tapRequests",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="Calls as they end, of all gateways, as server-sent events: at most 200 a second, the rest counted.",
            parameters=(
                Parameter(name="filter", about="As of GET /v1/requests."),
                Parameter(name="sample", about="Percent.", schema={"type": "integer", "minimum": 1, "maximum": 100}),
            ),
            answers={200: {"type": "string"}},
            produces="text/event-stream",
        ),
    ]
