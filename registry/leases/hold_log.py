"""What the log says of self-preservation: where it begins to hold, and where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from registry.leases.self_preservation import Group, Hold

    Holds = Mapping[tuple[str, str | None], Hold]


def log_holds(
    log: logging.Logger, what: str, before: Holds, after: Holds, alive: Mapping[Group, int], now: float, *, max_s: float
) -> None:
    """what: of what it holds so many. before, after: of two looks. alive: by group, those it spares included."""
    for key, hold in after.items():
        if key not in before:
            log.warning(
                "self-preservation begins in %s: %s, %d of %d, for %g s at most",
                _place(key), what, hold.overdue, _count(key, alive), max_s,
            )  # fmt: skip
    for key, hold in before.items():
        if key not in after:
            lasted_s = now - hold.since_s
            why = "as long as it may last" if lasted_s >= max_s else "no more than usual are missing"
            log.warning(
                "self-preservation ends in %s after %.0f s, %s: %s, %d of %d at last",
                _place(key), lasted_s, why, what, hold.overdue, _count(key, alive),
            )  # fmt: skip


def _place(key: tuple[str, str | None]) -> str:
    namespace, zone = key
    if zone is None:
        return f"namespace {namespace}"
    return f"namespace {namespace}, zone {zone or '(none)'}"


def _count(key: tuple[str, str | None], alive: Mapping[Group, int]) -> int:
    namespace, zone = key
    return sum(count for group, count in alive.items() if group[0] == namespace and zone in (None, group[1]))
