"""What the machine routes are, for the API's description."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from meshway.model.registration import MAX_BATCH, InstancePatch, Registration
from registry.catalog.catalog import InstancePage, Listed
from registry.catalog.registering import Registered
from registry.leases.writes import Renewal
from registry.machine.discovery import ListedService, ListedServicePage
from registry.machine.gateways_description import gateway_operations
from registry.machine.heartbeats import Heartbeats
from registry.machine.logs_description import log_operations
from registry.machine.schemas import A_PROBLEM, PAGE, WHOLE
from registry.machine.streams_description import stream_operations
from registry.machine.table import INSTANCE, INSTANCES, SERVICE, SERVICES
from registry.manners.openapi import REF, Operation, Parameter, unit_schema

_PLACE: Final = {"namespace": "default", "service": "books", "id": "books-1"}

_SINCE: Final = (
    Parameter(name="since", about="Hold the answer until something changed after this revision.", schema=WHOLE),
    Parameter(
        name="wait_s",
        about="How long to hold it, seconds; 30 unless told.",
        schema={"type": "number", "minimum": 0, "maximum": 300},
    ),
    Parameter(name="If-None-Match", about="The ETag of what is known: 304 when it still holds.", place="header"),
)
_ONCE: Final = Parameter(
    name="Idempotency-Key", about="Sent again within 24 h it gets the first answer.", place="header"
)
_PREFER: Final = Parameter(
    name="Prefer",
    about="`wait=10`: answer when all live gateways run the revision; see Meshway-Applied and Meshway-Pending.",
    place="header",
)


class RegisteredBatch(msgspec.Struct, frozen=True):
    """In the order of the request."""

    revision: int
    instances: list[Registered]


def machine_operations() -> list[Operation]:
    return [
        *_registering(),
        *_renewing(),
        *_discovering(),
        *stream_operations(),
        *gateway_operations(),
        *log_operations(),
    ]


def _registering() -> list[Operation]:
    body = {"port": 9080, "version": "v1", "ttl_s": 30}
    registration = _without_names()
    return [
        Operation(
            method="PUT",
            path=INSTANCE,
            id="registerInstance",
            tag="instances",
            right="instances:write",
            about="Register an instance, or register it again.",
            detail="With the current lease_id it is the same process; without it a new generation and lease begin.",
            parameters=(_PREFER,),
            body=registration,
            answers={200: Registered, 201: Registered},
            example=_PLACE,
            example_body=body,
        ),
        Operation(
            method="POST",
            path=INSTANCES,
            id="registerNewInstance",
            tag="instances",
            right="instances:write",
            about="Register an instance under an id the registry makes.",
            parameters=(_ONCE, _PREFER),
            body=registration,
            answers={200: Registered, 201: Registered},
            example=_PLACE,
            example_body=body,
        ),
        Operation(
            method="POST",
            path="/v1/registrations",
            id="registerInstances",
            by_session=False,
            tag="instances",
            right="instances:write",
            by_rows=True,
            about="Register up to 1,000 instances as one revision, all or nothing.",
            parameters=(_ONCE, _PREFER),
            body=_batch(),
            answers={200: RegisteredBatch},
            example_body={"instances": [{"namespace": "default", "service": "books", "id": "books-2", "port": 9081}]},
        ),
        Operation(
            method="PATCH",
            path=INSTANCE,
            id="patchInstance",
            tag="instances",
            right="instances:drain",
            by_rows=True,
            about="Change weight, tags, metadata or status (merge patch).",
            parameters=(
                Parameter(name="If-Match", about="The ETag of what was read: 412 when it changed.", place="header"),
                _ONCE,
                _PREFER,
            ),
            body=InstancePatch,
            answers={200: Listed, 412: A_PROBLEM},
            example=_PLACE,
            example_body={"status": "draining"},
        ),
        Operation(
            method="DELETE",
            path=INSTANCE,
            id="deregisterInstance",
            tag="instances",
            right="instances:write",
            about="Deregister; also when it is gone already.",
            parameters=(_PREFER,),
            answers={204: None},
            example=_PLACE,
        ),
    ]


def _renewing() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path="/v1/heartbeats",
            id="renewLeases",
            by_session=False,
            tag="instances",
            right="instances:write",
            by_rows=True,
            about="Renew up to 10,000 leases.",
            detail="Register again what is unknown; what is superseded belongs to another process now.",
            body=Heartbeats,
            answers={200: Renewal},
            example_body={"leases": ["1.1.00000000"]},
        ),
        Operation(
            method="PUT",
            path=INSTANCE + "/heartbeat",
            id="renewInstance",
            by_session=False,
            tag="instances",
            right="instances:write",
            about="Renew one lease by the instance's id.",
            answers={200: Renewal},
            example=_PLACE,
        ),
    ]


def _discovering() -> list[Operation]:
    filters = tuple(
        Parameter(name=name, about=f"Only instances of this {name}.") for name in ("status", "tag", "zone", "version")
    )
    rows: list[tuple[str, str, str, tuple[Parameter, ...], Any]] = [
        (
            SERVICES,
            "listServices",
            "Services with the status of their instances.",
            (*PAGE, *_SINCE),
            ListedServicePage,
        ),
        (SERVICE, "getService", "A service: its document, or the defaults, and status counts.", _SINCE, ListedService),
        (INSTANCES, "listInstances", "A service's instances.", (*filters, *PAGE, *_SINCE), InstancePage),
        (INSTANCE, "getInstance", "One instance.", _SINCE, Listed),
    ]
    return [
        Operation(
            method="GET",
            path=path,
            id=name,
            tag="discovery",
            about=about,
            right="instances:read",
            parameters=parameters,
            answers={200: answer, 304: None},
            example=_PLACE,
        )
        for path, name, about, parameters, answer in rows
    ]


def _batch() -> dict[str, Any]:
    """Rows name their place; an id that is left out is made."""
    schema = _registration()
    row = schema | {"title": "RegistrationRow", "required": [name for name in schema["required"] if name != "id"]}
    return {
        "type": "object",
        "required": ["instances"],
        "additionalProperties": False,
        "properties": {"instances": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": row}},
    }


def _registration() -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([Registration], schema_hook=unit_schema, ref_template=REF)
    schema: dict[str, Any] = parts["Registration"]
    return schema


def _without_names() -> dict[str, Any]:
    """Registration's schema as a body under a path that names namespace, service and id already."""
    schema = _registration()
    names = ("namespace", "service", "id")
    return schema | {
        "title": "RegistrationBody",
        "required": [name for name in schema["required"] if name not in names],
        "properties": {name: part for name, part in schema["properties"].items() if name not in names},
    }
