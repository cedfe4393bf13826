"""What Consul's answers look like. One Struct a shape, the description included; the names are Consul's."""

from __future__ import annotations

from typing import Any

import msgspec

_WHOLE_WORDS = {"id": "ID", "dns": "DNS"}


def consul_name(field: str) -> str:
    """`service_id` is `ServiceID`."""
    return "".join(_WHOLE_WORDS.get(part) or part.capitalize() for part in field.split("_"))


class _Shape(msgspec.Struct, gc=False, rename=consul_name):
    pass


class ConsulAddress(_Shape, kw_only=True):
    address: str
    port: int


class ConsulWeights(_Shape, kw_only=True):
    passing: int
    warning: int


class ConsulNode(_Shape, kw_only=True):
    """An address that instances have: there are no agents here."""

    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str]
    meta: dict[str, str]
    create_index: int = 1
    modify_index: int = 1


class ConsulService(_Shape, kw_only=True):
    id: str
    service: str
    tags: tuple[str, ...]
    address: str
    tagged_addresses: dict[str, ConsulAddress]
    meta: dict[str, str]
    port: int
    weights: ConsulWeights
    enable_tag_override: bool
    create_index: int
    modify_index: int
    proxy: dict[str, Any] = {}
    connect: dict[str, Any] = {}
    peer_name: str = ""


class ConsulAgentService(_Shape, kw_only=True):
    """A service as its agent tells it."""

    kind: str = ""
    id: str
    service: str
    tags: tuple[str, ...]
    meta: dict[str, str]
    port: int
    address: str
    tagged_addresses: dict[str, ConsulAddress]
    weights: ConsulWeights
    enable_tag_override: bool
    content_hash: str
    datacenter: str


class ConsulCheck(_Shape, kw_only=True):
    node: str
    check_id: str
    name: str
    status: str
    notes: str
    output: str
    service_id: str
    service_name: str
    service_tags: tuple[str, ...]
    type: str
    interval: str = ""
    timeout: str = ""
    exposed_port: int = 0
    definition: dict[str, Any] = {}
    create_index: int
    modify_index: int


class ConsulHealth(_Shape, kw_only=True):
    """An instance with what it stands on and how it is."""

    node: ConsulNode
    service: ConsulService
    checks: list[ConsulCheck]


class ConsulAgentHealth(_Shape, kw_only=True):
    aggregated_status: str
    service: ConsulAgentService
    checks: list[ConsulCheck]


class ConsulCatalogService(_Shape, kw_only=True):
    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str]
    node_meta: dict[str, str]
    service_kind: str = ""
    service_id: str
    service_name: str
    service_tags: tuple[str, ...]
    service_address: str
    service_tagged_addresses: dict[str, ConsulAddress]
    service_weights: ConsulWeights
    service_meta: dict[str, str]
    service_port: int
    service_enable_tag_override: bool
    service_proxy: dict[str, Any] = {}
    service_connect: dict[str, Any] = {}
    create_index: int
    modify_index: int


class ConsulCatalogNode(_Shape, kw_only=True):
    node: ConsulNode
    services: dict[str, ConsulService]


class ConsulNodeServices(_Shape, kw_only=True):
    node: ConsulNode
    services: list[ConsulService]
