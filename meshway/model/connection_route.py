"""TcpRoute and TlsRoute: which connection goes where, by the Listener it came by, its source, and the host it names."""

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from meshway.model.document import Destination, Label, Part, Spec
from meshway.units import Duration, Size

ANY_NAME: Final = "*"


class ConnectionLimits(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """0 = none. connections: at once, of a gateway; per_source: of these one address's. bytes_per_second: of each
    connection, each way."""

    connections: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    per_source: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    bytes_per_second: Size = msgspec.field(default_factory=lambda: Size(0))


class ConnectionRoute(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What both kinds have. Of several for one Listener the narrowest source has the connection.

    source: networks, none: everybody. destinations: drawn by weight for each connection. idle: without a byte either
    way; half_close: how long the other side may go on when one has ended its half; max_duration: in all; 0 = none, and
    of half_close no time at all.
    """

    plural: ClassVar[str] = ""

    listeners: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=32)]
    source: Annotated[tuple[str, ...], Meta(max_length=1_000, description="CIDRs.")] = ()
    destinations: Annotated[tuple[Destination, ...], Meta(min_length=1, max_length=16)]
    idle: Duration = msgspec.field(default_factory=lambda: Duration(3_600.0))
    half_close: Duration = msgspec.field(default_factory=lambda: Duration(60.0))
    max_duration: Duration = msgspec.field(default_factory=lambda: Duration(0.0))
    limits: ConnectionLimits = msgspec.field(default_factory=ConnectionLimits)


class TcpRoute(ConnectionRoute, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Connections of Listeners of protocol tcp, or of tls whose handshakes the gateway answers."""

    plural: ClassVar[str] = "tcp-routes"


class TlsRoute(ConnectionRoute, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Connections of Listeners of protocol tls that are passed on as they are. hosts: what the caller's first message
    names (SNI), exact or `*.suffix`; `*` stands for any, and for none."""

    plural: ClassVar[str] = "tls-routes"

    hosts: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
