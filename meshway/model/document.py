"""What all kinds share: the envelope people write, labels as names, and destinations and targets."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from meshway.model.certificate_status import CertificateStatus
from meshway.model.document_source import DocumentSource

API_VERSION: Final = "meshway/v1"
DEFAULT_NAMESPACE: Final = "default"
MESH_NAMESPACE: Final = "mesh"
# Python's `$` alone lets a line feed follow, JSON Schema's does not.
LABEL_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$(?!\n)"

Label = Annotated[str, Meta(pattern=LABEL_PATTERN, description="RFC 1123 label, 1 to 63 characters.")]
Port = Annotated[int, Meta(ge=1, le=65535)]
# "mend" is told of a value that is no text.
PortName = Annotated[
    Label, Meta(extra={"mend": "ports of a service are named here, not numbered: http, or as its Service names them"})
]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A block inside a document.

    unsupported: fields of the design that are not built yet; written, they are refused as `unsupported`.
    unsupported_because: what is told of some of them instead of the usual words.
    unsupported_values: the same for the values of a field. is_one_choice: one of its fields excludes the others, so a
    narrower policy's block replaces a wider one's instead of being merged with it.
    """

    unsupported: ClassVar[frozenset[str]] = frozenset()
    unsupported_because: ClassVar[Mapping[str, str]] = {}
    unsupported_values: ClassVar[Mapping[str, frozenset[str]]] = {}
    is_one_choice: ClassVar[bool] = False


class Spec(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The spec of one kind. plural: the kind's name in URLs, kebab-case. max_size: of a document, bytes of its JSON."""

    plural: ClassVar[str]
    max_size: ClassVar[int] = 256 << 10


class Metadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    """revision, created_at, updated_at, updated_by, source are answered, and ignored when written."""

    name: Label
    # By a factory: a plain default is left out of what is encoded, and readers want to be told where a document lives.
    namespace: Label = msgspec.field(default_factory=lambda: DEFAULT_NAMESPACE)
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    revision: int | None = None
    created_at: str | None = None
    updated_at: str | None = None
    updated_by: str | None = None
    source: DocumentSource | None = None


class Document(msgspec.Struct, kw_only=True, rename={"api_version": "apiVersion"}):
    """What people write and read: `apiVersion, kind, metadata, spec`. spec holds plain values, as written. status: of a
    Certificate, answered and ignored when written."""

    api_version: str = API_VERSION
    kind: str
    metadata: Metadata
    spec: dict[str, Any]
    status: CertificateStatus | msgspec.UnsetType = msgspec.UNSET

    @property
    def name(self) -> str:
        """`Kind namespace/name`, the way messages speak of it."""
        return f"{self.kind} {self.metadata.namespace}/{self.metadata.name}"


class Destination(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a call goes. namespace None: the document's own."""

    service: Label
    namespace: Label | None = None
    subset: Label | None = None
    port: PortName | None = None
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class Target(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a policy applies to: exactly one of mesh, namespace, service (with subset, port), route (with rule).

    port: a name of the service's ports; for how calls on that port are carried, so in TrafficPolicies.
    """

    unsupported: ClassVar[frozenset[str]] = frozenset({"consumer", "consumer_group"})

    mesh: bool = False
    namespace: Label | None = None
    service: Label | None = None
    subset: Label | None = None
    port: Label | None = None
    route: Label | None = None
    rule: Label | None = None
