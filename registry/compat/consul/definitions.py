"""What a client says of a service and its check, as a registration of ours and what stays of it for Consul."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from meshway.model.registration import Registration, read_registration
from registry.compat.bookkeeping import is_kept
from registry.compat.consul.asked import KINDS, read_asked
from registry.compat.consul.attributes import NO_CHECK, Attributes, CheckKind, Tagged
from registry.compat.consul.names import label_of, service_of
from registry.compat.consul.refusals import Refusal

if TYPE_CHECKING:
    from meshway.model.traffic_policy import HealthCheck
    from registry.compat.consul.bodies import Fields

MIN_TTL_S: Final = 3
MAX_TTL_S: Final = 3600
MAX_DEREGISTER_S: Final = 10 * 365 * 86_400
# An instance without a check has a lease like all others; the keeper renews it (keeper.py).
KEPT_TTL_S: Final = MAX_TTL_S
_KINDS: Final[dict[str, CheckKind]] = {"HTTP": "http", "TCP": "tcp", "GRPC": "grpc"}
_NO_CHECKS: Final = (
    "Args", "Script", "DockerContainerID", "AliasNode", "AliasService", "H2PING", "UDP", "OSService",
)  # fmt: skip
_NO_SERVICES: Final = ("Kind", "Proxy", "Connect", "SocketPath")

Initial = Literal["", "passing", "warning", "critical"]


class CheckDefinition(msgspec.Struct, frozen=True):
    """initial: the status it is to have when it is new; "": critical, until the first update or answer.

    asked: how the registry asks the instance, where it is no TTL check.
    """

    kind: CheckKind = NO_CHECK
    check_id: str = ""
    name: str = ""
    notes: str = ""
    initial: Initial = ""
    ttl_s: int = KEPT_TTL_S
    asked: HealthCheck | None = None
    deregister_s: int = 0


class ServiceDefinition(msgspec.Struct, frozen=True):
    """registration: without what Consul keeps beside it, which `attributes` is."""

    consul_id: str
    registration: Registration
    attributes: Attributes
    initial: Initial


NO_DEFINITION: Final = CheckDefinition(initial="passing")


def read_service(
    fields: Fields, *, name: str, check: CheckDefinition, namespace: str, address: str | None
) -> ServiceDefinition:
    """name: how the field with the service's name is called, Name or Service. address: for one that says none.

    Raises Refusal 400, and Problem 422 for what our own model does not take.
    """
    if not fields.text(name):
        raise Refusal(400, "Missing service name")
    _refuse_all(fields, _NO_SERVICES, "of services is not supported")
    service = service_of(fields.text(name))
    consul_id = fields.text("ID") or fields.text(name)
    label = label_of(consul_id)
    weights = fields.object("Weights")
    passing = weights.number("Passing", 1) if weights else 1
    warning = weights.number("Warning", 1) if weights else 1
    attributes = Attributes(
        id="" if label == consul_id else consul_id,
        check=check.kind,
        check_id="" if check.check_id == f"service:{consul_id}" else check.check_id,
        check_name=check.name,
        notes=check.notes,
        passing_weight=passing,
        warning_weight=_bounded(warning, "Weights.Warning", 0, 1000),
        tagged=_tagged(fields),
        tag_override=fields.flag("EnableTagOverride"),
        deregister_s=check.deregister_s,
    )
    meta = _meta(fields)
    locality = fields.object("Locality")
    raw: dict[str, Any] = {
        "port": fields.number("Port", 0),
        "weight": passing,
        "tags": fields.get("Tags") or [],
        "metadata": meta,
        "version": meta.get("version", "") if len(meta.get("version", "")) <= 255 else "",
        "zone": locality.text("Zone") if locality else "",
        "ttl_s": check.ttl_s,
    }
    if fields.text("Address"):
        raw["address"] = fields.text("Address").lower()
    registration = read_registration(raw, namespace=namespace, service=service, instance_id=label, address=address)
    registration = msgspec.structs.replace(registration, check=check.asked)
    return ServiceDefinition(consul_id, registration, attributes, check.initial)


def read_checks(fields: Fields, address: str) -> CheckDefinition:
    """Of a service: the one check there may be, under Check or in Checks. address: for a service that says none.

    Raises Refusal 400, and Problem 422 for a check that our rules forbid.
    """
    single = fields.object("Check")
    given = [check for check in [*([single] if single else []), *fields.objects("Checks")] if not check.is_empty()]
    if len(given) > 1:
        raise Refusal(400, f"Invalid checks: {len(given)} are given, an instance here has one lease and so one check")
    return read_check(given[0], fields.text("Address").lower() or address) if given else NO_DEFINITION


def read_check(fields: Fields, address: str) -> CheckDefinition:
    """address: the instance's. Raises as read_checks."""
    _refuse_all(fields, _NO_CHECKS, "checks are not supported")
    ttl_s = fields.duration_s("TTL")
    kinds = [kind for kind in KINDS if fields.text(kind)]
    if len(kinds) + bool(ttl_s) != 1:
        raise Refusal(400, "Invalid check: it has one of TTL, HTTP, TCP and GRPC")
    if ttl_s > MAX_TTL_S:
        raise Refusal(400, f"Invalid check: a TTL is at most {MAX_TTL_S}s here")
    return CheckDefinition(
        kind=_KINDS[kinds[0]] if kinds else "ttl",
        asked=read_asked(fields, kinds[0], address) if kinds else None,
        check_id=fields.text("CheckID") or fields.text("ID"),
        name=fields.text("Name"),
        notes=fields.text("Notes"),
        initial=read_initial(fields),
        ttl_s=max(MIN_TTL_S, math.ceil(ttl_s)) if ttl_s else KEPT_TTL_S,
        deregister_s=min(MAX_DEREGISTER_S, math.ceil(fields.duration_s("DeregisterCriticalServiceAfter"))),
    )


def read_initial(fields: Fields) -> Initial:
    status = fields.text("Status")
    if status in ("", "passing", "warning", "critical"):
        return status  # type: ignore[return-value]  # mypy does not narrow by `in`
    raise Refusal(400, f'Invalid check status: "{status[:100]}"')


def _refuse_all(fields: Fields, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if fields.get(name):
            raise Refusal(400, f"{name} {reason}")


def _meta(fields: Fields) -> dict[str, str]:
    meta = fields.get("Meta") or {}
    if not isinstance(meta, dict) or not all(isinstance(value, str) for value in meta.values()):
        raise Refusal(400, "Request decode failed: Meta must be an object of texts")
    for key in filter(is_kept, meta):
        raise Refusal(400, f"Invalid Meta: the key {key} is the registry's own")
    return meta


def _tagged(fields: Fields) -> dict[str, Tagged]:
    tagged: dict[str, Tagged] = {}
    for tag, place in fields.objects_by_name("TaggedAddresses").items():
        port = _bounded(place.number("Port", 0), f"TaggedAddresses.{tag}.Port", 0, 65_535)
        tagged[tag] = (place.text("Address"), port)
    return tagged


def _bounded(number: int, name: str, low: int, high: int) -> int:
    if not low <= number <= high:
        raise Refusal(400, f"Invalid {name}: {number} is not within {low} and {high}")
    return number
