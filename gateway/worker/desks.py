"""Where a worker's limits ask for their shares: the supervisor, over the channel."""

import os
import time
from collections.abc import Callable

from gateway.channel import AskFrame, Channel
from gateway.limits.desk import Desk
from meshway.assignments.messages import Ask, Budget


def desks_of(channel: Channel, soon: Callable[[Callable[[], None]], object], workers: int) -> dict[str, Desk]:
    """For limits that this host's workers share the supervisor keeps the book, so that is never lost.

    soon: calls on the loop, later."""

    def asking(scope: str) -> Callable[[int, list[Budget], list[Ask]], None]:
        def send(number: int, budgets: list[Budget], asks: list[Ask]) -> None:
            channel.send(AskFrame(number=number, scope=scope, budgets=budgets, asks=asks))

        return send

    name, now = str(os.getpid()), time.monotonic
    return {
        "gateway": Desk(name, asking("gateway"), soon, now, workers=workers),
        "mesh": Desk(name, asking("mesh"), soon, now, lost="not asked yet"),
    }
