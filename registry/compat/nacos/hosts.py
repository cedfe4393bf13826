"""Nacos's instance and ours.

ephemeral is a lease, persistent a check by the registry; enabled is the contrary of our maintenance and draining;
healthy is the contrary of critical. Nacos weighs with fractions and up to 10,000, we with whole numbers up to 1,000:
what does not fit is rounded for the calls, and kept as it was for Nacos's clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.model.registration import ChosenStatus, InstancePatch, Registration, read_registration
from registry.compat.bookkeeping import NACOS, shown_metadata
from registry.compat.nacos.names import (
    CLUSTER,
    DEFAULT_CLUSTER,
    Place,
    checked_cluster,
    cluster_of,
    instance_label,
)
from registry.compat.nacos.parameters import (
    Parameters,
    flag,
    metadata_of,
    plain_metadata,
    refused,
    required,
    weight_of,
    whole,
)

if TYPE_CHECKING:
    from meshway.model.instance import Instance, Status
    from registry.view.rows import InstanceKey, InstanceRow

BEAT_INTERVAL_MS: Final = 5_000
BEAT_TIMEOUT_MS: Final = 15_000
INTERVAL: Final = "preserved.heart.beat.interval"
TIMEOUT: Final = "preserved.heart.beat.timeout"
WEIGHT: Final = NACOS + "weight"
DISABLED: Final = NACOS + "disabled"
_CHECK: Final = {"type": "tcp"}
"""Of persistent instances, as Nacos's own is unless told."""
_MAX_WEIGHT: Final = 1000
_TTL_S: Final = (3, 3600)


class Announcement(msgspec.Struct, frozen=True):
    """A registration as Nacos's clients send it. enabled None: nothing is said of it (a beat)."""

    registration: Registration
    enabled: bool | None

    @property
    def key(self) -> InstanceKey:
        registration = self.registration
        return (registration.namespace, registration.service, registration.id)

    def over(self, before: InstanceRow | None) -> tuple[Registration, Status]:
        """What was asked of us in our own words (drain, maintenance) ends in our own words; whether a persistent one
        is healthy its check says."""
        wanted: Status = _wanted(self.enabled is not False)
        if before is not None and before.wanted != _wanted(said_enabled(before.instance)):
            wanted = before.wanted
        if wanted == "passing" and self.registration.check is not None and not _is_checked_well(before):
            wanted = "critical"
        return self.registration, wanted


class Beat(msgspec.Struct, rename="camel"):
    """`beat` as its clients write it; further members are of no matter here."""

    ip: str
    port: int
    cluster: str | None = None
    weight: float = 1.0
    ephemeral: bool = True
    metadata: dict[str, Any] | None = None


_decode_beat: Final = msgspec.json.Decoder(Beat).decode


def read_host(parameters: Parameters, place: Place) -> Announcement:
    """Raises Problem 400, 422."""
    return _announcement(
        place,
        ip=required(parameters, "ip"),
        port=whole(parameters, "port"),
        cluster=cluster_of(parameters),
        weight=weight_of(parameters.get("weight", "").strip() or "1"),
        metadata=metadata_of(parameters.get("metadata", "")),
        enabled=flag(parameters, "enabled", "enable", default=True),
        ephemeral=flag(parameters, "ephemeral", default=True),
    )


