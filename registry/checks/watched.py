"""One instance that is asked: how, what its answers say so far, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.model.fields import read_struct
from meshway.model.traffic_policy import HealthCheck
from meshway.outbound.health import Check, Verdict, settings_of

if TYPE_CHECKING:
    from registry.view.rows import InstanceKey, InstanceRow


class Watched:
    """row: as the view has it now. turn: counts the times it was put off or taken up, so that an old turn is known.

    is_new: nobody asked it yet, so that its first answer decides, and is wanted soon.
    """

    __slots__ = ("check", "is_new", "key", "row", "turn", "verdict")

    def __init__(self, row: InstanceRow) -> None:
        self.key: InstanceKey = row.key
        self.row = row
        self.turn = 0
        self.check = _check_of(row)
        settings = self.check.settings
        self.is_new = row.instance.status == "critical"
        # One that passes needs its row of failures, whoever found it passing: another replica, or this one before.
        known = None if self.is_new else True
        self.verdict = Verdict(settings.unhealthy_after, settings.healthy_after, is_passing=known)

    def is_same(self, row: InstanceRow) -> bool:
        """Whether what was found holds for this row, too."""
        ours, instance = self.row.instance, row.instance
        return (self.row.number, ours.address, ours.port, ours.check) == (
            row.number,
            instance.address,
            instance.port,
            instance.check,
        )

    @property
    def is_critical(self) -> bool:
        return self.row.instance.status == "critical"


def _check_of(row: InstanceRow) -> Check:
    instance = row.instance
    read, errors = read_struct(instance.check, HealthCheck, "check")
    assert read is not None, f"a registered check is read by the rules it was written by: {errors}"
    settings = settings_of(read)
    return Check(instance.address, settings.port or instance.port, settings, instance.generation)
