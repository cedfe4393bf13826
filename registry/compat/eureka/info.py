"""Eureka's InstanceInfo and our instance: what one says is kept in the other, so that there is one truth.

What our model has no field for stands in the instance's metadata under keys of ours, which Eureka's clients neither see
nor write. Source: Netflix/eureka, com.netflix.appinfo.InstanceInfo and LeaseInfo, and its REST wiki page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from meshway.model.registration import ChosenStatus, Registration, read_registration
from meshway.problem import Problem
from registry.compat.bookkeeping import EUREKA, is_kept, shown_metadata
from registry.compat.eureka.statuses import (
    DIRTY,
    OVERRIDE,
    STATUS,
    Status,
    announced_status,
    override_of,
    shown_status,
)
from registry.compat.labels import is_label, label_of

if TYPE_CHECKING:
    from meshway.model.instance import Instance
    from registry.view.rows import InstanceRow

FACTS: Final = EUREKA + "registration"
NAMESPACE: Final = "default"
"""Eureka has none; its clients live here."""
DEFAULT_DURATION_S: Final = 90
DEFAULT_RENEWAL_S: Final = 30
SECURE: Final = "secure"
"""Our name of the port that Eureka calls securePort."""
_TTL_S: Final = (3, 3600)
_MY_OWN: Final = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
_MY_OWN_NAME: Final = "MyOwn"
_AMAZON: Final = "com.netflix.appinfo.AmazonInfo"
_EMPTY: Final = {"@class": "java.util.Collections$EmptyMap"}
_STATUSES: Final = frozenset(get_args(Status))


class Facts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What Eureka says of an instance and ours does not. id, app, host: where they are not what ours would say."""

    id: str = ""
    app: str = ""
    host: str = ""
    vip: str = ""
    secure_vip: str = ""
    home: str = ""
    status_page: str = ""
    health: str = ""
    secure_health: str = ""
    group: str = ""
    asg: str = ""
    country: int = 1
    center: str = ""
    center_metadata: dict[str, str] = {}
    renewal_s: int = DEFAULT_RENEWAL_S
    updated: str = ""


_decode: Final = msgspec.json.Decoder(Facts).decode
_encode: Final = msgspec.json.Encoder().encode
_NONE: Final = Facts()


class Announcement(msgspec.Struct, frozen=True):
    """A registration as Eureka's clients send it. status: what the instance says of itself."""

    registration: Registration
    status: Status

    def over(self, before: InstanceRow | None) -> tuple[Registration, ChosenStatus]:
        """What it makes of what is there: an override outlives the registrations of its instance."""
        override = None if before is None else override_of(before.instance)
        registration = self.registration
        if override is not None:
            registration = msgspec.structs.replace(registration, metadata={**registration.metadata, OVERRIDE: override})
        return registration, announced_status(self.status, before)


def service_of(app: str) -> str:
    """Our service of an app; Eureka's names are the same in any case. Raises Problem 400."""
    lowered = app.lower()
    return lowered if is_label(lowered) else _label(app.upper(), "app")


def instance_id_of(eureka_id: str) -> str:
    """Raises Problem 400."""
    return _label(eureka_id, "instanceId")


def read_info(raw: object, app: str) -> Announcement:
    """raw: the body, `{"instance": {...}}` in the JSON form. app: the path's. Raises Problem 400, 422."""
    info = raw.get("instance") if isinstance(raw, Mapping) else None
    if not isinstance(info, Mapping):
        raise refused('the body holds no "instance"')
    texts = {name: _text(info, name) for name in ("app", "hostName", "ipAddr", "instanceId", "vipAddress")}
    for name in ("hostName", "ipAddr", "app"):
        if not texts[name]:
            raise refused(f"Missing {name}")
    if texts["app"].upper() != app.upper():
        raise refused(f"Mismatched appName, expecting {app.upper()} but was {texts['app'].upper()}")
    status = (_text(info, "status") or "UP").upper()
    if status not in _STATUSES:
        raise refused(f"status {status[:100]!r} is none of {', '.join(sorted(_STATUSES))}")
    eureka_id = texts["instanceId"] or texts["hostName"]
    service, instance_id = service_of(app), instance_id_of(eureka_id)
    metadata = read_metadata(info.get("metadata"))
    center = _part(info, "dataCenterInfo")
    center_metadata = read_metadata(center.get("metadata"))
    lease = _part(info, "leaseInfo")
    facts = Facts(
        id="" if eureka_id == instance_id else eureka_id,
        app="" if service == app.lower() else app.upper(),
        host="" if texts["hostName"] == texts["ipAddr"] else texts["hostName"],
        vip=texts["vipAddress"],
        secure_vip=_text(info, "secureVipAddress"),
        home=_text(info, "homePageUrl"),
        status_page=_text(info, "statusPageUrl"),
        health=_text(info, "healthCheckUrl"),
        secure_health=_text(info, "secureHealthCheckUrl"),
        group=_text(info, "appGroupName"),
        asg=_text(info, "asgName"),
        country=_number(info, "countryId", 1),
        center="" if _text(center, "name") == _MY_OWN_NAME else _text(center, "name"),
        center_metadata=center_metadata,
        renewal_s=_number(lease, "renewalIntervalInSecs", DEFAULT_RENEWAL_S) or DEFAULT_RENEWAL_S,
        updated=_text(info, "lastUpdatedTimestamp"),
    )
    own = {FACTS: _encode(facts).decode(), DIRTY: str(_number(info, "lastDirtyTimestamp", 0))}
    if status != "UP":
        own[STATUS] = status
    port, secure = _ports(info)
    body = {
        "address": texts["ipAddr"],
        "port": port,
        "ports": {} if secure is None else {SECURE: secure},
        "zone": metadata.get("zone") or center_metadata.get("availability-zone", ""),
        "version": metadata.get("version", ""),
        "metadata": {**metadata, **own},
        "ttl_s": min(max(_number(lease, "durationInSecs", 0) or DEFAULT_DURATION_S, _TTL_S[0]), _TTL_S[1]),
    }
    registration = read_registration(body, namespace=NAMESPACE, service=service, instance_id=instance_id, address=None)
    return Announcement(registration, status)  # type: ignore[arg-type]  # one of _STATUSES


