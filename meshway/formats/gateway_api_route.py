"""HTTPRoute and GRPCRoute to Route: the edge for a Gateway, the mesh for a Service (gateway.networking.k8s.io)."""

from collections.abc import Callable, Iterator

import msgspec

from meshway.formats import gateway_api_filters as filters
from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import at_block, backoff, unique_names
from meshway.formats.gateway_api_backend import GROUPS, backend
from meshway.formats.gateway_api_gateway import attached_hosts
from meshway.formats.gateway_api_policies import external_authorisation, session_persistence
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import GATEWAY_API, Foreign, ServiceName, Surroundings


class _Parents(msgspec.Struct):
    """Where a route is attached. edge: the hosts that its Gateways serve."""

    edge: list[At]
    mesh: list[At]
    is_edge: bool = False


class _Rule(msgspec.Struct):
    """A rule in the making. attached: documents whose target it is, made once its name is settled."""

    one: Foreign
    around: Surroundings
    told: Tree
    attached: list[Callable[[str, str], Native]]


def convert_http_route(one: Foreign, around: Surroundings) -> Iterator[Native]:
    yield from _convert(one, around, filters.match_of)


def convert_grpc_route(one: Foreign, around: Surroundings) -> Iterator[Native]:
    yield from _convert(one, around, grpc_match)


def grpc_match(block: Block) -> Tree:
    """A method is a path: `/package.Service/Method`."""
    told: Tree = {}
    if method := block.block("method"):
        kind = method.choice("type", {"Exact": False, "RegularExpression": True})
        service, name = method.text("service"), method.text("method")
        method.close()
        if kind is not None and kind.value:
            pattern = f"/{service.value if service else '[^/]+'}/{name.value if name else '[^/]+'}"
            told["path"] = {"regex": At(pattern, method.origin)}
        elif service is not None and name is not None:
            told["path"] = {"exact": At(f"/{service.value}/{name.value}", method.origin)}
        elif service is not None:
            told["path"] = {"prefix": At(f"/{service.value}", service.origin)}
        elif name is not None:
            told["path"] = {"regex": At(f"/[^/]+/{name.value}", name.origin)}
    filters.named_matches(block, "headers", "headers", told)
    block.close()
    return told


def _convert(one: Foreign, around: Surroundings, match_of: Callable[[Block], Tree]) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    hostnames = spec.texts("hostnames")
    parents = _parents(spec, hostnames, one, around)
    blocks = spec.blocks("rules")
    spec.close()
    name = unique_names({str(block.take("name")) for block in blocks if block.has("name")})
    rules = []
    for at, block in enumerate(blocks):
        rule = _rule(block, one, around, match_of)
        if around.options.partial and around.findings.refused_within(block.at("matches")):
            continue
        if rule.attached and "name" not in rule.told:
            rule.told["name"] = At(name(f"rule-{at}"), block.origin)
        rules.append((rule, block.origin))
    if not rules:
        if not blocks:
            spec.findings.wrong(spec.at("rules"), "missing_field", "is required")
        return
    faces = [("mesh", parents.mesh), ("edge", parents.edge)]
    attached = [face for face, hosts in faces if hosts or (face == "edge" and parents.is_edge)]
    for face in attached:
        own = f"{one.name}-edge" if face == "edge" and len(attached) > 1 else one.name
        hosts = dict(faces)[face]
        route: Tree = {"listeners": At([face], spec.at("parentRefs"))}
        put(route, "hosts", hosts)
        route["rules"] = [At(rule.told, origin) for rule, origin in rules]
        yield Native("Route", one.namespace, own, route, [one.document])
        for rule, _ in rules:
            for make in rule.attached:
                yield make(own, str(rule.told["name"].value))


def _parents(spec: Block, hostnames: list[At], one: Foreign, around: Surroundings) -> _Parents:
    parents = _Parents([], [])
    default = spec.choice("useDefaultGateways", {"All": True, "None": False})
    if default is not None and default.value:
        parents.is_edge, parents.edge = True, list(hostnames)
    elif default is not None:
        spec.findings.warn(default.origin, "is ignored: None attaches it nowhere")
    blocks = spec.blocks("parentRefs")
    for block in blocks:
        _parent(block, parents, hostnames, one, around)
    if not blocks and not parents.is_edge:
        reason = "is required: a Gateway puts the route on the edge, a Service on the mesh"
        spec.findings.wrong(spec.at("parentRefs"), "missing_field", reason)
    if hostnames and parents.mesh and not parents.is_edge:
        reason = "is ignored: on the mesh a route holds for the Services it is attached to"
        spec.findings.warn(spec.at("hostnames"), reason)
    parents.edge = list({host.value: host for host in parents.edge}.values())
    return parents


