"""What the protocols keep in an instance's metadata for themselves: hidden from each other's clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EUREKA: Final = "eureka."
NACOS: Final = "nacos."
CONSUL: Final = "consul-registration"
_PREFIXES: Final = (EUREKA, NACOS, CONSUL)


def shown_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the instance's own people wrote."""
    return {key: value for key, value in metadata.items() if not key.startswith(_PREFIXES)}


def is_kept(key: str) -> bool:
    """Whether a client may not write it."""
    return key.startswith(_PREFIXES)
