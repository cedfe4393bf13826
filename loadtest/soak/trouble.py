"""What is done to the mesh that is soaked, and which failures of its callers the design allows for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

STEADY, TROUBLED = "steady", "troubled"
# How long after a kill calls of the process that is gone may still be found to have failed.
NOTICED_S: Final = 3.0


@dataclass
class Trouble:
    """What was done, and from when to when failures at the troubled gateway are what the design allows; excuses: ""
    where it allows none."""

    what: str
    began: float
    ended: float = 0.0
    excuses: str = ""


def cause_of(troubles: Iterable[Trouble], at: float, lasted_s: float) -> Trouble | None:
    """Of a failure at the troubled gateway that the design allows; None: it does not. at: when it was found; lasted_s:
    how long what failed had been open."""
    for trouble in troubles:
        ended = trouble.ended or float("inf")
        if trouble.excuses and trouble.began <= at and at - lasted_s <= ended and at <= ended + NOTICED_S:
            return trouble
    return None
