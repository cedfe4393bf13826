"""What a UdpRoute compiles to at one of its Listeners."""

from dataclasses import dataclass

from gateway.plan import RoutePlan


@dataclass(slots=True, frozen=True)
class SessionPlan:
    """route: what calls have as well: filters, destinations. title: of the document. idle_s: without a datagram either
    way. max_sessions: in a worker; per_source: of one address in the gateway, 0 = any number. max_reply_ratio: bytes
    back for each that came, 0 = any number."""

    route: RoutePlan
    title: str
    idle_s: float
    max_sessions: int
    per_source: int
    max_reply_ratio: float
