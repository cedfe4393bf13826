"""A Route with all that concerns it: its rules, the policies that hold for its calls, and how its services are."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.cli.concerning import called_by, policies_for
from meshway.cli.description import troubles_told
from meshway.cli.listing import age, leads_to, service_health
from meshway.cli.output import painted, table
from meshway.cli.registry_client import document_path
from meshway.cli.sources import source_text
from meshway.client.errors import problem_of

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.session import Session

Item = Mapping[str, Any]
_SAID_ELSEWHERE: Final = frozenset({"name", "match", "destinations", "redirect", "respond"})


def describe_route(client: "RegistryClient", session: "Session", route: Item) -> str:
    """For people. route: the document as the registry answers it."""
    metadata, spec = route["metadata"], route["spec"]
    namespace, name = metadata["namespace"], metadata["name"]
    services = list(dict.fromkeys(each for rule in spec["rules"] for each in called_by(rule, namespace)))
    parts = ["\n".join(_head(metadata, spec)), _rules(spec["rules"])]
    names = {"mesh", f"namespace {namespace}", f"route {namespace}/{name}"}
    names |= {f"service {owner}/{service}" for owner, service in services}
    names |= {f"namespace {owner}" for owner, _ in services}
    owners = dict.fromkeys([namespace, *(owner for owner, _ in services)])
    if policies := list(policies_for(client, owners, names)):
        parts.append("Policies\n" + "\n".join(f"  {line}" for line in policies))
    if services:
        parts.append("Services\n" + "\n".join(_services(client, services, namespace)))
    parts.append("\n".join(_calls(client, namespace, name)))
    text = "\n\n".join(parts)
    return painted(text) if session.color else text


def _head(metadata: Item, spec: Item) -> Iterator[str]:
    yield f"Route {metadata['namespace']}/{metadata['name']}   {source_text(metadata)}"
    yield f"  {'listeners':<12} {', '.join(spec.get('listeners', ['edge']))}"
    yield f"  {'hosts':<12} {', '.join(spec.get('hosts', ['*']))}"
    for field in ("priority", "order"):
        if field in spec:
            yield f"  {field:<12} {spec[field]}"
    yield f"  {'changed':<12} {age(metadata.get('updated_at'))} ago by {metadata.get('updated_by', '?')}"


def _rules(rules: list[Item]) -> str:
    rows = [
        [
            f"  {rule.get('name') or at}",
            " or ".join(_match(match) for match in rule.get("match", [])) or "everything",
            leads_to(rule) or "nobody",
            ", ".join(field for field in rule if field not in _SAID_ELSEWHERE),
        ]
        for at, rule in enumerate(rules)
    ]
    return table(["  RULE", "MATCHES", "LEADS TO", "ALSO SAYS"], rows)


def _match(match: Item) -> str:
    """`path prefix /cart, methods GET`"""
    return ", ".join(f"{field} {_said(value)}" for field, value in match.items()) or "everything"


def _said(value: Any) -> str:
    match value:
        case dict():
            return " ".join(f"{name} {_said(inner)}" for name, inner in value.items())
        case list():
            return " ".join(_said(inner) for inner in value)
        case str():
            return value
    return msgspec.json.encode(value).decode()


def _calls(client: "RegistryClient", namespace: str, name: str) -> Iterator[str]:
    """Of the last hour, as gateways recorded them."""
    answer = client.answer("GET", document_path(namespace, "routes", name) + "/traffic")
    if answer.status_code != 200:
        problem = problem_of(answer)
        yield f"no gateway tells of its calls: {problem.detail or problem.title}"
        return
    rules = answer.json().get("rules", {})
    if not rules:
        yield "no calls in the last hour"
        return
    rows = [
        [
            f"  {rule}",
            str(told["calls"]),
            str(told.get("failed", 0)),
            str(told.get("refused", 0)),
            ", ".join(f"{to} {calls}" for to, calls in told.get("to", {}).items()) or "-",
        ]
        for rule, told in rules.items()
    ]
    yield "Calls of the last hour"
    yield table(["  RULE", "CALLS", "FAILED", "REFUSED", "WENT TO"], rows)


def _services(client: "RegistryClient", services: list[tuple[str, str]], namespace: str) -> Iterator[str]:
    for owner, name in services:
        shown = name if owner == namespace else f"{owner}/{name}"
        answer = client.answer("GET", document_path(owner, "services", name))
        health = service_health(answer.json()) if answer.status_code == 200 else "✗ there is no such service"
        yield f"  {shown}   {health}"
        troubles, untold = troubles_told(client, owner, name)
        yield from (f"    {line}" for line in (*troubles, *untold))
