"""One running copy of a service as it wants to be known, and what became of that."""

from __future__ import annotations

import hashlib
import math
import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict, Unpack
from urllib.parse import urlsplit

import msgspec

from meshway.client.settings import MeshSettings
from meshway.model.document import LABEL_PATTERN

State = Literal["starting", "passing", "shared", "draining", "superseded", "unregistered", "gone"]
_LABEL: Final = re.compile(LABEL_PATTERN)
_NO_LABEL: Final = re.compile(r"[^a-z0-9-]+")


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """namespace, service and id name it; the rest is the body of the registering PUT.

    ttl_s: how long the lease lasts without a heartbeat, 3 to 3600 seconds. weight: 0 to 1000.
    """

    namespace: str
    service: str
    id: str
    address: str
    port: int
    ports: dict[str, int] = {}
    protocol: str = "http"
    version: str = ""
    zone: str = ""
    weight: int = 1
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    ttl_s: float = 30.0

    @property
    def name(self) -> str:
        """`namespace/service/id`, the way messages speak of it."""
        return f"{self.namespace}/{self.service}/{self.id}"

    @property
    def path(self) -> str:
        return f"/v1/namespaces/{self.namespace}/services/{self.service}/instances/{self.id}"

    def body(self) -> bytes:
        """ttl_s is always said, since the default may be another registry's own; the registry counts whole seconds."""
        members: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("namespace", "service", "id"):
            del members[name]
        return msgspec.json.encode(members | {"ttl_s": math.ceil(self.ttl_s)})


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """state: `starting` (not registered yet), `passing`, `shared` (a sister process of this host holds the lease),
    `draining`, `superseded` (another process took the id), `unregistered` (the registry is away or refuses) or `gone`.

    last_renewal: Unix time. error: why it is not registered, in one line.
    """

    state: State
    lease_left_s: float = 0.0
    last_renewal: float | None = None
    revision: int | None = None
    error: str | None = None


class Details(TypedDict, total=False):
    """What may be said of an instance besides service and port; defaults as in Registration.

    address: default MESHWAY_ADDRESS, then this host's own towards the registry. id: default MESHWAY_INSTANCE, then
    `default_id`.
    """

    namespace: str
    id: str
    address: str
    ports: Mapping[str, int]
    protocol: str
    version: str
    zone: str
    weight: int
    tags: Sequence[str]
    metadata: Mapping[str, str]
    ttl_s: float


def describe(settings: MeshSettings, service: str | None, port: int, **details: Unpack[Details]) -> Registration:
    """Fills in what was not said. Raises ValueError at once for a name, port or time no registry would take.

    A wrong name is a mistake in the program, so it is told to whoever starts it; everything that may pass (no
    registry, no rights yet) is retried instead.
    """
    service = service or settings.service
    if not service:
        raise ValueError("which service is this? give its name or set MESHWAY_SERVICE")
    wanted = Registration(
        namespace=details.get("namespace") or settings.namespace,
        service=service,
        id=details.get("id") or settings.instance or default_id(service, socket.gethostname(), port),
        address=details.get("address") or settings.address or own_address(settings.registry),
        port=port,
        ports=dict(details.get("ports", {})),
        protocol=details.get("protocol", "http"),
        version=details.get("version", ""),
        zone=details.get("zone", settings.zone),
        weight=details.get("weight", 1),
        tags=tuple(details.get("tags", ())),
        metadata=dict(details.get("metadata", {})),
        ttl_s=details.get("ttl_s", 30.0),
    )
    _check(wanted)
    return wanted


def _check(wanted: Registration) -> None:
    for what in ("service", "namespace", "id"):
        value = getattr(wanted, what)
        if not _LABEL.fullmatch(value):
            raise ValueError(f"{what}: {value!r} is no name: lower-case letters, digits and dashes, 1 to 63 characters")
    for name, number in {"port": wanted.port, **wanted.ports}.items():
        if not 1 <= number <= 65535:
            raise ValueError(f"{name}: {number} is no port: write 1 to 65535")
    if not 3 <= wanted.ttl_s <= 3600:
        raise ValueError(f"ttl_s: {wanted.ttl_s:g} is out of bounds: 3 to 3600 seconds")
    if not 0 <= wanted.weight <= 1000:
        raise ValueError(f"weight: {wanted.weight} is out of bounds: 0 to 1000")


def default_id(service: str, host: str, port: int) -> str:
    """`<service>-<host>-<port>`: a restart on the same port is the same instance again, with a new generation.

    A random id would leave the dead predecessor in the catalogue until its lease runs out. Names that do not fit into
    63 characters are shortened and told apart by a digest.
    """
    label = _NO_LABEL.sub("-", host.split(".", 1)[0].lower()).strip("-") or "host"
    whole = f"{service}-{label}-{port}"
    if len(whole) <= 63:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{service[:40].rstrip('-')}-{digest}-{port}"


def own_address(registry: str) -> str:
    """The address this host uses towards the registry: what the registry's neighbours can most likely reach.

    Connecting a datagram socket sends nothing; it only asks the routing table. Loopback comes out only when the
    registry is on loopback. Raises ValueError when the registry's name cannot be resolved.
    """
    url = urlsplit(registry)
    host, port = url.hostname or "127.0.0.1", url.port or 8500
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[0][4])
            return str(probe.getsockname()[0])
    except OSError:
        # The registry may be away, name and all; whoever is found by this name later is found by the same interface.
        return _host_address()


def _host_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError as error:
        raise ValueError(
            f"cannot tell this host's own address ({error}); in a container, set MESHWAY_ADDRESS to the name or "
            "address under which the gateway reaches it"
        ) from error


class Held:
    """A registration and its lease, as the keeper sees it. Times are of the monotonic clock but for last_renewal.

    doubted_until: till then what superseded it may be its own registration, at a registry that was late.
    """

    __slots__ = (
        "doubted_until", "due", "error", "expires_at", "failures", "last_renewal", "lease_id", "revision", "state",
        "wanted",
    )  # fmt: skip

    def __init__(self, wanted: Registration) -> None:
        self.wanted = wanted
        self.state: State = "starting"
        self.lease_id: str | None = None
        self.due = 0.0
        self.doubted_until = 0.0
        self.expires_at = 0.0
        self.last_renewal: float | None = None
        self.revision: int | None = None
        self.failures = 0
        self.error: str | None = None

    def status(self, now: float) -> Status:
        left = max(0.0, self.expires_at - now) if self.lease_id else 0.0
        return Status(
            state=self.state,
            lease_left_s=round(left, 1),
            last_renewal=self.last_renewal,
            revision=self.revision,
            error=self.error,
        )

    def renewed(self, now: float) -> None:
        self.expires_at = now + self.wanted.ttl_s
        self.last_renewal = time.time()
        self.due = now + self.wanted.ttl_s / 3.0
        self.failures, self.error = 0, None
