"""What a read-only registry refuses: all that people decide. What services and gateways say goes on, for calls need it.

For a change of the database, an incident, or a registry that only shows (`MESHWAY_READ_ONLY`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import Problem

if TYPE_CHECKING:
    from registry.rights.roles import Right

# What programs say of themselves; of instances only what a person asks by a browser is refused.
_OF_PROGRAMS: Final = frozenset({"feed:read", "reports:write", "open", "signed_in"})
_OF_INSTANCES: Final[frozenset[Right]] = frozenset({"instances:write", "instances:drain"})


def is_change(method: str, right: str) -> bool:
    """Of what an operation needs: whether nobody may do it now."""
    if method in ("GET", "HEAD") or right in _OF_PROGRAMS or right in _OF_INSTANCES:
        return False
    return not right.endswith((":read", ":explain"))


def is_change_by_browser(method: str, right: str) -> bool:
    """Whether a session may not do it now, and programs may."""
    return method not in ("GET", "HEAD") and right in _OF_INSTANCES


def read_only() -> Problem:
    return Problem(
        403,
        "read_only",
        "Read-only",
        detail="the registry was started with MESHWAY_READ_ONLY: nothing that people decide is changed now",
        mend="start it without, or ask who runs it; services register and gateways report as always",
    )
