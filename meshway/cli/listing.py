"""The columns of lists, for people; programs read -o json."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Item = Mapping[str, Any]
Columns = dict[str, Callable[[Item], str]]


def service_health(item: Item) -> str:
    """`ok`, `▲ partly`, `■ down`; `-` for a service nobody registered."""
    status = item.get("status", {})
    known = sum(status.get(name, 0) for name in ("passing", "critical", "draining", "maintenance"))
    passing = status.get("passing", 0)
    if not known:
        kind = item["spec"].get("type", "registered")
        return "-" if kind == "registered" else f"✓ {kind}"
    if not passing:
        return "■ down"
    return "✓ ok" if not status.get("critical", 0) else "▲ partly"


def age(timestamp: str | None) -> str:
    """`3s`, `10m`, `9d` since an RFC 3339 time."""
    if not timestamp:
        return "-"
    try:
        seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())
    except ValueError:
        return timestamp
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def target_text(target: Item) -> str:
    """`service reviews#v2`, `route cart rule all`, `mesh`."""
    if target.get("mesh"):
        return "mesh"
    for kind, inner, mark in (("service", "subset", "#"), ("route", "rule", " rule ")):
        if kind in target:
            port = f":{target['port']}" if "port" in target else ""
            return f"{kind} {target[kind]}{port}" + (f"{mark}{target[inner]}" if inner in target else "")
    return f"namespace {target.get('namespace', '?')}"


def _name(item: Item) -> str:
    return str(item["metadata"]["name"] if "metadata" in item else item["name"])


def _instances(item: Item) -> str:
    status = item.get("status", {})
    return f"{status.get('passing', 0)}/{sum(status.values())}"


def _revision(item: Item) -> str:
    revision = item.get("metadata", {}).get("revision") or item.get("revision")
    return f"r{revision}" if revision else "-"


def _changed(item: Item) -> str:
    metadata = item.get("metadata", {})
    who = metadata.get("updated_by")
    return " ".join(part for part in (_revision(item), who, age(metadata.get("updated_at"))) if part and part != "-")


def _gateway_state(item: Item) -> str:
    if item.get("unheard"):
        return "? unheard"  # it reports to another registry, which cannot pass it on
    return "✓ live" if item["live"] else "✗ silent"


def _expiry(item: Item) -> str:
    """Where self-preservation holds leases that are overdue."""
    held = sum(hold["overdue"] for hold in item.get("self_preservation", []))
    return f"! paused, {held} overdue" if held else "✓"


def _targets(item: Item) -> str:
    targets = item["spec"].get("targets", [])
    return ", ".join(target_text(target) for target in targets) or "namespace"


def _blocks(item: Item) -> str:
    return ", ".join(name for name in item["spec"] if name != "targets") or "-"


def _limit(item: Item) -> str:
    spec = item["spec"]
    if (window := spec.get("sliding_window")) is not None:
        return f"{window['limit']} in {window['window']}"
    if (quota := spec.get("quota")) is not None:
        return f"{quota['limit']} a {quota['per']}"
    if (in_flight := spec.get("in_flight")) is not None:
        return f"{in_flight['max']} at once"
    bucket = spec["token_bucket"]
    return f"{bucket['rate']}" + (f" burst {bucket['burst']}" if "burst" in bucket else "")


def _held_names(item: Item) -> str:
    """Of the newest version; three names and how many more."""
    names = [name for version in item["spec"].get("versions", [])[:1] for name in version.get("keys", []) if name]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "-"


def _fingerprints(item: Item) -> str:
    """The newest first, and those that are still accepted beside it."""
    return ", ".join(version["fingerprint"] for version in item["spec"].get("versions", [])) or "-"


def _source(item: Item) -> str:
    """`secret shop-tls`, `file shop.pem`, `the mesh`."""
    spec = item["spec"]
    if "mesh_ca" in spec:
        return "the mesh"
    if "files" in spec:
        return f"file {spec['files']['certificate']}"
    secret = spec["secret"]
    return f"secret {secret if isinstance(secret, str) else secret['secret']}"


def _credentials(item: Item) -> str:
    """`api_key 9fK2_xQa, basic ada`."""
    names = {"api_key": "id", "jwt": "subject", "basic": "username"}
    shown = (
        f"{kind} {credential[kind][names[kind]]}"
        for credential in item["spec"].get("credentials", [])
        for kind in credential
    )
    return ", ".join(shown) or "-"


def _listeners(item: Item) -> str:
    return ", ".join(item["spec"]["listeners"])


def _destinations(item: Item) -> str:
    """Of connections, with their weights where there are several."""
    destinations = item["spec"]["destinations"]
    if len(destinations) == 1:
        return str(destinations[0]["service"])
    return ", ".join(f"{each['service']} {each.get('weight', 1)}" for each in destinations)


def _split(item: Item) -> str:
    """Where the rules lead, each place once."""
    return ", ".join(dict.fromkeys(place for rule in item["spec"]["rules"] for place in _places(rule)))


def leads_to(rule: Item) -> str:
    """Of one rule: `reviews#v1 90, reviews#v2 10`."""
    return ", ".join(_places(rule))


def _places(rule: Item) -> Iterator[str]:
    if "redirect" in rule:
        yield "redirect"
    if "respond" in rule:
        yield f"respond {rule['respond']['status']}"
    many = len(rule.get("destinations", [])) > 1
    for destination in rule.get("destinations", []):
        weight = f" {destination.get('weight', 1)}" if many else ""
        track = f" ({destination['track']})" if "track" in destination else ""
        yield f"{_version_text(destination)}{weight}{track}"


def _version_text(destination: Item) -> str:
    return str(destination["service"]) + (f"#{destination['subset']}" if "subset" in destination else "")


def _result_text(item: Item) -> str:
    rows = item.get("documents", [])
    names = [f"{row['result']} {row['kind']} {row['namespace']}/{row['name']}{_written_at(row)}" for row in rows[:3]]
    return ", ".join(names) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")


def _written_at(row: Item) -> str:
    return f" ({row['source']})" if row.get("source") else ""


COLUMNS: Final[dict[str, Columns]] = {
    "Service": {
        "NAME": _name,
        "HEALTH": service_health,
        "INSTANCES": _instances,
        "LAST CHANGE": _changed,
    },
    "Route": {
        "NAME": _name,
        "LISTENERS": lambda item: ", ".join(item["spec"].get("listeners", ["edge"])),
        "HOSTS": lambda item: ", ".join(item["spec"].get("hosts", ["*"])),
        "LEADS TO": _split,
        "LAST CHANGE": _changed,
    },
    "TcpRoute": {
        "NAME": _name,
        "LISTENERS": _listeners,
        "SOURCE": lambda item: ", ".join(item["spec"].get("source", ["*"])),
        "LEADS TO": _destinations,
        "LAST CHANGE": _changed,
    },
    "TlsRoute": {
        "NAME": _name,
        "LISTENERS": _listeners,
        "HOSTS": lambda item: ", ".join(item["spec"]["hosts"]),
        "LEADS TO": _destinations,
        "LAST CHANGE": _changed,
    },
    "UdpRoute": {"NAME": _name, "LISTENERS": _listeners, "LEADS TO": _destinations, "LAST CHANGE": _changed},
    "DescriptorSet": {
        "NAME": _name,
        "SIZE": lambda item: f"{len(item['spec']['data']) * 3 // 4096} KiB",
        "LAST CHANGE": _changed,
    },
    "TrafficPolicy": {"NAME": _name, "TARGETS": _targets, "SAYS": _blocks, "LAST CHANGE": _changed},
    "RateLimit": {
        "NAME": _name,
        "TARGETS": _targets,
        "LIMIT": _limit,
        "KEY": lambda item: ", ".join(item["spec"].get("key", [])) or "-",
        "LAST CHANGE": _changed,
    },
    "Authentication": {
        "NAME": _name,
        "TARGETS": _targets,
        "METHODS": lambda item: ", ".join(name for method in item["spec"]["methods"] for name in method),
        "REQUIRE": lambda item: item["spec"].get("require", "any"),
        "LAST CHANGE": _changed,
    },
    "AccessPolicy": {
        "NAME": _name,
        "TARGETS": _targets,
        "RULES": lambda item: str(len(item["spec"].get("rules", []))),
        "DEFAULT": lambda item: item["spec"].get("default", "inherit"),
        "MODE": lambda item: item["spec"].get("mode", "enforce"),
        "LAST CHANGE": _changed,
    },
    "IpList": {
        "NAME": _name,
        "ENTRIES": lambda item: str(len(item["spec"].get("entries", []))),
        "LAST CHANGE": _changed,
    },
    "Secret": {
        "NAME": _name,
        "TYPE": lambda item: str(item["spec"]["type"]),
        "HOLDS": _held_names,
        "FINGERPRINT": _fingerprints,
        "LAST CHANGE": _changed,
    },
    "Consumer": {
        "NAME": _name,
        "CREDENTIALS": _credentials,
        "GROUPS": lambda item: ", ".join(item["spec"].get("groups", [])) or "-",
        "LAST CHANGE": _changed,
    },
    "Certificate": {
        "NAME": _name,
        "FROM": _source,
        "HOSTS": lambda item: ", ".join(item["spec"].get("hosts", [])) or "all it bears",
        "LISTENERS": lambda item: ", ".join(item["spec"].get("listeners", ["edge-tls"])),
        "UNTIL": lambda item: item.get("status", {}).get("not_after", "-")[:16].replace("T", " "),
        "GATEWAYS": lambda item: item.get("status", {}).get("gateways", "-"),
        "LAST CHANGE": _changed,
    },
    "AccessLog": {"NAME": _name, "TARGETS": _targets, "SAYS": _blocks, "LAST CHANGE": _changed},
    "Telemetry": {"NAME": _name, "TARGETS": _targets, "SAYS": _blocks, "LAST CHANGE": _changed},
    "Receiver": {"NAME": _name, "SAYS": _blocks, "LAST CHANGE": _changed},
    "Rollout": {
        "NAME": _name,
        "ROUTE": lambda item: f"{item['spec']['route']} {item['spec']['rule']}",
        "CANARY": lambda item: _version_text(item["spec"]["canary"]),
        "STABLE": lambda item: _version_text(item["spec"]["stable"]),
        "STEPS": lambda item: ", ".join(f"{step['weight_percent']:g} %" for step in item["spec"]["steps"]),
        "LAST CHANGE": _changed,
    },
    "Alert": {
        "NAME": _name,
        "QUERY": lambda item: item["spec"].get("query", "as built in"),
        "SEVERITY": lambda item: item["spec"].get("severity", "warning"),
        "LAST CHANGE": _changed,
    },
    "Objective": {
        "NAME": _name,
        "TARGET": lambda item: " ".join(item["spec"]["target"].values()),
        "OF CALLS": lambda item: (
            f"{item['spec'].get('target_percent', 99.9):g} % {next(iter(item['spec']['indicator']))}"
        ),
        "LAST CHANGE": _changed,
    },
    "Listener": {"NAME": _name, "SAYS": _blocks, "LAST CHANGE": _changed},
    "MeshSettings": {"NAME": _name, "SAYS": _blocks, "LAST CHANGE": _changed},
    "Namespace": {
        "NAME": _name,
        "OWNER": lambda item: item["spec"].get("owner") or "-",
        "CROSS NAMESPACE": lambda item: item["spec"].get("cross_namespace", "-"),
        "LAST CHANGE": _changed,
    },
    "gateways": {
        "NODE": lambda item: str(item["node"]),
        "STATE": _gateway_state,
        "REVISION": lambda item: f"r{item['revision']}",
        "REFUSED": lambda item: str(len(item.get("refused", []))),
        "WORKERS": lambda item: str(item.get("workers", "-")),
        "VERSION": lambda item: str(item.get("version", "-")),
        "LAST REPORT": lambda item: f"{item.get('last_report_s', 0):.0f}s",
    },
    "namespaces": {"NAME": lambda item: str(item["name"]), "EXPIRY": _expiry},
    "revisions": {
        "REVISION": lambda item: f"r{item['revision']}",
        "AGE": lambda item: age(item.get("at")),
        "BY": lambda item: str(item.get("by", "-")),
        "CHANGED": _result_text,
    },
}
GATEWAY_WIDE: Final[Columns] = {
    "ZONE": lambda item: item.get("zone") or "-",
    "EDGE": lambda item: item.get("edge") or "-",
    "MESH": lambda item: item.get("mesh") or "-",
}
WIDE: Final[Columns] = {
    "LABELS": lambda item: (
        ",".join(f"{key}={value}" for key, value in item.get("metadata", {}).get("labels", {}).items()) or "-"
    ),
}
