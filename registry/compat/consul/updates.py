"""What becomes of an instance when its client registers it or updates its check: given what is there, what it is now.

Each of these is asked inside the commit (catalog/registering.py, Announce), so that two updates cannot cross.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.registration import Registration, check_metadata
from meshway.problem import invalid_request
from registry.catalog.registering import no_instance
from registry.compat.consul.attributes import KEY, Attributes, attributes_of, attributes_text, without_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.instance import Status
    from registry.compat.consul.definitions import CheckDefinition, ServiceDefinition
    from registry.view.rows import InstanceKey, InstanceRow

    Judged = tuple[Registration, Status]
    Judge = Callable[[InstanceRow | None], Judged]

MAX_OUTPUT: Final = 512
"""Characters kept of a check's output: it travels with the instance to every gateway."""


def registering(definition: ServiceDefinition) -> Judge:
    """Clients register a service again to be sure of it: its check and its maintenance go on as they are."""

    def judge(before: InstanceRow | None) -> Judged:
        attributes, registration = definition.attributes, definition.registration
        known = None if before is None else attributes_of(before.instance.metadata)
        if before is None or known is None or known.check != attributes.check:
            return _first(definition, before)
        attributes = msgspec.structs.replace(attributes, state=known.state, output=known.output, reason=known.reason)
        # A drained process that was stopped and comes back must not be drained for ever.
        if before.instance.status == "critical" and before.wanted != "draining":
            return _with(registration, attributes), "critical"
        return _with(registration, attributes), _wanted(before)

    return judge


def declaring(definition: ServiceDefinition) -> Judge:
    """The catalogue is told, and not the agent: the status is what it says, each time."""

    def judge(before: InstanceRow | None) -> Judged:
        return _first(definition, before)

    return judge


def checking(key: InstanceKey, check: CheckDefinition) -> Judge:
    """Gives the instance another check, or with NO_DEFINITION none. One of the same kind goes on as it is."""

    def judge(before: InstanceRow | None) -> Judged:
        row, attributes = _there(key, before)
        is_same = attributes.check == check.kind
        attributes = msgspec.structs.replace(
            attributes,
            check=check.kind,
            check_id=check.check_id,
            check_name=check.name,
            notes=check.notes,
            deregister_s=check.deregister_s,
        )
        registration = msgspec.structs.replace(registration_of(row), ttl_s=check.ttl_s, check=check.asked)
        if is_same:
            return _with(registration, attributes), row.instance.status
        state = "warning" if check.initial == "warning" else ""
        attributes = msgspec.structs.replace(attributes, state=state, output="")
        is_well = check.initial in ("passing", "warning")
        return _with(registration, attributes), _wanted(row) if is_well else "critical"

    return judge


def passing(key: InstanceKey) -> Judge:
    def judge(before: InstanceRow | None) -> Judged:
        row, attributes = _there(key, before)
        attributes = msgspec.structs.replace(attributes, state="", output="")
        return _with(registration_of(row), attributes), row.wanted

    return judge


def warning(key: InstanceKey, output: str) -> Judge:
    """It goes on being called, with its weight for warnings."""

    def judge(before: InstanceRow | None) -> Judged:
        row, attributes = _there(key, before)
        attributes = msgspec.structs.replace(attributes, state="warning", output=output[:MAX_OUTPUT])
        return _with(registration_of(row), attributes), row.wanted

    return judge


def failing(key: InstanceKey, output: str) -> Judge:
    def judge(before: InstanceRow | None) -> Judged:
        row, attributes = _there(key, before)
        attributes = msgspec.structs.replace(attributes, state="", output=output[:MAX_OUTPUT])
        return _with(registration_of(row), attributes), "critical"

    return judge


def registration_of(row: InstanceRow) -> Registration:
    """Without a check that the registry runs: whoever updates one by hand has a TTL check or none."""
    instance = row.instance
    return Registration(
        namespace=instance.namespace,
        service=instance.service,
        id=instance.id,
        address=instance.address,
        port=instance.port,
        ports=instance.ports,
        version=instance.version,
        zone=instance.zone,
        weight=instance.weight,
        tags=instance.tags,
        metadata=instance.metadata,
        ttl_s=row.ttl_s,
    )


def _first(definition: ServiceDefinition, before: InstanceRow | None) -> Judged:
    attributes = definition.attributes
    if definition.initial == "warning":
        attributes = msgspec.structs.replace(attributes, state="warning")
    is_well = definition.initial in ("passing", "warning")
    return _with(definition.registration, attributes), _wanted(before) if is_well else "critical"


def _wanted(before: InstanceRow | None) -> Status:
    """Whoever registers again has ended its draining; maintenance is ended where it was begun."""
    return "maintenance" if before is not None and before.wanted == "maintenance" else "passing"


def _with(registration: Registration, attributes: Attributes) -> Registration:
    """Raises Problem 422 where Meta and what Consul keeps beside it are too much together."""
    metadata = {**without_attributes(registration.metadata), KEY: attributes_text(attributes)}
    errors = tuple(check_metadata(metadata, "Meta"))
    if errors and attributes.output:
        return _with(registration, msgspec.structs.replace(attributes, output=""))
    if errors:
        raise invalid_request(errors[0].message, errors)
    return msgspec.structs.replace(
        registration,
        weight=attributes.warning_weight if attributes.state else attributes.passing_weight,
        metadata=metadata,
    )


def _there(key: InstanceKey, before: InstanceRow | None) -> tuple[InstanceRow, Attributes]:
    """Raises Problem 404 for one that is gone, or that another protocol holds by now."""
    attributes = None if before is None else attributes_of(before.instance.metadata)
    if before is None or attributes is None:
        raise no_instance(key)
    return before, attributes