def read_beat(text: str) -> Beat:
    """Raises Problem 400."""
    try:
        beat = _decode_beat(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise refused(f"beat: {error}") from None
    checked_cluster(beat.cluster or "")
    return beat


def announced_by_beat(beat: Beat, place: Place, cluster: str) -> Announcement:
    """A beat of one that is not known any more brings all that is needed to register. Raises Problem 400, 422."""
    return _announcement(
        place,
        ip=beat.ip,
        port=beat.port,
        cluster=cluster,
        weight=weight_of(str(beat.weight)),
        metadata=plain_metadata(beat.metadata),
        enabled=None,
        ephemeral=beat.ephemeral,
    )


def modification(instance: Instance, parameters: Parameters) -> InstancePatch:
    """What is given is changed, what is not stays. Raises Problem 400."""
    metadata: dict[str, str | None] = {}
    if "metadata" in parameters:
        metadata |= dict.fromkeys(shown_metadata(instance.metadata))
        metadata |= metadata_of(parameters["metadata"])
    weight = None
    if text := parameters.get("weight", "").strip():
        weight, kept = _weighed(weight_of(text))
        metadata[WEIGHT] = kept
    status: ChosenStatus | None = None
    if parameters.get("enabled") or parameters.get("enable"):
        enabled = flag(parameters, "enabled", "enable", default=True)
        status, metadata[DISABLED] = _wanted(enabled), None if enabled else "true"
    return InstancePatch(weight=weight, metadata=metadata or None, status=status)


def host_of(row: InstanceRow, full_name: str) -> dict[str, Any]:
    """An instance as lists show it. full_name: `group@@name` of its service."""
    instance = row.instance
    cluster = shown_cluster(instance)
    return {
        "instanceId": f"{instance.address}#{instance.port}#{cluster}#{full_name}",
        "ip": instance.address,
        "port": instance.port,
        "weight": shown_weight(instance),
        "healthy": is_healthy(instance),
        "enabled": is_enabled(row),
        "ephemeral": instance.check is None,
        "clusterName": cluster,
        "serviceName": full_name,
        "metadata": shown_metadata(instance.metadata),
        "instanceHeartBeatInterval": beat_interval_ms(instance),
        "instanceHeartBeatTimeOut": row.ttl_s * 1000 if instance.check is None else BEAT_TIMEOUT_MS,
        "marked": False,
        "valid": is_healthy(instance),
    }


def is_healthy(instance: Instance) -> bool:
    return instance.status != "critical"


def is_enabled(row: InstanceRow) -> bool:
    return row.wanted == "passing"


def said_enabled(instance: Instance) -> bool:
    return DISABLED not in instance.metadata


def shown_cluster(instance: Instance) -> str:
    return instance.metadata.get(CLUSTER, DEFAULT_CLUSTER)


def shown_weight(instance: Instance) -> float:
    kept = instance.metadata.get(WEIGHT)
    try:
        return float(instance.weight if kept is None else kept)
    except ValueError:  # somebody wrote nonsense under our key
        return float(instance.weight)


def beat_interval_ms(instance: Instance) -> int:
    """What clients are told to wait between beats."""
    return _milliseconds(instance.metadata, INTERVAL, BEAT_INTERVAL_MS)


def _announcement(
    place: Place,
    *,
    ip: str,
    port: int,
    cluster: str,
    weight: float,
    metadata: dict[str, str],
    enabled: bool | None,
    ephemeral: bool,
) -> Announcement:
    rounded, kept_weight = _weighed(weight)
    kept = dict(place.kept)
    if cluster != DEFAULT_CLUSTER:
        kept[CLUSTER] = cluster
    if kept_weight is not None:
        kept[WEIGHT] = kept_weight
    if enabled is False:
        kept[DISABLED] = "true"
    body: dict[str, Any] = {
        "address": ip,
        "port": port,
        "weight": rounded,
        "metadata": {**metadata, **kept},
        "version": metadata.get("version", ""),
    }
    if ephemeral:
        ttl_s = -(-_milliseconds(metadata, TIMEOUT, BEAT_TIMEOUT_MS) // 1000)
        body["ttl_s"] = min(max(ttl_s, _TTL_S[0]), _TTL_S[1])
    else:
        body["check"] = _CHECK
    registration = read_registration(
        body,
        namespace=place.namespace,
        service=place.service,
        instance_id=instance_label(ip, port, cluster),
        address=None,
    )
    return Announcement(registration, enabled)


def _is_checked_well(row: InstanceRow | None) -> bool:
    """The check is the same for all, and the address is in the id: what was found stands."""
    return row is not None and row.instance.check is not None and is_healthy(row.instance)


def _weighed(weight: float) -> tuple[int, str | None]:
    """Ours, and Nacos's where ours does not say it. Whoever weighs a little is still called."""
    rounded = 0 if weight == 0 else min(max(round(weight), 1), _MAX_WEIGHT)
    return rounded, None if rounded == weight else repr(weight)


def _wanted(enabled: bool) -> ChosenStatus:
    return "passing" if enabled else "maintenance"


def _milliseconds(metadata: dict[str, str], name: str, default: int) -> int:
    text = metadata.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 else default
