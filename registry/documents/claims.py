"""What only one document of the mesh may say: two that claim the same are a `conflict`.

A Route claims each of its matches on each host, and its hosts at its priority, which a listed Route has alone; the
hosts as such it shares, so that it is known who else is there. A TrafficPolicy claims each block for each target; an
Authentication its targets, for of all that reach a rule one holds; a Consumer its credentials; a Service its aliases; a
Listener of every gateway its address and port; a Rollout the weights of its rule; a TcpRoute or TlsRoute each of its
sources, and hosts, on each of its Listeners; a UdpRoute each of its Listeners.
RateLimits and AccessPolicies claim nothing: all that apply must admit a call.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.authentication import Authentication
from meshway.model.connection_route import ConnectionRoute, TlsRoute
from meshway.model.consumer import Consumer
from meshway.model.document import MESH_NAMESPACE, Target
from meshway.model.fields import plain
from meshway.model.listener import LISTENERS, Listener, address_of, is_udp
from meshway.model.match import Match, PathMatch
from meshway.model.path_template import parse_template
from meshway.model.rollout import Rollout
from meshway.model.route import Route
from meshway.model.service import Service
from meshway.model.traffic_policy import TrafficPolicy
from meshway.model.udp_route import UdpRoute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Spec
    from registry.view.rows import Claim

_OF_UDP: Final = " (UDP)"
_EVERYBODY: Final = "everybody"
_EVERY: Final = "{}"  # the text of a match that asks for nothing
_BLOCKS: Final = tuple(name for name in TrafficPolicy.__struct_fields__ if name != "targets")


def claims(spec: Spec, namespace: str, name: str) -> frozenset[Claim]:
    """namespace, name: the document's."""
    match spec:
        case Route():
            return frozenset(_of_route(spec, namespace))
        case TrafficPolicy():
            return frozenset(_of_policy(spec, namespace))
        case Authentication():
            return frozenset(("callers", target) for target in _target_texts(spec.targets, namespace))
        case Consumer():
            return frozenset(_of_consumer(spec, namespace))
        case Service():
            outside = () if spec.external is None else (spec.external.host,)
            return frozenset(("alias", alias) for alias in (*spec.aliases, *outside))
        case ConnectionRoute():
            return frozenset(_of_connections(spec))
        case UdpRoute():
            return frozenset(("datagrams", listener) for listener in spec.listeners)
        case Rollout():
            return frozenset({("rollout", f"{namespace}/{spec.route}", spec.rule)})
        case Listener() if name not in LISTENERS and spec.enabled and not spec.gateways:
            return frozenset({("socket", address_of(spec), f"{spec.port}{_OF_UDP if is_udp(name, spec) else ''}")})
    return frozenset()


def rivals(claim: Claim) -> tuple[Claim, ...]:
    """The claims of other documents that cannot stand beside this one: mostly the same."""
    kind, *parts = claim
    if kind == "host":
        return ()
    if kind == "listed":
        return claim, ("specificity", *parts)
    return (("listed", *parts),) if kind == "specificity" else (claim,)


def host_claim(listener: str, host: str) -> Claim:
    """What all Routes of a host hold together."""
    return ("host", listener, host)


def claim_text(claim: Claim) -> str:
    """The claim in words, for the message of a conflict."""
    kind, *parts = claim
    if kind == "alias":
        return f'the alias "{parts[0]}"'
    if kind == "block":
        return f"{parts[1]} of {parts[0]}"
    if kind == "credential":
        return f"the {parts[1]} credential {parts[2]}"
    if kind == "rollout":
        return f"the weights of rule {parts[1]} of Route {parts[0]}"
    if kind == "connections":
        listener, host, source = parts
        by = "everybody" if source == _EVERYBODY else source
        return f"connections of {by}{host and f' for {host}'} on Listener {listener}"
    if kind == "datagrams":
        return f"datagrams of Listener {parts[0]}"
    if kind == "socket":
        return f"port {parts[1]} of {parts[0]}"
    if kind == "callers":
        return f"the word on who calls {parts[0]}"
    if kind in ("listed", "specificity"):
        listener, host, priority = parts
        return f"host {host} of the {listener} listener at priority {priority}, where a listed Route is alone"
    listener, host, priority, match = parts
    what = "every call" if match == _EVERY else match
    return f"{what} on host {host} of the {listener} listener at priority {priority}"


