"""Consul's API in our description."""

from __future__ import annotations

from typing import Any, Final

from registry.compat.consul.refusals import TEXT
from registry.compat.consul.shapes import (
    ConsulAgentHealth,
    ConsulAgentService,
    ConsulCatalogNode,
    ConsulCatalogService,
    ConsulCheck,
    ConsulHealth,
    ConsulNode,
    ConsulNodeServices,
)
from registry.manners.openapi import Operation, Parameter

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "string", "enum": ["", "true", "false", "1", "0"]}
_OBJECT: Final = {"type": "object"}
_ID: Final = {"id": "orders-1"}
_CHECK: Final = {"id": "service:orders-1"}
_SERVICE: Final = {"service": "orders"}
_NODE: Final = {"node": "127.0.0.1"}
_NAMESPACE: Final = Parameter(name="ns", about="The namespace; default unless told.")
_PLACE: Final = (_NAMESPACE, Parameter(name="dc", about="dc1, the only one.", schema={"const": "dc1"}))
_BLOCKING: Final = (
    *_PLACE,
    Parameter(name="index", about="X-Consul-Index of the answer before: held until there is a newer one."),
    Parameter(name="wait", about="How long at most, as 30s or 5m; 5m unless told, at most 10m."),
)
_TAG: Final = Parameter(name="tag", about="Only instances with this tag; may be given again.")
_FILTER: Final = Parameter(name="filter", about='As `Service.Meta.zone == "a"`; see docs/guide/consul.md.')
_NOTE: Final = Parameter(name="note", about="The check's output.")
_DEFINITION: Final = {
    "type": "object",
    "description": "A service as Consul defines it; docs/guide/consul.md has its fields.",
}


def consul_operations() -> list[Operation]:
    return [*_agent_services(), *_agent_health(), *_agent_checks(), *_catalog(), *_health(), *_about()]


def _agent_services() -> list[Operation]:
    service = "/v1/agent/service"
    return [
        _put(
            f"{service}/register",
            "RegisterService",
            "Register a service with its check.",
            body=_DEFINITION,
            example_body={"Name": "orders", "ID": "orders-1", "Port": 9000, "Check": {"TTL": "15s"}},
        ),
        _put(
            "/v1/catalog/register",
            "RegisterInCatalog",
            "Register a service that somebody else watches.",
            body=_OBJECT,
            answers={200: {"type": "boolean"}},
            example_body={
                "Node": "billing-host",
                "Address": "127.0.0.1",
                "Service": {"Service": "billing", "ID": "billing-1", "Port": 9001},
            },
        ),
        _put(
            f"{service}/deregister/{{id}}",
            "DeregisterService",
            "Deregister a service.",
            answers={200: None, 404: _TEXT},
            example={"id": "billing-1"},
        ),
        _put(
            f"{service}/maintenance/{{id}}",
            "MaintainService",
            "Take a service out of the calls, or back.",
            parameters=(
                *_PLACE,
                Parameter(name="enable", about="true: out.", schema=_FLAG),
                Parameter(name="reason", about="Why; shown as the notes of the check that stands for it."),
            ),
            answers={200: None, 404: _TEXT},
            example=_ID,
            example_query={"enable": "false"},
        ),
        _get(
            f"{service}/{{id}}",
            "AgentService",
            "One service.",
            {200: ConsulAgentService, 404: _TEXT},
            parameters=(*_PLACE, Parameter(name="hash", about="ContentHash of the answer before: held until another.")),
            example=_ID,
        ),
        _get(
            "/v1/agent/services",
            "AgentServices",
            "Services by their ID.",
            {200: _map(ConsulAgentService)},
            (*_PLACE, _FILTER),
        ),
    ]


def _agent_health() -> list[Operation]:
    health = dict.fromkeys((200, 429, 503), ConsulAgentHealth) | {404: _TEXT}
    healths = dict.fromkeys((200, 429, 503), _list(ConsulAgentHealth)) | {404: _TEXT}
    as_text = Parameter(name="format", about="text: the status alone.", schema={"enum": ["text"]})
    return [
        _get(
            "/v1/agent/health/service/id/{id}",
            "ServiceHealth",
            "A service with its checks; the status says how it is.",
            health,
            parameters=(*_PLACE, as_text),
            or_text=True,
            example=_ID,
        ),
        _get(
            "/v1/agent/health/service/name/{service}",
            "ServicesHealth",
            "All of that name.",
            healths,
            parameters=(*_PLACE, as_text),
            or_text=True,
            example=_SERVICE,
        ),
    ]


def _agent_checks() -> list[Operation]:
    check = "/v1/agent/check"
    updates = (("fail", "critical"), ("warn", "warning"), ("pass", "passing"))
    return [
        _put(
            f"{check}/register",
            "RegisterCheck",
            "Give a service its check.",
            body=_OBJECT,
            example_body={
                "Name": "alive",
                "CheckID": "service:orders-1",
                "ServiceID": "orders-1",
                "TTL": "30s",
                "Status": "passing",
            },
        ),
        _put(
            f"{check}/update/{{id}}",
            "UpdateCheck",
            "Say how it is.",
            body=_OBJECT,
            answers={200: None, 404: _TEXT},
            example=_CHECK,
            example_body={"Status": "passing", "Output": "all is well"},
        ),
        *(
            _put(
                f"{check}/{verb}/{{id}}",
                f"{verb.capitalize()}Check",
                f"It is {status}.",
                parameters=(*_PLACE, _NOTE),
                answers={200: None, 404: _TEXT},
                example=_CHECK,
            )
            for verb, status in updates
        ),
        _put(
            f"{check}/deregister/{{id}}",
            "DeregisterCheck",
            "Take its check from a service, which then passes.",
            answers={200: None, 404: _TEXT},
            example=_CHECK,
        ),
        _get("/v1/agent/checks", "AgentChecks", "Checks by their ID.", {200: _map(ConsulCheck)}, (*_PLACE, _FILTER)),
    ]


