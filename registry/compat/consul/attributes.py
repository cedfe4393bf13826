"""What Consul says of an instance and our model has no field for: kept in its metadata, so that there is one truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from registry.compat.bookkeeping import CONSUL

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = CONSUL
"""Of the metadata, see bookkeeping.py."""
NO_CHECK: Final = ""

CheckKind = Literal["", "ttl", "http", "tcp", "grpc"]
Tagged = tuple[str, int]


class Attributes(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """id: Consul's, where it is not the instance's. check: "" none, then the instance passes until it is deregistered.

    check_id: where it is not `service:<ID>`. state, output: what the last update of the check said, when it was not
    passing. passing_weight, warning_weight: the instance has one of them by its state. tagged: address and port by tag.
    reason: of its maintenance. deregister_s: as it was asked for, seconds; see docs/guide/consul.md.
    """

    id: str = ""
    check: CheckKind = NO_CHECK
    check_id: str = ""
    check_name: str = ""
    notes: str = ""
    state: Literal["", "warning"] = ""
    output: str = ""
    passing_weight: int = 1
    warning_weight: int = 1
    tagged: dict[str, Tagged] = {}
    tag_override: bool = False
    reason: str = ""
    deregister_s: int = 0


_decode: Final = msgspec.json.Decoder(Attributes).decode
_encode: Final = msgspec.json.Encoder().encode


def attributes_of(metadata: Mapping[str, str]) -> Attributes | None:
    """None: Consul's API did not register it (or somebody wrote nonsense under our key)."""
    text = metadata.get(KEY)
    if text is None:
        return None
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def attributes_text(attributes: Attributes) -> str:
    return _encode(attributes).decode()


def without_attributes(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key != KEY}
