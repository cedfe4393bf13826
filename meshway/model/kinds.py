"""The kinds of documents that are built, by name and by their plural in URLs."""

from typing import Final

from meshway.model.access_log import AccessLog
from meshway.model.access_policy import AccessPolicy
from meshway.model.alert import Alert
from meshway.model.authentication import Authentication
from meshway.model.certificate import Certificate
from meshway.model.connection_route import TcpRoute, TlsRoute
from meshway.model.consumer import Consumer
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.document import Spec
from meshway.model.ip_list import IpList
from meshway.model.listener import Listener
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.model.objective import Objective
from meshway.model.rate_limit import RateLimit
from meshway.model.receiver import Receiver
from meshway.model.rollout import Rollout
from meshway.model.rollout_state import RolloutState
from meshway.model.route import Route
from meshway.model.secret import Secret
from meshway.model.service import Service
from meshway.model.telemetry import Telemetry
from meshway.model.traffic_policy import TrafficPolicy
from meshway.model.trust_bundle import TrustBundle
from meshway.model.udp_route import UdpRoute

KINDS: Final[dict[str, type[Spec]]] = {
    kind.__name__: kind
    for kind in (
        Service,
        Route,
        TrafficPolicy,
        RateLimit,
        Authentication,
        AccessPolicy,
        IpList,
        DescriptorSet,
        Secret,
        Consumer,
        Listener,
        Certificate,
        MeshSettings,
        Namespace,
        AccessLog,
        Telemetry,
        Receiver,
        Rollout,
        Alert,
        Objective,
        TcpRoute,
        TlsRoute,
        UdpRoute,
    )
}
# Written by the registry itself: gateways read them of the feed as documents, and people neither write nor delete them.
OWN_KINDS: Final[dict[str, type[Spec]]] = {kind.__name__: kind for kind in (TrustBundle, RolloutState)}
BY_PLURAL: Final[dict[str, str]] = {spec.plural: kind for kind, spec in KINDS.items()}
SHORT: Final[dict[str, str]] = {
    "svc": "Service", "rt": "Route", "tp": "TrafficPolicy", "rl": "RateLimit", "authn": "Authentication",
    "ap": "AccessPolicy", "ipl": "IpList", "ln": "Listener", "cert": "Certificate",
    "ms": "MeshSettings", "sec": "Secret", "con": "Consumer", "al": "AccessLog", "tel": "Telemetry",
    "rcv": "Receiver",
    "ro": "Rollout",
    "alr": "Alert", "slo": "Objective", "ds": "DescriptorSet",
    "tcp": "TcpRoute", "tls": "TlsRoute", "udp": "UdpRoute",
}  # fmt: skip