def match_text(match: Match) -> str:
    """A match in a form that is equal for equal matches."""
    return msgspec.json.encode(plain(normal_match(match))).decode()


def normal_match(match: Match) -> Match:
    """Order of methods and names, case of header names, names in templates, a slash behind a prefix do not count."""
    return msgspec.structs.replace(
        match,
        path=_normal_path(match.path),
        methods=tuple(sorted(set(match.methods))),
        headers={name.lower(): match.headers[name] for name in sorted(match.headers, key=str.lower)},
        query=dict(sorted(match.query.items())),
        cookies=dict(sorted(match.cookies.items())),
    )


def _normal_path(path: PathMatch | None) -> PathMatch | None:
    if path is None or path.prefix == "/":
        return None
    if path.prefix is not None:
        return msgspec.structs.replace(path, prefix=path.prefix.rstrip("/"))
    if path.template is None:
        return path
    segments = enumerate(parse_template(path.template))
    words = [
        segment.literal if segment.literal is not None else f"{{n{at}{'=**' if segment.is_rest else ''}}}"
        for at, segment in segments
    ]
    return msgspec.structs.replace(path, template="/" + "/".join(words))


def route_hosts(spec: Route, namespace: str) -> Iterator[tuple[str, str]]:
    """(listener, host) pairs; mesh hosts as `service.namespace`, however they were written; an alias as it is."""
    for listener in spec.listeners:
        for host in spec.hosts or ("*",):
            if listener == "mesh":
                host = host.removesuffix(".mesh")
                host = host if "." in host else f"{host}.{namespace}"
            yield listener, host


def _of_route(spec: Route, namespace: str) -> Iterator[Claim]:
    for listener, host in route_hosts(spec, namespace):
        yield (spec.order, listener, host, str(spec.priority))
        yield host_claim(listener, host)
    matches = {match_text(match) for rule in spec.rules for match in rule.match or (Match(),)}
    for listener, host in route_hosts(spec, namespace):
        for match in matches:
            yield ("match", listener, host, str(spec.priority), match)


def _of_connections(spec: ConnectionRoute) -> Iterator[Claim]:
    """A network is the same however its host bits are written."""
    sources = {str(ip_network(network, strict=False)) for network in spec.source} or {_EVERYBODY}
    for listener in spec.listeners:
        for host in spec.hosts if isinstance(spec, TlsRoute) else ("",):
            for source in sources:
                yield ("connections", listener, host, source)


def _of_consumer(spec: Consumer, namespace: str) -> Iterator[Claim]:
    for credential in spec.credentials:
        if credential.api_key is not None:
            yield ("credential", namespace, "api_key", f"{credential.api_key.id}")
        elif credential.jwt is not None:
            yield ("credential", namespace, "jwt", f"{credential.jwt.issuer}#{credential.jwt.subject}")
        elif credential.basic is not None:
            yield ("credential", namespace, "basic", f"{credential.basic.username}")


def _of_policy(spec: TrafficPolicy, namespace: str) -> Iterator[Claim]:
    for block in _BLOCKS:
        if getattr(spec, block) is not None:
            for target in _target_texts(spec.targets, namespace):
                yield ("block", target, block)


def _target_texts(targets: tuple[Target, ...], namespace: str) -> list[str]:
    """Without any: the namespace, and in namespace `mesh` the whole mesh."""
    written = targets or (Target(mesh=True) if namespace == MESH_NAMESPACE else Target(namespace=namespace),)
    return [_target_text(target, namespace) for target in written]


def _target_text(target: Target, namespace: str) -> str:
    if target.mesh:
        return "the mesh"
    if target.namespace is not None:
        return f"namespace {target.namespace}"
    if target.service is not None:
        subset = f" subset {target.subset}" if target.subset else ""
        port = f" port {target.port}" if target.port else ""
        return f"service {namespace}/{target.service}{subset}{port}"
    rule = f" rule {target.rule}" if target.rule else ""
    return f"route {namespace}/{target.route}{rule}"