def _parent(block: Block, parents: _Parents, hostnames: list[At], one: Foreign, around: Surroundings) -> None:
    group, kind = block.text("group"), block.text("kind")
    name, namespace = block.text("name"), block.text("namespace")
    section, port = block.text("sectionName"), block.number("port")
    block.close()
    if name is None:
        block.findings.wrong(block.at("name"), "missing_field", "is required")
        return
    what = kind.value if kind else "Gateway"
    of = group.value if group else GATEWAY_API
    where = namespace.value if namespace else one.namespace
    if what == "Gateway" and of == GATEWAY_API:
        parents.is_edge = True
        parents.edge += attached_hosts((where, name.value), section, port, hostnames, around, block.origin)
    elif what == "Service" and of in GROUPS:
        service = ServiceName(where, name.value)
        if section is not None:
            block.findings.refuse(section.origin, "a Service is called by every port alike")
        if port is not None and set(around.ports.get(service, {})) != {port.value}:
            block.findings.refuse(port.origin, "a Route holds for every port of a Service; leave it out")
        told = name.value if where == one.namespace else f"{name.value}.{where}"
        parents.mesh.append(At(told, name.origin))
    else:
        origin = kind.origin if kind else block.origin
        block.findings.refuse(origin, f"{of}/{what} is no parent here: a Gateway is the edge, a Service the mesh")


def _rule(block: Block, one: Foreign, around: Surroundings, match_of: Callable[[Block], Tree]) -> _Rule:
    rule = _Rule(one, around, {}, [])
    told = rule.told
    put(told, "name", block.text("name"))
    matches = [At(match_of(match), match.origin) for match in block.blocks("matches")]
    if any(match.value for match in matches):
        told["match"] = matches
    for inner in block.blocks("filters"):
        if found := filters.filter_block(inner):
            _apply_filter(rule, *found)
    _destinations(rule, block)
    if timeouts := block.block("timeouts"):
        put(told, "timeouts.deadline", timeouts.duration("request"))
        put(told, "timeouts.attempt", timeouts.duration("backendRequest"))
        timeouts.close()
    if retry := block.block("retry"):
        put(told, "retry", at_block(_retry(retry, every_method=around.options.istio_retries), retry.origin))
    if session := block.block("sessionPersistence"):
        rule.attached.append(session_persistence(session, one))
    block.close()
    return rule


def _retry(block: Block, *, every_method: bool) -> Tree:
    told: Tree = {}
    put(told, "max_retries", block.number("attempts"))
    if codes := block.numbers("codes"):
        told["statuses"] = codes
    put(told, "backoff", backoff(block.duration("backoff")))
    if every_method:
        told["non_idempotent"] = At(True, block.origin)
    block.close()
    return told


def _apply_filter(rule: _Rule, kind: str, block: Block) -> None:
    told = rule.told
    match kind:
        case "RequestHeaderModifier":
            put(told, "request_headers", filters.header_modifier(block))
        case "ResponseHeaderModifier":
            put(told, "response_headers", filters.header_modifier(block))
        case "RequestMirror":
            mirror: Tree = {}
            reference = block.block("backendRef")
            if reference is not None:
                put(mirror, "destination", backend(reference, rule.one, rule.around))
                reference.close()
            put(mirror, "percent", filters.mirror_share(block))
            block.close()
            if "destination" in mirror:
                told.setdefault("mirror", []).append(At(mirror, block.origin))
        case "RequestRedirect":
            told["redirect"] = filters.redirect(block)
        case "URLRewrite":
            told["rewrite"] = filters.rewrite(block)
        case "CORS":
            told["cors"] = filters.cors(block)
        case "ExternalAuth":
            reference = block.block("backendRef")
            service = backend(reference, rule.one, rule.around) if reference is not None else None
            if reference is not None:
                reference.close()
            rule.attached.append(external_authorisation(block, service, rule.one))
        case _:
            filters.extension(block)


def _destinations(rule: _Rule, block: Block) -> None:
    """Shares of the calls; where there is nobody to take them the standard wants a 500."""
    destinations = []
    for inner in block.blocks("backendRefs"):
        destination = backend(inner, rule.one, rule.around)
        weight = inner.number("weight")
        for filter_ in inner.blocks("filters"):
            if (found := filters.filter_block(filter_)) and destination is not None:
                _filter_of_one(destination, *found)
        inner.close()
        if destination is not None:
            put(destination, "weight", weight)
            destinations.append(At(destination, inner.origin))
    if "redirect" in rule.told:
        return
    written = [destination.value.get("weight") for destination in destinations]
    if all(weight is not None and weight.value == 0 for weight in written):
        if not block.has("backendRefs") or destinations:
            origin = block.at("backendRefs") if block.has("backendRefs") else block.origin
            rule.told["respond"] = At({"status": 500}, origin)
        return
    put(rule.told, "destinations", destinations)


def _filter_of_one(destination: Tree, kind: str, block: Block) -> None:
    if kind == "RequestHeaderModifier":
        put(destination, "request_headers", filters.header_modifier(block))
    elif kind == "ResponseHeaderModifier":
        put(destination, "response_headers", filters.header_modifier(block))
    else:
        block.findings.refuse(block.origin, f"{kind} is for a whole rule: write one rule for each backend")
