"""Which documents speak of a service or a Route, for descriptions."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from meshway.cli.failure import NOT_FOUND, CliError
from meshway.cli.listing import target_text
from meshway.cli.registry_client import document_path
from meshway.cli.sources import source_text

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

Item = Mapping[str, Any]


def routes_to(client: "RegistryClient", namespace: str, service: str) -> Iterator[str]:
    """A line for each Route, of whichever namespace, that leads to the service."""
    for route in client.items(document_path("-", "routes")):
        own = route["metadata"]["namespace"]
        rules = [
            rule.get("name") or str(at)
            for at, rule in enumerate(route["spec"]["rules"])
            if (namespace, service) in called_by(rule, own)
        ]
        if rules:
            metadata = route["metadata"]
            yield f"Route {own}/{metadata['name']}   rule {', '.join(rules)}   {source_text(metadata)}"


def called_by(rule: Item, namespace: str) -> list[tuple[str, str]]:
    """The services to which a rule leads, each once. namespace: the Route's."""
    found = ((each.get("namespace", namespace), each["service"]) for each in rule.get("destinations", []))
    return list(dict.fromkeys(found))


def policies_for(client: "RegistryClient", namespaces: Collection[str], names: Collection[str]) -> Iterator[str]:
    """A line for each policy that speaks for one of the names (`service shop/cart`, `namespace shop`, `mesh`), and one
    for each namespace whose policies the token may not read.
    """
    from meshway.model.kinds import KINDS

    unread: dict[str, None] = {}
    for kind, spec in KINDS.items():
        if "targets" not in spec.__struct_fields__:
            continue
        for place in dict.fromkeys((*namespaces, "mesh")):
            for policy in _read(client, place, spec.plural, unread):
                if by := [text for full, text in _targets(policy) if full in names]:
                    metadata = policy["metadata"]
                    yield f"{kind} {place}/{metadata['name']}   by {', '.join(by)}   {source_text(metadata)}"

    for place in unread:
        yield f"! policies of namespace {place} are not told: this token may not read them"


def _read(client: "RegistryClient", place: str, plural: str, unread: dict[str, None]) -> Iterator[Item]:
    """unread: takes the namespace where the registry says, as it does without the right, that there is none."""
    try:
        yield from client.items(document_path(place, plural))
    except CliError as error:
        if error.code != NOT_FOUND:
            raise
        unread[place] = None


def _targets(policy: Item) -> Iterator[tuple[str, str]]:
    """In full, without subset and rule, and as it is shown."""
    own = policy["metadata"]["namespace"]
    for target in policy["spec"].get("targets") or [{"mesh": True} if own == "mesh" else {"namespace": own}]:
        full = next((f"{kind} {own}/{target[kind]}" for kind in ("service", "route") if kind in target), None)
        yield full or target_text(target), target_text(target)
