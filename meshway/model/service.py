"""Service: a name that can be called, its ports and its subsets."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from meshway.model.document import Label, Part, Port, Spec
from meshway.units import Duration

ServiceProtocol = Literal["http", "http2", "grpc", "tcp", "tls", "udp"]


class ServicePort(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named port. target_port: where endpoints listen that say nothing of it themselves; of static ones also port.

    The first port's is for static endpoints only: what registers names its own. protocol: what is spoken there, where a
    TrafficPolicy leaves it open; grpc is http2. tcp, tls, udp: something else than HTTP, for TcpRoutes, TlsRoutes and
    UdpRoutes.
    """

    name: Label = "http"
    port: Port = 80
    target_port: Port | None = None
    protocol: ServiceProtocol = "http"


class SubsetMatch(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All given parts must hold; tags: all of them."""

    version: str | None = None
    zone: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}


class Subset(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named part of a service's instances; an instance may be in several."""

    name: Label
    match: SubsetMatch


class StaticEndpoint(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An endpoint written by hand, for what cannot register. port: without one it listens on the service's first."""

    address: Annotated[str, Meta(min_length=1, max_length=255)]
    port: Port | None = None
    weight: Annotated[int, Meta(ge=0, le=1000)] = 1
    zone: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}


class External(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host outside the mesh, found by the name server. refresh: how long its answer is used; the last good one goes
    on while there is no other. tls: has to be written `false` as long as hosts are called without it alone."""

    unsupported_values: ClassVar[Mapping[str, frozenset[str]]] = {"resolve": frozenset({"srv"})}

    host: Annotated[str, Meta(max_length=253)]
    port: Port | None = None
    tls: bool = True
    resolve: Literal["a"] = "a"
    refresh: Duration = field(default_factory=lambda: Duration(30.0))

    @property
    def target_port(self) -> int:
        return self.port or (443 if self.tls else 80)


def target_port(port: ServicePort) -> int:
    """Where static endpoints listen that say nothing else."""
    return port.port if port.target_port is None else port.target_port


class Service(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ports, subsets and the people behind a service. It exists also without this document.

    docs_url, openapi: where people, and programs, read what it offers.
    """

    plural: ClassVar[str] = "services"
    unsupported_values: ClassVar[Mapping[str, frozenset[str]]] = {"type": frozenset({"kubernetes"})}

    type: Literal["registered", "static", "external"] = "registered"
    external: External | None = None
    ports: Annotated[tuple[ServicePort, ...], Meta(min_length=1, max_length=32)] = (ServicePort(),)
    endpoints: Annotated[tuple[StaticEndpoint, ...], Meta(max_length=1000)] = ()
    aliases: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    subsets: Annotated[tuple[Subset, ...], Meta(max_length=32)] = ()
    description: str = ""
    owner: str = ""
    docs_url: str = ""
    openapi: str = ""
