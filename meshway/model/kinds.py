"""The kinds of documents that are built, by name and by their plural in URLs."""

from typing import Final

from meshway.model.document import Spec
from meshway.model.rate_limit import RateLimit
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.model.traffic_policy import TrafficPolicy

KINDS: Final[dict[str, type[Spec]]] = {kind.__name__: kind for kind in (Service, Route, TrafficPolicy, RateLimit)}
BY_PLURAL: Final[dict[str, str]] = {spec.plural: kind for kind, spec in KINDS.items()}
SHORT: Final[dict[str, str]] = {"svc": "Service", "rt": "Route", "tp": "TrafficPolicy", "rl": "RateLimit"}
# Kinds of the design whose time has not come: refused as `unsupported`, so that nobody takes them for typing errors.
UNSUPPORTED: Final = frozenset(
    {
        "AccessLog", "AccessPolicy", "Alert", "Authentication", "Certificate", "Consumer", "DescriptorSet", "IpList",
        "Listener", "MeshSettings", "Namespace", "Objective", "Receiver", "Rollout", "Secret", "TcpRoute",
        "Telemetry", "TlsRoute", "UdpRoute",
    }
)  # fmt: skip
