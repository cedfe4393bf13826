"""Of Routes, as findings of `check`: those that lead to a service which was there when they were published."""

from collections import defaultdict
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Final

from meshway.cli.findings import Finding

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

_KINDS: Final = ("Route", "TcpRoute", "TlsRoute", "UdpRoute")
_SHOWN: Final = 5


def route_findings(client: "RegistryClient", known: Set[tuple[str, str]]) -> Iterator[Finding]:
    """known: services by namespace and name, all that whoever asks may see."""
    leading: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, namespace, name, service in _led(client):
        if service not in known and (route := f"{kind} {namespace}/{name}") not in leading[service]:
            leading[service].append(route)
    for (namespace, name), routes in sorted(leading.items()):
        if client.answer("GET", f"/v1/namespaces/{namespace}/services/{name}").status_code != 404:
            continue  # it is there, or not for whoever asks to see
        more = f" and {len(routes) - _SHOWN} more" if len(routes) > _SHOWN else ""
        yield Finding(
            id="routes-dangling",
            verdict="warning",
            text=f"{', '.join(routes[:_SHOWN])}{more}: {namespace}/{name} is no service any more",
            mend=f"register an instance of it (meshway register {name} -n {namespace}), or lead its calls elsewhere",
        )


def _led(client: "RegistryClient") -> Iterator[tuple[str, str, str, tuple[str, str]]]:
    """Kind, namespace and name of each Route, with a service that it sends to."""
    from meshway.model.decode import decode_spec
    from meshway.model.kinds import KINDS
    from registry.documents.references import references

    for kind in _KINDS:
        for document in client.items(f"/v1/namespaces/-/{KINDS[kind].plural}"):
            namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
            spec, _ = decode_spec(kind, document["spec"])
            for reference in () if spec is None else references(spec, namespace):
                if reference.to == "service":
                    yield kind, namespace, name, (reference.namespace, reference.name)
