"""UdpRoute: where datagrams go, by the Listener they came by."""

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from meshway.model.document import Destination, Label, Spec
from meshway.units import Duration

MOST_BACK: Final = 10.0  # for each byte that came, on the edge: a source may be forged


class UdpRoute(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Datagrams of Listeners of protocol udp. What one source address and port sends is a session: it has one instance,
    drawn by weight and by the service's algorithm with its first datagram, until it was silent for `idle`.

    max_sessions: in a worker; per_source: of one address in a gateway, 0 = any number. max_reply_ratio: bytes back for
    each that came in a session, 0 = any number; None: 10 at the edge, any number on the mesh.
    """

    plural: ClassVar[str] = "udp-routes"

    listeners: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=32)]
    destinations: Annotated[tuple[Destination, ...], Meta(min_length=1, max_length=16)]
    idle: Duration = msgspec.field(default_factory=lambda: Duration(30.0))
    max_sessions: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    per_source: Annotated[int, Meta(ge=0, le=100_000)] = 100
    max_reply_ratio: Annotated[float, Meta(ge=0.0, le=10_000.0)] | None = None
