"""Instances as Consul shows them."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from registry.compat.bookkeeping import shown_metadata
from registry.compat.consul.attributes import NO_CHECK, Attributes, attributes_of
from registry.compat.consul.names import consul_id_of
from registry.compat.consul.places import check_id_of
from registry.compat.consul.shapes import (
    ConsulAddress,
    ConsulAgentHealth,
    ConsulAgentService,
    ConsulCatalogService,
    ConsulCheck,
    ConsulHealth,
    ConsulNode,
    ConsulService,
    ConsulWeights,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.view.rows import InstanceRow

DATACENTER: Final = "dc1"
PASSING: Final = "passing"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
MAINTENANCE: Final = "maintenance"
_MAINTENANCE_PREFIX: Final = "_service_maintenance:"
_WORST_FIRST: Final = (MAINTENANCE, CRITICAL, WARNING)
_NATIVE: Final = Attributes(check="ttl")
_NO_REASON: Final = {
    "maintenance": "Maintenance mode is enabled; no reason was given.",
    "draining": "Draining: it ends the calls it has and takes no new ones.",
}


def node_of(address: str) -> ConsulNode:
    return ConsulNode(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"meshway:{address}")),
        node=address,
        address=address,
        datacenter=DATACENTER,
        tagged_addresses={"lan": address, "wan": address},
        meta={},
    )


def service_of_row(row: InstanceRow) -> ConsulService:
    instance, attributes = row.instance, _attributes(row)
    return ConsulService(
        id=consul_id_of(instance),
        service=instance.service,
        tags=instance.tags,
        address=instance.address,
        tagged_addresses=_tagged(attributes),
        meta=shown_metadata(instance.metadata),
        port=instance.port,
        weights=_weights(row, attributes),
        enable_tag_override=attributes.tag_override,
        create_index=row.revision,
        modify_index=row.revision,
    )


def agent_service_of(row: InstanceRow) -> ConsulAgentService:
    instance, attributes = row.instance, _attributes(row)
    shown = ConsulAgentService(
        id=consul_id_of(instance),
        service=instance.service,
        tags=instance.tags,
        meta=shown_metadata(instance.metadata),
        port=instance.port,
        address=instance.address,
        tagged_addresses=_tagged(attributes),
        weights=_weights(row, attributes),
        enable_tag_override=attributes.tag_override,
        content_hash="",
        datacenter=DATACENTER,
    )
    shown.content_hash = sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()[:16]
    return shown


def checks_of(row: InstanceRow) -> list[ConsulCheck]:
    """None for an instance that was registered without a check and is well."""
    instance, attributes = row.instance, _attributes(row)
    checks = []
    status = CRITICAL if instance.status == "critical" else attributes.state or PASSING
    if attributes.check != NO_CHECK or status != PASSING:
        checks.append(
            _check(
                row,
                check_id=check_id_of(row),
                name=attributes.check_name or f"Service '{instance.service}' check",
                status=status,
                notes=attributes.notes,
                output=attributes.output,
                kind=attributes.check,
            )
        )
    if row.wanted != "passing":
        checks.append(
            _check(
                row,
                check_id=_MAINTENANCE_PREFIX + consul_id_of(instance),
                name="Service Maintenance Mode",
                status=CRITICAL,
                notes=attributes.reason or _NO_REASON[row.wanted],
                output="",
                kind=MAINTENANCE,
            )
        )
    return checks


def health_of(row: InstanceRow) -> ConsulHealth:
    return ConsulHealth(node=node_of(row.instance.address), service=service_of_row(row), checks=checks_of(row))


def agent_health_of(row: InstanceRow) -> ConsulAgentHealth:
    checks = checks_of(row)
    return ConsulAgentHealth(aggregated_status=worst_of(checks), service=agent_service_of(row), checks=checks)


def worst_of(checks: Iterable[ConsulCheck]) -> str:
    """Of all checks of one or more instances; passing where there are none."""
    found = {MAINTENANCE if check.check_id.startswith(_MAINTENANCE_PREFIX) else check.status for check in checks}
    return next((status for status in _WORST_FIRST if status in found), PASSING)


def catalog_service_of(row: InstanceRow) -> ConsulCatalogService:
    node, service = node_of(row.instance.address), service_of_row(row)
    return ConsulCatalogService(
        id=node.id,
        node=node.node,
        address=node.address,
        datacenter=node.datacenter,
        tagged_addresses=node.tagged_addresses,
        node_meta=node.meta,
        service_id=service.id,
        service_name=service.service,
        service_tags=service.tags,
        service_address=service.address,
        service_tagged_addresses=service.tagged_addresses,
        service_weights=service.weights,
        service_meta=service.meta,
        service_port=service.port,
        service_enable_tag_override=service.enable_tag_override,
        create_index=service.create_index,
        modify_index=service.modify_index,
    )


def _attributes(row: InstanceRow) -> Attributes:
    """An instance of another protocol is asked, or has a lease, which is as good as a TTL check."""
    attributes = attributes_of(row.instance.metadata)
    if attributes is not None:
        return attributes
    return Attributes(check=row.instance.check["type"]) if row.instance.check else _NATIVE


def _weights(row: InstanceRow, attributes: Attributes) -> ConsulWeights:
    passing = attributes.passing_weight if attributes.state else row.instance.weight
    return ConsulWeights(passing=passing, warning=attributes.warning_weight)


def _tagged(attributes: Attributes) -> dict[str, ConsulAddress]:
    return {tag: ConsulAddress(address=address, port=port) for tag, (address, port) in attributes.tagged.items()}


def _check(
    row: InstanceRow, *, check_id: str, name: str, status: str, notes: str, output: str, kind: str
) -> ConsulCheck:
    instance = row.instance
    asked = instance.check if instance.check is not None and kind != MAINTENANCE else {}
    return ConsulCheck(
        node=instance.address,
        check_id=check_id,
        name=name,
        status=status,
        notes=notes,
        output=output,
        service_id=consul_id_of(instance),
        service_name=instance.service,
        service_tags=instance.tags,
        type=kind,
        interval=asked.get("interval", ""),
        timeout=asked.get("timeout", ""),
        create_index=row.revision,
        modify_index=row.revision,
    )
