"""Instance: one running copy of a service with a lease, as the registry stores it and the gateways receive it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

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