def _catalog() -> list[Operation]:
    tags = {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}}
    nothing = {"type": "null"}
    return [
        _put(
            "/v1/catalog/deregister",
            "DeregisterFromCatalog",
            "Deregister a service; also done when it is gone.",
            body=_OBJECT,
            answers={200: {"type": "boolean"}},
            example_body={"Node": "billing-host", "ServiceID": "billing-1"},
        ),
        _get("/v1/catalog/datacenters", "Datacenters", "The one there is.", {200: {"type": "array", "items": _TEXT}}),
        _get("/v1/catalog/services", "CatalogServices", "Services with their tags.", {200: tags}, _BLOCKING),
        _get(
            "/v1/catalog/service/{service}",
            "CatalogService",
            "Instances of a service.",
            {200: _list(ConsulCatalogService)},
            (*_BLOCKING, _TAG, _FILTER),
            example=_SERVICE,
        ),
        _get(
            "/v1/catalog/nodes",
            "CatalogNodes",
            "Addresses of instances.",
            {200: _list(ConsulNode)},
            (*_BLOCKING, _FILTER),
        ),
        _get(
            "/v1/catalog/node/{node}",
            "CatalogNode",
            "What runs at an address.",
            {200: {"oneOf": [_ref(ConsulCatalogNode), nothing]}},
            (*_BLOCKING, _FILTER),
            example=_NODE,
        ),
        _get(
            "/v1/catalog/node-services/{node}",
            "CatalogNodeServices",
            "The same as a list.",
            {200: {"oneOf": [_ref(ConsulNodeServices), nothing]}},
            (*_BLOCKING, _FILTER),
            example=_NODE,
        ),
    ]


def _health() -> list[Operation]:
    passing = Parameter(name="passing", about="Only instances that may be called.", schema=_FLAG)
    return [
        _get(
            "/v1/health/service/{service}",
            "HealthService",
            "Instances of a service with their checks.",
            {200: _list(ConsulHealth)},
            (*_BLOCKING, passing, _TAG, _FILTER),
            example=_SERVICE,
        ),
        _get(
            "/v1/health/checks/{service}",
            "HealthChecks",
            "Checks of a service.",
            {200: _list(ConsulCheck)},
            (*_BLOCKING, _FILTER),
            example=_SERVICE,
        ),
        _get(
            "/v1/health/node/{node}",
            "HealthNode",
            "Checks of an address.",
            {200: _list(ConsulCheck)},
            (*_BLOCKING, _FILTER),
            example=_NODE,
        ),
        _get(
            "/v1/health/state/{state}",
            "HealthState",
            "Checks in a state: passing, warning, critical, any.",
            {200: _list(ConsulCheck)},
            (*_BLOCKING, _FILTER),
            example={"state": "any"},
        ),
    ]


def _about() -> list[Operation]:
    return [
        _get("/v1/agent/self", "AgentSelf", "What the registry is to a client of Consul.", {200: _OBJECT}),
        _get("/v1/agent/members", "AgentMembers", "The registry.", {200: {"type": "array", "items": _OBJECT}}),
        _get("/v1/status/leader", "Leader", "Where the registry is.", {200: _TEXT}),
        _get("/v1/status/peers", "Peers", "The same as a list.", {200: {"type": "array", "items": _TEXT}}),
    ]


def _put(path: str, name: str, about: str, **more: Any) -> Operation:
    row: dict[str, Any] = {"answers": {200: None}, "parameters": _PLACE} | more
    return Operation(
        method="PUT",
        path=path,
        id=f"consul{name}",
        tag="consul",
        about=about,
        right="instances:write",
        by_rows=True,
        by_session=False,
        errors=TEXT,
        **row,
    )


def _get(
    path: str,
    name: str,
    about: str,
    answers: dict[int, Any],
    parameters: tuple[Parameter, ...] = _PLACE,
    example: dict[str, str] | None = None,
    *,
    or_text: bool = False,
) -> Operation:
    return Operation(
        method="GET",
        path=path,
        id=f"consul{name}",
        tag="consul",
        about=about,
        right="instances:read",
        by_rows=True,
        by_session=False,
        parameters=parameters,
        answers=answers,
        errors=TEXT,
        or_text=or_text,
        example=example or {},
    )


def consul_shapes() -> tuple[type, ...]:
    """Structs that the schemas here refer to by name."""
    return (
        ConsulAgentHealth,
        ConsulAgentService,
        ConsulCatalogNode,
        ConsulCatalogService,
        ConsulCheck,
        ConsulHealth,
        ConsulNode,
        ConsulNodeServices,
    )


def _ref(of: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{of.__name__}"}


def _list(of: type) -> dict[str, Any]:
    return {"type": "array", "items": _ref(of)}


def _map(of: type) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _ref(of)}
