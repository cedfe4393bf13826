"""The last calls of a worker, all of them, from memory: a rehearsal asks them before what was kept on disk.

They are held as they were received; what may be secret is left out here, before anything leaves the worker.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.telemetry.recorder import MOST_RECENT, Ended, recorded_line

RECENT: Final = "recent"  # the kind of the supervisor's question


class RecentCalls(msgspec.Struct, frozen=True):
    """lines: as recordings hold them, of calls that began at `whole_from_s` (seconds since 1970) or later.

    Every call of the worker that began since then and has ended is among them, or counted in the `seen` of a later one.
    """

    whole_from_s: float
    lines: bytes


def recent_calls(
    ended: Sequence[Ended], rules: Sequence[tuple[str, str, str]], *, since: float, now: float, wall_s: float
) -> RecentCalls:
    """In any thread. ended: as the recorder held them at `now`. rules: route, rule and track of each slot. since: when
    the worker began."""
    whole_from = ended[0][0] if len(ended) >= MOST_RECENT else since
    lines: list[bytes] = []
    seen = 1
    for _, began, head, listener, peer, scheme, (slot, service, _, by, status, _, reason, _, _) in ended:
        if began < whole_from:
            continue
        if head is None:
            seen += 1
            continue
        at_s = wall_s - (now - began)
        route, rule, _ = rules[slot] if slot >= 0 else ("", "", "")
        outcome: dict[str, str | int] = {
            "route": route,
            "rule": rule,
            "service": service,
            "status": status,
            "reason": reason,
            "by": by,
        }
        lines.append(recorded_line(head, at_s, seen, listener, peer, scheme, **outcome))
        seen = 1
    # Rounded as their lines are: the call it was taken from would else lie before it, and be nowhere.
    return RecentCalls(round(wall_s - (now - whole_from), 3), b"".join(lines))
