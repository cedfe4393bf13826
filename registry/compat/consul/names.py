"""Names on both sides: Consul's IDs are any text and unique in a namespace, ours are labels and unique in a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.compat import labels
from registry.compat.consul.attributes import attributes_of
from registry.compat.consul.refusals import Refusal

if TYPE_CHECKING:
    from meshway.model.instance import Instance


def service_of(name: str) -> str:
    """Consul finds services whatever the case; ours is the lower one. Raises Refusal 400."""
    lowered = name.lower()
    if not labels.is_label(lowered):
        raise Refusal(
            400,
            f'Invalid service name "{name[:100]}": letters, digits and "-", 1 to 63, first and last no "-"',
        )
    return lowered


def namespace_of(name: str) -> str:
    """Raises Refusal 400."""
    if not labels.is_label(name):
        raise Refusal(400, f'Invalid namespace "{name[:100]}"')
    return name


def label_of(consul_id: str) -> str:
    """The id of the instance that Consul's ID names. Raises Refusal 400."""
    try:
        return labels.label_of(consul_id)
    except ValueError as error:
        raise Refusal(400, f"Invalid service ID: {error}") from None


def consul_id_of(instance: Instance) -> str:
    """An instance that another protocol registered is `service:id`: a colon stands in no label, so it is no other's."""
    attributes = attributes_of(instance.metadata)
    if attributes is None:
        return f"{instance.service}:{instance.id}"
    return attributes.id or instance.id
