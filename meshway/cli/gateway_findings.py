"""What gateways report of themselves, as findings of `check`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.cli.findings import Finding, Verdict

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

Gateway = Mapping[str, Any]
_SHOWN: Final = 5


class _Reported(msgspec.Struct, frozen=True):
    """A field of a gateway's state that is empty where all is well. text: of {node} and {said}."""

    field: str
    id: str
    verdict: Verdict
    text: str
    mend: str


_REPORTED: Final = (
    _Reported(
        "mass_removal_guard",
        "mass-removal-guard",
        "failed",
        "gateway {node} calls {said} endpoints on that vanished from the registry at once",
        "look for why they were lost: the registry's log, its store, the network to the instances",
    ),
    _Reported(
        "limits_alone",
        "limits-alone",
        "warning",
        "gateway {node} counts shared limits by its own share: {said}",
        "it counts with the others again by itself once its registry, and the registry's Redis, answer",
    ),
    _Reported(
        "ejected",
        "instances-ejected",
        "warning",
        "gateway {node} does not call {said}: their calls fail",
        "look for why in the log of the instance; a heartbeat says only that its process lives",
    ),
    _Reported(
        "failing",
        "instances-failing",
        "warning",
        "gateway {node} calls {said} on though the calls fail: there is no other",
        "look whether the instance still runs: its lease may outlive it; meshway deregister takes it out",
    ),
    _Reported(
        "open_breakers",
        "breakers-open",
        "warning",
        "gateway {node} keeps calls away from {said}: the breaker is open, as too many of them failed",
        "look for why they fail: the log of its instances; the breaker tries again by itself, or at once: "
        "meshway breaker reset SERVICE",
    ),
)


def gateway_findings(client: "RegistryClient", gateways: list[dict[str, Any]]) -> Iterator[Finding]:
    live = [gateway for gateway in gateways if gateway["live"]]
    if not live:
        yield Finding(
            id="gateways-live",
            verdict="failed",
            text="no gateway reports to this registry: nobody carries calls by it",
            mend="meshway gateway serve, or meshway up",
        )
        return
    head = int(client.ask("GET", "/v1/health/live").headers.get("meshway-revision", "0"))
    yield _current(live, head)
    for gateway in gateways:
        yield from findings_of(gateway)


def _current(live: list[dict[str, Any]], head: int) -> Finding:
    behind = [gateway["node"] for gateway in live if gateway["revision"] < head]
    if not behind:
        text = f"gateways {len(live)} of {len(live)} at revision {head}"
        return Finding(id="gateways-current", verdict="passed", text=text)
    return Finding(
        id="gateways-current",
        verdict="warning",
        text=f"gateways behind revision {head}: {', '.join(behind)}",
        mend="meshway get gateways shows their revisions; one that stays behind says why in its log",
    )


def findings_of(gateway: Gateway) -> Iterator[Finding]:
    """What is not as it should be with one."""
    node = gateway["node"]
    if not gateway["live"]:
        text = f"gateway {node} has been silent for {gateway['last_report_s']:.0f} s"
        yield Finding(id="gateway-silent", verdict="warning", text=text)
    for reported in _REPORTED:
        if said := gateway.get(reported.field):
            text = reported.text.format(node=node, said=_some(said))
            yield Finding(id=reported.id, verdict=reported.verdict, text=text, mend=reported.mend)
    for refused in gateway.get("refused", []):
        kind, namespace, name = refused["kind"], refused["namespace"], refused["name"]
        place = f"{kind.lower()}/{name} -n {namespace}"
        yield Finding(
            id="gateway-refused",
            verdict="failed",
            text=f"gateway {node} refuses {kind} {namespace}/{name}: {refused.get('path', '')} {refused['reason']}",
            mend=f"mend the document: meshway describe {place}; what compiled before, if anything did, is in force",
        )


def _some(said: Any) -> str:
    """Of a long list the first few."""
    if not isinstance(said, list):
        return str(said)
    return ", ".join(said[:_SHOWN]) + (" …" if len(said) > _SHOWN else "")
