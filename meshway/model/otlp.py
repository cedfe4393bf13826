"""A collector that is told by OTLP: of spans (Telemetry), of calls (AccessLog), of services' logs (MeshSettings)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part
from meshway.model.secret import SecretRef
from meshway.units import Duration


class Otlp(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """endpoint: of a collector, OTLP over HTTP (protobuf), with the path (`/v1/traces`). headers: a Secret of type
    opaque, each of its texts a header. ca: a Secret of type ca_bundle, who vouches for the collector; else whom this
    machine believes. batch: spans or lines of one request. queue: those that wait; further ones are dropped and
    counted."""

    endpoint: Annotated[str, Meta(max_length=1024)]
    headers: Label | SecretRef | None = None
    ca: Label | SecretRef | None = None
    timeout: Duration = msgspec.field(default_factory=lambda: Duration(10.0))
    batch: Annotated[int, Meta(ge=1, le=10_000)] = 512
    queue: Annotated[int, Meta(ge=1, le=100_000)] = 2048