def read_metadata(raw: object) -> dict[str, str]:
    """Metadata that a client may write. Raises Problem 400."""
    if raw is None or raw == "":
        return {}
    if not isinstance(raw, Mapping):
        raise refused("metadata is no map")
    metadata: dict[str, str] = {}
    for key, value in raw.items():
        if key.startswith("@") or value is None:  # Java's class names, and nothing
            continue
        if is_kept(key):
            raise refused(f"metadata {key[:100]!r}: this name is kept for the registry")
        metadata[key] = _text(raw, key)
    return metadata


def facts_of(instance: Instance) -> Facts:
    """Of an instance that another protocol registered, or under nonsense in our key: nothing."""
    text = instance.metadata.get(FACTS)
    if text is None:
        return _NONE
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return _NONE


def app_of(instance: Instance, facts: Facts | None = None) -> str:
    return (facts or facts_of(instance)).app or instance.service.upper()


def vips_of(instance: Instance, *, secure: bool) -> list[str]:
    """The virtual addresses a caller finds it by; without one of its own, its service's name."""
    facts = facts_of(instance)
    if secure:
        return facts.secure_vip.split(",") if facts.secure_vip else []
    return (facts.vip or instance.service).split(",")


def info_of(row: InstanceRow, action: str | None = None) -> dict[str, Any]:
    """InstanceInfo in the JSON form, without its envelope. action: of a delta."""
    instance = row.instance
    facts = facts_of(instance)
    metadata = shown_metadata(instance.metadata)
    center: dict[str, Any] = {
        "@class": _AMAZON if facts.center == "Amazon" else _MY_OWN,
        "name": facts.center or _MY_OWN_NAME,
    }
    if facts.center_metadata:
        center["metadata"] = facts.center_metadata
    dirty = instance.metadata.get(DIRTY, "0")
    secure = instance.ports.get(SECURE)
    info: dict[str, Any] = {
        "instanceId": facts.id or instance.id,
        "hostName": facts.host or instance.address,
        "app": app_of(instance, facts),
        "ipAddr": instance.address,
        "status": shown_status(instance),
        "overriddenstatus": override_of(instance) or "UNKNOWN",
        "port": {"$": instance.port, "@enabled": "true"},
        "securePort": {"$": secure or 443, "@enabled": "true" if secure else "false"},
        "countryId": facts.country,
        "dataCenterInfo": center,
        "leaseInfo": {
            "renewalIntervalInSecs": facts.renewal_s,
            "durationInSecs": row.ttl_s if instance.check is None else DEFAULT_DURATION_S,
            "registrationTimestamp": 0,
            "lastRenewalTimestamp": 0,
            "evictionTimestamp": 0,
            "serviceUpTimestamp": 0,
        },
        "metadata": metadata or _EMPTY,
        "vipAddress": facts.vip or instance.service,
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": facts.updated or dirty,
        "lastDirtyTimestamp": dirty,
    }
    further = {
        "appGroupName": facts.group,
        "homePageUrl": facts.home,
        "statusPageUrl": facts.status_page,
        "healthCheckUrl": facts.health,
        "secureHealthCheckUrl": facts.secure_health,
        "secureVipAddress": facts.secure_vip,
        "asgName": facts.asg,
        "actionType": action,
    }
    return info | {name: value for name, value in further.items() if value}


def refused(detail: str) -> Problem:
    return Problem(400, "bad_request", "Bad Request", detail=detail)


def _label(name: str, what: str) -> str:
    try:
        return label_of(name)
    except ValueError as error:
        raise refused(f"{what}: {error}") from None


def _ports(info: Mapping[str, Any]) -> tuple[int, int | None]:
    """The port and, where it is enabled, the secure one. Raises Problem 400 for an instance that only speaks TLS."""
    port, is_open = _port(info, "port", enabled=True)
    secure, is_secure = _port(info, "securePort", enabled=False)
    if not is_open:
        raise refused("port is not enabled: instances are called over plain HTTP; enable it beside securePort")
    return port, secure if is_secure else None


def _port(info: Mapping[str, Any], name: str, *, enabled: bool) -> tuple[int, bool]:
    raw = info.get(name)
    if isinstance(raw, Mapping):
        enabled = str(raw.get("@enabled", enabled)).lower() == "true"
        return _number(raw, "$", 0), enabled
    return _number(info, name, 0), enabled and raw is not None


def _part(info: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = info.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise refused(f"{name[:100]} is no text")


def _number(info: Mapping[str, Any], name: str, default: int) -> int:
    text = _text(info, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise refused(f"{name}: {text[:100]!r} is no whole number")
    return int(text)
