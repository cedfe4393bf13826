"""Which instances a subset holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshway.model.instance import Instance
    from meshway.model.service import SubsetMatch


def is_in_subset(instance: Instance, match: SubsetMatch) -> bool:
    """All given parts must hold; an empty match holds every instance."""
    return (
        (match.version is None or instance.version == match.version)
        and (match.zone is None or instance.zone == match.zone)
        and all(tag in instance.tags for tag in match.tags)
        and all(instance.metadata.get(key) == value for key, value in match.metadata.items())
    )
