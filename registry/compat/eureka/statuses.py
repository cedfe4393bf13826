"""Eureka's statuses and ours.

UP is passing. What an instance says of itself otherwise (DOWN, STARTING, OUT_OF_SERVICE, UNKNOWN), and what somebody
else says of it (the override), is maintenance with the word kept beside. A lease that ran out is DOWN: Eureka would
drop the instance, we show it until it is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from registry.compat.bookkeeping import EUREKA

if TYPE_CHECKING:
    from meshway.model.instance import Instance
    from meshway.model.registration import ChosenStatus
    from registry.view.rows import InstanceRow

Status = Literal["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"]

STATUS: Final = EUREKA + "status"
"""What the instance said of itself last, when it was not UP."""
OVERRIDE: Final = EUREKA + "override"
DIRTY: Final = EUREKA + "dirty"
"""lastDirtyTimestamp: milliseconds of the client's clock, compared with its own only."""


def shown_status(instance: Instance) -> str:
    if instance.status == "passing":
        return "UP"
    if instance.status == "critical":
        return "DOWN"
    said = _effective(instance)
    return "OUT_OF_SERVICE" if instance.status == "draining" or said == "UP" else said


def override_of(instance: Instance) -> str | None:
    return instance.metadata.get(OVERRIDE)


def announced_status(said: Status, before: InstanceRow | None) -> ChosenStatus:
    """Ours, for an instance that registers and says `said`.

    DOWN and STARTING it knows best itself; then comes an override; and what was asked of us in our own words (drain,
    maintenance) ends in our own words.
    """
    if before is None:
        return chosen(said)
    if before.wanted != chosen(_effective(before.instance)):
        return before.wanted
    if said in ("DOWN", "STARTING"):
        return "maintenance"
    return chosen(override_of(before.instance) or said)


def chosen(status: str) -> ChosenStatus:
    return "passing" if status == "UP" else "maintenance"


def own_status(instance: Instance) -> str:
    """What it said of itself last."""
    return instance.metadata.get(STATUS, "UP")


def _effective(instance: Instance) -> str:
    own = own_status(instance)
    return own if own in ("DOWN", "STARTING") else override_of(instance) or own
