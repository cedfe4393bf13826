"""MeshSettings: what holds for the whole mesh. There is one, `mesh/mesh`."""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Part, Spec
from meshway.model.otlp import Otlp
from meshway.units import Duration, Size

NAME: Final = "mesh"

CrossNamespace = Literal["deny", "allow"]
Mtls = Literal["permissive", "strict"]
Approvals = Annotated[int, Meta(ge=0, le=5)]


class Identity(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """leaf_lifetime: of certificates of services and gateways. They are renewed at half of it. revocation_stale:
    whether a gateway believes them that has not heard of the registry, and so of revocations, for an hour: `open`."""

    leaf_lifetime: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))
    revocation_stale: Literal["open", "closed"] = "open"


class Egress(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """allow_cidrs: addresses that hosts outside may have though nobody is to be sent there: this machine's own,
    link-local ones."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"allow_registered_cidrs"})

    allow_cidrs: Annotated[tuple[str, ...], Meta(max_length=64)] = ()


class Retention(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """audit: how long rows of the audit log are kept. points_10s, points_1m, points_1h: how long numbers of calls are,
    by what each is of. logs: how long lines of services' logs are, logs_max: bytes of them, above which the oldest go
    first. spans: how many are."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"changes", "changes_min", "history"})

    audit: Duration = msgspec.field(default_factory=lambda: Duration(9600 * 3600.0))
    points_10s: Duration = msgspec.field(default_factory=lambda: Duration(3_600.0))
    points_1m: Duration = msgspec.field(default_factory=lambda: Duration(48 * 3_600.0))
    points_1h: Duration = msgspec.field(default_factory=lambda: Duration(2_160 * 3_600.0))
    logs: Duration = msgspec.field(default_factory=lambda: Duration(24 * 3_600.0))
    logs_max: Size = msgspec.field(default_factory=lambda: Size(200 << 20))
    spans: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000


class MeshTelemetry(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """metrics, access_log, traces: false: no call is counted, has a line (nor does the registry get one), has spans,
    whatever other documents say. max_series: of a gateway's metrics of calls, what comes beyond is counted under
    `other`. report_every: how often gateways report what they counted of their calls. forward_logs: of services, to a
    collector, too."""

    metrics: bool = True
    access_log: bool = True
    traces: bool = True
    max_series: Annotated[int, Meta(ge=100, le=20_000)] = 20_000
    report_every: Duration = msgspec.field(default_factory=lambda: Duration(2.0))
    forward_logs: Otlp | None = None


class MeshSettings(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """cross_namespace: whether Routes may send to services of other namespaces that no AccessPolicy lets them call.
    mtls: `strict`: services are called on the mesh by certificates of the mesh alone, and their instances by TLS with
    such. identity: of workload certificates. egress: of calls to hosts outside. retention: how long the
    registry keeps what happened. telemetry: what gateways tell of calls. approvals: people besides the author who must
    agree before a document changes. public_url: by which browsers reach the registry, and so the console: messages of
    alerts lead there; "": nobody said, they carry no link."""

    plural: ClassVar[str] = "mesh-settings"
    unsupported: ClassVar[frozenset[str]] = frozenset({"trust_domain", "leases"})

    cross_namespace: CrossNamespace | None = None
    mtls: Mtls | None = None
    identity: Identity | None = None
    egress: Egress | None = None
    retention: Retention | None = None
    telemetry: MeshTelemetry | None = None
    approvals: Approvals = 0
    public_url: Annotated[str, Meta(max_length=512)] = ""
