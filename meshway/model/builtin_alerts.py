"""Alerts that are on from the start, as if they were written in namespace `mesh`; a document of the same name changes
the fields it gives. None fires in a mesh that is well, whatever its load."""

from typing import Final, Literal

from meshway.model.alert import Alert, Severity
from meshway.model.nearest import did_you_mean
from meshway.units import Duration

PREFIX: Final = "builtin-"
# Two looks, which are ten seconds apart.
_SOON: Final = Duration(5.0)
_SHORT: Final = Duration(20.0)
# What has waited in its query, as every share of a minute's calls has.
_AT_ONCE: Final = Duration(0.0)


def _built_in(
    query: str,
    severity: Severity,
    summary: str,
    *,
    for_: Duration = _SOON,
    no_data: Literal["keep", "resolve"] = "resolve",
) -> Alert:
    return Alert(query=query, for_=for_, keep_firing=_SHORT, no_data=no_data, severity=severity, summary=summary)


BUILT_IN: Final[dict[str, Alert]] = {
    "builtin-no-instances": _built_in(
        "service=* instances_passing < 1", "critical", "no instance of ${service} is passing"
    ),
    "builtin-self-preservation": _built_in(
        "namespace=* leases_held > 0", "critical", "${value} leases of ${namespace} ran out at once and are spared"
    ),
    "builtin-breaker-open": _built_in(
        "service=* breaker_open > 0", "critical", "the breaker of ${service} is open at ${value} gateways"
    ),
    "builtin-outlier-ejected": _built_in(
        "service=* ejected > 0", "warning", "${value} instances of ${service} are ejected"
    ),
    "builtin-certificate-expiring": _built_in(
        "namespace=* certs_expiring > 0", "warning", "${value} certificates of ${namespace} are about to expire",
        for_=_AT_ONCE,
    ),
    "builtin-gateway-outdated": _built_in(
        "gateway=* snapshot_age > 15s", "warning", "gateway ${gateway} lacks revisions that are ${value} old",
        for_=_AT_ONCE,
    ),
    "builtin-gateway-silent": _built_in(
        "gateway=* gateway_silent > 15s", "critical", "gateway ${gateway} has said nothing for ${value}",
        for_=_AT_ONCE,
        # A registry that has just started has not heard of it: that is no sign that it is back.
        no_data="keep",
    ),
    "builtin-store-slow": _built_in(
        "commit_time > 1s", "critical", "the registry's store takes ${value} to commit"
    ),
    "builtin-limit-reached": _built_in(
        # Not by service: a limit turns calls away before one is chosen.
        "route=* limited_ratio > 5 %", "warning", "a RateLimit turns away ${value} of the calls of route ${route}",
        for_=_AT_ONCE,
    ),
    "builtin-error-jump": _built_in(
        "service=* error_ratio > 2 % and service=* error_ratio vs 24h > 5",
        "warning",
        "${value} of the calls of ${service} fail, five times as many as at this hour yesterday",
        for_=_AT_ONCE,
    ),
    "builtin-errors": _built_in(
        "service=* error_ratio > 10 %", "critical", "${value} of the calls of ${service} fail", for_=_AT_ONCE
    ),
    "builtin-removals-held": _built_in(
        "gateway=* removals_held > 0", "critical", "gateway ${gateway} calls ${value} instances that vanished at once"
    ),
    "builtin-document-refused": _built_in(
        "gateway=* documents_refused > 0", "critical", "gateway ${gateway} cannot compile ${value} documents"
    ),
    "builtin-receiver-failing": _built_in(
        "namespace=* receivers_failing > 0", "critical", "${value} receivers of ${namespace} cannot be told of alerts",
        for_=_AT_ONCE,
    ),
}  # fmt: skip


def is_built_in(namespace: str, name: str) -> bool:
    return namespace == "mesh" and name in BUILT_IN


def unknown_built_in(name: str) -> str:
    """Why a document of `mesh` may not have this name; "": it may."""
    if not name.startswith(PREFIX) or name in BUILT_IN:
        return ""
    return f'"{name}" is no alert that is built in{did_you_mean(name, BUILT_IN)}'
