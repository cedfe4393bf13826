"""What must hold inside one document beyond the type of each field.

Rules are pure and run on one block each, as soon as the fields they read are sound (`fields.py`). What concerns two
documents (references, conflicts) is the registry's.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from meshway.model import mesh_settings
from meshway.model.access_rules import ACCESS_RULES
from meshway.model.action_rules import ACTION_RULES
from meshway.model.alert_rules import ALERT_RULES, check_alert, check_objective
from meshway.model.authentication_rules import AUTHENTICATION_RULES
from meshway.model.cache_rules import CACHE_RULES
from meshway.model.connection_route_rules import CONNECTION_ROUTE_RULES
from meshway.model.consumer_rules import CONSUMER_RULES
from meshway.model.descriptor_set_rules import DESCRIPTOR_SET_RULES
from meshway.model.document import MESH_NAMESPACE, Metadata
from meshway.model.external_rules import EXTERNAL_RULES
from meshway.model.listener_rules import LISTENER_RULES, check_listener, owned_hosts
from meshway.model.match_rules import networks
from meshway.model.mesh_settings_rules import check_public_url
from meshway.model.namespace import Namespace
from meshway.model.policy_rules import POLICY_RULES
from meshway.model.receiver_rules import RECEIVER_RULES
from meshway.model.rollout_rules import ROLLOUT_RULES
from meshway.model.route_rules import ROUTE_RULES
from meshway.model.rule_kit import BlockRule, Finding, bounded, member_path
from meshway.model.secret_rules import SECRET_RULES
from meshway.model.service import External, Service
from meshway.model.service_rules import OUTSIDE_RULES, SERVICE_RULES
from meshway.model.telemetry_rules import TELEMETRY_RULES, check_telemetry
from meshway.model.udp_route_rules import UDP_ROUTE_RULES
from meshway.units import Size

_LABEL_KEY: Final = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_MAX_LABELS: Final = 64
_MAX_LABEL_VALUE: Final = 63
_MAX_ANNOTATIONS: Final = Size(16 << 10)


def check_place(kind: str, metadata: Metadata, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What a document may say where it lives. spec: as written, perhaps unsound."""
    namespace = metadata.namespace
    if namespace == MESH_NAMESPACE and kind in ("Service", "Route", "Rollout", "TcpRoute", "TlsRoute", "UdpRoute"):
        yield Finding("metadata.namespace", "forbidden_namespace", f"mesh holds no {kind}, only policies")
    if namespace != MESH_NAMESPACE and kind in ("MeshSettings", "Namespace", "Listener"):
        yield Finding("metadata.namespace", "forbidden_namespace", f"{kind} lives in namespace {MESH_NAMESPACE}")
    if kind == "MeshSettings" and metadata.name != mesh_settings.NAME:
        reason = f"there is one MeshSettings, named {mesh_settings.NAME}"
        yield Finding("metadata.name", "forbidden_combination", reason)
    if namespace != MESH_NAMESPACE and kind == "Secret" and spec.get("share_with"):
        yield Finding("spec.share_with", "forbidden_namespace", "is for Secrets in namespace mesh")
    if kind == "Listener":
        yield from check_listener(metadata.name, spec)
    if kind in ("AccessLog", "Telemetry"):
        yield from check_telemetry(namespace, spec)
    if kind == "Alert":
        yield from check_alert(namespace, metadata.name, spec)
    if kind == "Objective":
        yield from check_objective(namespace)
    targets = spec.get("targets")
    for at, target in enumerate(targets if isinstance(targets, list | tuple) else ()):
        if namespace != MESH_NAMESPACE and isinstance(target, Mapping) and target.get("mesh") is True:
            yield Finding(f"spec.targets[{at}].mesh", "forbidden_namespace", "is for documents in namespace mesh")


def _labels(part: Any) -> Iterator[Finding]:
    if len(part.labels) > _MAX_LABELS:
        yield Finding(".labels", "out_of_bounds", f"has {len(part.labels)} labels, at most {_MAX_LABELS} are allowed")
    for key, value in part.labels.items():
        if not _LABEL_KEY.match(key):
            yield Finding(member_path(".labels", key), "bad_name", f'"{key}" is no label name')
        if len(value) > _MAX_LABEL_VALUE:
            yield Finding(
                member_path(".labels", key),
                "out_of_bounds",
                f"has {len(value)} characters, at most {_MAX_LABEL_VALUE} are allowed",
            )


def _annotations(part: Any) -> Iterator[Finding]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in part.annotations.items())
    if size > _MAX_ANNOTATIONS:
        yield Finding(".annotations", "too_large", f"{size} bytes are above {_MAX_ANNOTATIONS}")


def _points(part: Any) -> Iterator[Finding]:
    if not part.points_10s <= part.points_1m <= part.points_1h:
        yield Finding("", "forbidden_combination", "coarser points are kept at least as long: 10s, then 1m, then 1h")


RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Metadata: (BlockRule(("labels",), _labels), BlockRule(("annotations",), _annotations)),
    External: OUTSIDE_RULES,
    mesh_settings.MeshSettings: (BlockRule(("public_url",), check_public_url),),
    mesh_settings.Retention: (
        bounded("audit", low=2160 * 3600.0, high=10 * 366 * 86_400.0, zero=False),
        bounded("points_10s", low=600.0, high=86_400.0, zero=False),
        bounded("points_1m", low=3_600.0, high=30 * 86_400.0, zero=False),
        bounded("points_1h", low=86_400.0, high=2 * 366 * 86_400.0, zero=False),
        BlockRule(("points_10s", "points_1m", "points_1h"), _points),
        bounded("logs", low=60.0, high=366 * 86_400.0, zero=False),
        bounded("logs_max", low=8 << 20, high=1 << 40, zero=False),
    ),
    mesh_settings.MeshTelemetry: (bounded("report_every", low=1.0, high=30.0, zero=False),),
    mesh_settings.Egress: (networks("allow_cidrs"),),
    mesh_settings.Identity: (bounded("leaf_lifetime", low=3_600.0, high=30 * 86_400.0, zero=False),),
    Namespace: (BlockRule(("edge_hosts",), owned_hosts),),
    Service: SERVICE_RULES,
    **ROUTE_RULES,
    **ACTION_RULES,
    **CACHE_RULES,
    **POLICY_RULES,
    **AUTHENTICATION_RULES,
    **ACCESS_RULES,
    **EXTERNAL_RULES,
    **SECRET_RULES,
    **CONSUMER_RULES,
    **DESCRIPTOR_SET_RULES,
    **LISTENER_RULES,
    **TELEMETRY_RULES,
    **RECEIVER_RULES,
    **ROLLOUT_RULES,
    **ALERT_RULES,
    **CONNECTION_ROUTE_RULES,
    **UDP_ROUTE_RULES,
}
