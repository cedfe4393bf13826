"""Instance: one running copy of a service with a lease, as the registry stores it and the gateways receive it."""

from sys import intern
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from meshway.model.document import Port

Status = Literal["passing", "critical", "draining", "maintenance"]


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the feed carries of an instance: no lease times, since heartbeats take no revision.

    generation: counts the registrations under this id. weight: 0 to 1000, 0 takes no calls. check: how the registry
    asks it, as it was registered, in plain values; None: it sends heartbeats.
    """

    namespace: str
    service: str
    id: str
    address: str
    port: Port
    ports: dict[str, int] = {}
    protocol: str = "http"
    version: str = ""
    zone: str = ""
    weight: Annotated[int, Meta(ge=0, le=1000)] = 1
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    status: Status = "passing"
    generation: int = 1
    check: dict[str, Any] | None = None


Tags = dict[tuple[str, ...], tuple[str, ...]]
"""The tags that one reading has met, each set of them once."""

_decoder: Final = msgspec.msgpack.Decoder(Instance)
# Of all instances that have none; an Instance is never changed.
_NONE: Final[dict[str, Any]] = {}


def decode_instance(value: bytes | msgspec.Raw, tags: Tags) -> Instance:
    """An instance as the feed carries it; what many share stands in memory once, in a third of the bytes.

    tags: those read before. Raises msgspec.DecodeError.
    """
    instance = _decoder.decode(value)
    force_setattr(instance, "namespace", intern(instance.namespace))
    force_setattr(instance, "service", intern(instance.service))
    if instance.version:
        force_setattr(instance, "version", intern(instance.version))
    if instance.zone:
        force_setattr(instance, "zone", intern(instance.zone))
    if instance.tags:
        force_setattr(instance, "tags", tags.setdefault(instance.tags, instance.tags))
    if not instance.ports:
        force_setattr(instance, "ports", _NONE)
    if not instance.metadata:
        force_setattr(instance, "metadata", _NONE)
    return instance
