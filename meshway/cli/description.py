"""A service with all that concerns it: ports, subsets, instances, and the documents that speak of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.cli.concerning import policies_for, routes_to
from meshway.cli.failure import NOT_ALLOWED, CliError
from meshway.cli.listing import service_health
from meshway.cli.output import painted, table
from meshway.cli.registry_client import document_path
from meshway.cli.session import Session
from meshway.model.statuses import folded

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient
    from meshway.model.document import Part
    from meshway.model.traffic_policy import TrafficPolicy

Item = Mapping[str, Any]
_CALLED_IN_VAIN: Final = "on though the calls fail"
_STATUS_MARKS: Final = {"passing": "✓", "critical": "■", "draining": "~", "maintenance": "~"}


def lease_left(item: Item) -> str:
    if item.get("check"):
        return f"asked by {item['check']['type']}"
    if item.get("unrenewed"):
        return "not renewed, but answers"
    left = item.get("expires_in_s")
    return "-" if left is None else f"{left:.0f}s"


INSTANCE_COLUMNS: Final[dict[str, Callable[[Item], str]]] = {
    "ID": lambda item: str(item["id"]),
    "STATUS": lambda item: f"{_STATUS_MARKS.get(item['status'], '')} {item['status']}",
    "ADDRESS": lambda item: f"{item['address']}:{item['port']}",
    "VERSION": lambda item: item.get("version") or "-",
    "ZONE": lambda item: item.get("zone") or "-",
    "LEASE": lease_left,
}
INSTANCE_WIDE: Final[dict[str, Callable[[Item], str]]] = {
    "WEIGHT": lambda item: str(item.get("weight", 1)),
    "TAGS": lambda item: ",".join(item.get("tags", [])) or "-",
    "METADATA": lambda item: ",".join(f"{key}={value}" for key, value in item.get("metadata", {}).items()) or "-",
    "GENERATION": lambda item: str(item.get("generation", "-")),
}


def describe_service(client: "RegistryClient", session: Session, service: Item, *, effective: bool) -> str:
    """For people. service: as the registry answers it, a Service document with the counts of its instances."""
    namespace = str(service["metadata"]["namespace"] if "metadata" in service else service["namespace"])
    name = str(service["metadata"]["name"] if "metadata" in service else service["name"])
    found = list(client.items(document_path(namespace, "services", name) + "/instances"))
    troubles, untold = troubles_told(client, namespace, name)
    parts = ["\n".join(_head(service, namespace, name, _trouble(troubles)))]
    if found:
        rows = [[cell(item) for cell in INSTANCE_COLUMNS.values()] for item in found]
        parts.append(table(list(INSTANCE_COLUMNS), rows, color=session.color))
    else:
        parts.append("no instances")
    if troubles or untold:
        parts.append("\n".join([*troubles, *untold]))
    if concerning := list(_concerning(client, namespace, name)):
        parts.append("Documents\n" + "\n".join(f"  {line}" for line in concerning))
    if effective:
        port = service["spec"].get("ports", [{}])[0].get("name", "http")
        parts.append("Effective policy\n" + _effective(client, namespace, name, port))
    text = "\n\n".join(parts)
    return painted(text) if session.color else text


def _trouble(troubles: Sequence[str]) -> str:
    """What the leases do not say, in a few words; "" where they are right."""
    if not troubles:
        return ""
    is_called = all(_CALLED_IN_VAIN in line for line in troubles)
    return "! alive by its leases, but its calls fail" if is_called else "! alive, but not called"


def _head(service: Item, namespace: str, name: str, trouble: str) -> Iterator[str]:
    """trouble: shown in place of good health."""
    spec, health = service["spec"], service_health(service)
    if trouble and health.startswith("✓"):
        health = trouble
    yield f"Service {namespace}/{name}   {health}"
    for field in ("description", "owner", "docs_url", "openapi"):
        if spec.get(field):
            yield f"  {field:<12} {spec[field]}"
    ports = spec.get("ports", [{}])
    yield f"  {'ports':<12} " + ", ".join(f"{port.get('name', 'http')} {port.get('port', 80)}" for port in ports)
    for subset in spec.get("subsets", []):
        match = ", ".join(f"{key} {_plain(value)}" for key, value in subset["match"].items())
        yield f"  {'subset':<12} {subset['name']}: {match}"
    for field in ("aliases",):
        if spec.get(field):
            yield f"  {field:<12} {', '.join(spec[field])}"
    yield f"  {'mesh host':<12} {name}.{namespace}.mesh"


def troubles_told(client: "RegistryClient", namespace: str, name: str) -> tuple[list[str], list[str]]:
    """As `troubles_of`; and a line that says so where the token may not see gateways."""
    try:
        return list(troubles_of(client, namespace, name)), []
    except CliError as error:
        if error.code != NOT_ALLOWED:
            raise
        return [], [f"! whom gateways do not call is not told: {error.what}"]


def troubles_of(client: "RegistryClient", namespace: str, name: str) -> Iterator[str]:
    """What live gateways do not call of the service, or in vain, whatever its leases say."""
    own = f"{namespace}/{name}"
    for gateway in client.read("/v1/gateways")["items"]:
        if not gateway["live"]:
            continue
        failing = [each.rpartition("/")[2] for each in gateway.get("ejected", []) if each.startswith(f"{own}/")]
        if failing:
            yield f"! gateway {gateway['node']} does not call {', '.join(failing)}: its calls fail; see its log"
        failing = [each.rpartition("/")[2] for each in gateway.get("failing", []) if each.startswith(f"{own}/")]
        if failing:
            yield (
                f"! gateway {gateway['node']} calls {', '.join(failing)} {_CALLED_IN_VAIN}: there is no other; "
                "see whether it still runs, its lease may outlive it"
            )
        for cluster in gateway.get("open_breakers", []):
            if cluster == own or cluster.startswith((f"{own}#", f"{own}:")):
                yield (
                    f"! gateway {gateway['node']} keeps calls away from {cluster}: its breaker is open, as too many "
                    "failed; it tries again by itself"
                )


def _concerning(client: "RegistryClient", namespace: str, name: str) -> Iterator[str]:
    """Routes that lead to the service, and policies that target it, its namespace or the mesh."""
    yield from routes_to(client, namespace, name)
    yield from policies_for(client, [namespace], {"mesh", f"namespace {namespace}", f"service {namespace}/{name}"})


def _effective(client: "RegistryClient", namespace: str, name: str, port: str) -> str:
    """Every value with the document it comes from; the gateway's own merge decides. port: the first one's name."""
    from gateway.compiler.policies import effective, service_places

    policies = list(_policies_at(client, namespace, service_places(namespace, name, port=port)))
    merged = effective(policy for _, policy in policies)
    rows = []
    for path, value in _leaves(merged, ""):
        source = "built in"
        for title, policy in policies:
            if _at(policy, path) is not None:
                source = title
        shown = folded(value) if path == "retry.statuses" else _shown(value)
        rows.append([f"  {path}", shown, source])
    return table(["  FIELD", "VALUE", "FROM"], rows)


def _policies_at(
    client: "RegistryClient", namespace: str, places: "tuple[tuple[str, ...], ...]"
) -> "Iterator[tuple[str, TrafficPolicy]]":
    """The policies that hold there, from the widest to the narrowest."""
    from gateway.compiler.diff import Entry
    from gateway.compiler.policies import Attached
    from meshway.model.decode import decode_document
    from meshway.model.traffic_policy import TrafficPolicy

    entries = []
    for place in dict.fromkeys((namespace, "mesh")):
        for raw in client.items(document_path(place, "traffic-policies")):
            document, spec = decode_document(raw)
            assert isinstance(spec, TrafficPolicy)
            metadata = document.metadata
            entries.append(Entry("TrafficPolicy", metadata.namespace, metadata.name, spec))
    for entry in Attached(entries).at(places):
        yield f"TrafficPolicy {entry.namespace}/{entry.name}", entry.spec


def _leaves(block: "Part", path: str) -> "Iterator[tuple[str, Any]]":
    for field in block.__struct_fields__:
        value = getattr(block, field)
        inner = f"{path}.{field}" if path else field
        if isinstance(value, msgspec.Struct):
            yield from _leaves(value, inner)  # type: ignore[arg-type]
        elif value is not None and inner != "targets":
            yield inner, value


def _at(block: Any, path: str) -> Any:
    for name in path.split("."):
        block = getattr(block, name, None)
    return block


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
