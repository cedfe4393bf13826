"""VirtualService to Route: one for each listener it is meant for (networking.istio.io v1alpha3, v1beta1, v1).

What is no call of it: `istio_bytes.py`.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from meshway.formats import istio_actions
from meshway.formats.foreign import At, Block
from meshway.formats.foreign_metadata import read_envelope
from meshway.formats.foreign_values import at_block, label_of, percent, unique_names
from meshway.formats.istio_bytes import convert_bytes
from meshway.formats.istio_destination import named_destination, read_destination, weighted_destination
from meshway.formats.istio_gateway import bounded_hosts, gateway_key, server_ports
from meshway.formats.istio_match import convert_match
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import ISTIO, Foreign, Surroundings

MESH: Final = "mesh"
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


class _Face(msgspec.Struct, frozen=True):
    """The listener a document is read for. gateways: those that stand for the edge; none: every one."""

    name: str
    gateways: frozenset[tuple[str, str]] = frozenset()

    def serves(self, gateways: list[At], namespace: str) -> bool:
        """A match or document that names these gateways is for this face."""
        names = {gateway.value for gateway in gateways}
        if not names:
            return True
        if self.name == MESH:
            return MESH in names
        return any(gateway_key(name, namespace) in self.gateways for name in names - {MESH})


def convert_virtual_service(one: Foreign, around: Surroundings) -> Iterator[Native]:
    spec = read_envelope(around.root(one))
    if spec is None:
        return
    hosts, faces = spec.texts("hosts"), _faces(spec, one)
    yield from convert_bytes(spec, spec.texts("gateways"), one, around)
    refuse_export(spec)
    written = spec.blocks("http")
    spec.close()
    if not hosts:
        if (one.namespace, one.name) not in around.delegated:
            spec.findings.wrong(spec.at("hosts"), "missing_field", "is required, but for a delegate of this import")
        return
    if not written and not spec.has("tls") and not spec.has("tcp"):
        spec.findings.wrong(spec.at("http"), "missing_field", "is required")
    for face in faces if written else ():
        served = _hosts(hosts, face, one, around)
        rules = _rules(spec, face, one, around)
        if served and rules:
            name = f"{one.name}-edge" if face.name == "edge" and len(faces) > 1 else one.name
            route: Tree = {"listeners": At([face.name], spec.at("gateways")), "hosts": served, "rules": rules}
            if len(rules) > 1:  # one rule has no order to keep
                route["order"] = At("listed", spec.at("http"))
            yield Native("Route", one.namespace, name, route, [one.document])


def refuse_export(spec: Block) -> None:
    for scope in spec.texts("exportTo"):
        if scope.value == ".":
            spec.findings.warn(scope.origin, "is ignored: it holds for callers of other namespaces, too")
        elif scope.value != "*":
            spec.findings.refuse(scope.origin, "documents hold for the whole mesh: limit callers by an AccessPolicy")


def delegates(documents: list[Foreign]) -> set[tuple[str, str]]:
    """The VirtualServices that others hand calls on to, by namespace and name. Nothing is judged."""
    found: set[tuple[str, str]] = set()
    for one in documents:
        spec = one.document.raw.get("spec")
        routes = spec.get("http") if isinstance(spec, dict) else None
        for route in routes if isinstance(routes, list) else []:
            delegate = route.get("delegate") if isinstance(route, dict) else None
            if isinstance(delegate, dict) and isinstance(delegate.get("name"), str):
                found.add((delegate.get("namespace") or one.namespace, delegate["name"]))
    return found


def _faces(spec: Block, one: Foreign) -> list[_Face]:
    names = spec.texts("gateways")
    if not names and "*" in (host.value for host in spec.texts("hosts")):
        spec.findings.warn(
            spec.at("hosts"), 'host "*" without gateways is read as the edge (Istio refuses it)', "read_as_edge"
        )
        return [_Face("edge")]
    edge = frozenset(gateway_key(name.value, one.namespace) for name in names if name.value != MESH)
    faces = [_Face(MESH)] if not names or any(name.value == MESH for name in names) else []
    return [*faces, _Face("edge", edge)] if edge else faces


def _hosts(hosts: list[At], face: _Face, one: Foreign, around: Surroundings) -> list[At]:
    if face.name == "edge":
        return bounded_hosts(hosts, face.gateways, one, around)
    served = []
    for host in hosts:
        if host.value in around.hosts:
            served.append(host)  # an alias of its Service
        elif service := around.service_of(host, one.namespace):
            name = service.name if service.namespace == one.namespace else f"{service.name}.{service.namespace}"
            served.append(At(name, host.origin))
    return served


def _rules(spec: Block, face: _Face, one: Foreign, around: Surroundings) -> list[At]:
    name = unique_names(set())
    rules = []
    for block in spec.blocks("http"):
        for rule in _http_route(block, face, one, around):
            if "name" in rule:
                rule["name"] = At(name(rule["name"].value), rule["name"].origin)
            # A rule that lost a part of its match would take calls it was not meant for.
            if not around.options.partial or not spec.findings.refused_within(block.at("match")):
                rules.append(At(rule, block.origin))
    return rules


def _http_route(block: Block, face: _Face, one: Foreign, around: Surroundings) -> list[Tree]:
    """None when no match is for this face, several where it delegates or rewrites in two ways."""
    ports = server_ports(face.gateways, around) if face.name == "edge" else frozenset()
    written = block.blocks("match")
    matches = [
        At(convert_match(match, ports), match.origin)
        for match in written
        if face.serves(match.texts("gateways"), one.namespace)
    ]
    rule: Tree = {}
    if (name := block.text("name")) is not None:
        label = name.value if _LABEL.match(name.value) else label_of(name.value)
        put(rule, "name", At(label, name.origin) if label else None)
    _actions(block, rule, one, around)
    delegate = block.block("delegate")
    rules = list(_rewritten(block, rule, matches, around))
    block.close()
    if written and not matches:
        return []
    if delegate is None:
        return rules
    return [made for outer in rules for made in _delegated(delegate, outer, face, one, around)]


def _actions(block: Block, rule: Tree, one: Foreign, around: Surroundings) -> None:
    routes = block.blocks("route")
    put(rule, "destinations", [made for made in (_weighted(to, len(routes), one, around) for to in routes) if made])
    if redirect := block.block("redirect"):
        put(rule, "redirect", at_block(istio_actions.redirect(redirect), redirect.origin))
    if respond := block.block("directResponse"):
        put(rule, "respond", at_block(istio_actions.respond(respond), respond.origin))
    put(rule, "timeouts.deadline", block.duration("timeout"))
    if retries := block.block("retries"):
        istio_actions.retries(retries, rule, every_method=around.options.istio_retries)
    if fault := block.block("fault"):
        put(rule, "fault", at_block(istio_actions.fault(fault), fault.origin))
    if cors := block.block("corsPolicy"):
        put(rule, "cors", at_block(istio_actions.cors(cors), cors.origin))
    if headers := block.block("headers"):
        istio_actions.headers(headers, rule)
    put(rule, "mirror", list(_mirrors(block, one, around)))


def _weighted(block: Block, count: int, one: Foreign, around: Surroundings) -> At | None:
    told = weighted_destination(block, count, one, around)
    if (headers := block.block("headers")) is not None and told is not None:
        istio_actions.headers(headers, told)
    block.close()
    return None if told is None else At(told, block.origin)


def _mirrors(block: Block, one: Foreign, around: Surroundings) -> Iterator[At]:
    share = percent(block, "mirrorPercentage", "mirrorPercent", "mirror_percent")
    if (single := block.block("mirror")) and (to := read_destination(single, one, around)):
        told: Tree = {"destination": At(to, single.origin)}
        put(told, "percent", share)
        yield At(told, single.origin)
    for inner in block.blocks("mirrors"):
        told = {}
        put(told, "destination", named_destination(inner, one, around))
        put(told, "percent", percent(inner, "percentage"))
        inner.close()
        if "destination" in told:
            yield At(told, inner.origin)


def _rewritten(block: Block, rule: Tree, matches: list[At], around: Surroundings) -> Iterator[Tree]:
    """Istio's `rewrite.uri` replaces the prefix of a prefix match and the whole path of any other: two rules."""
    by_prefix = [match for match in matches if not {"exact", "regex"} & match.value.get("path", {}).keys()]
    whole = [match for match in matches if match not in by_prefix]
    rewrite = block.block("rewrite")
    if rewrite is None or not rewrite.has("uri"):
        if rewrite is not None:
            put(rule, "rewrite", at_block(istio_actions.rewrite(rewrite, by_prefix=False), rewrite.origin))
        yield {**rule, **({"match": matches} if any(match.value for match in matches) else {})}
        return
    for group, is_prefix in ((by_prefix, True), (whole, False)):
        if group or (is_prefix and not matches):
            told = dict(rule)
            if is_prefix:
                root = At("/", rewrite.at("uri"))
                group = group or [At({}, rewrite.origin)]
                group = [At(_by_segments(match.value, root, around), match.origin) for match in group]
            fresh = block.block("rewrite")
            assert fresh is not None
            put(told, "rewrite", at_block(istio_actions.rewrite(fresh, by_prefix=is_prefix), fresh.origin))
            yield {**told, "match": group}


def _by_segments(match: Tree, root: At, around: Surroundings) -> Tree:
    """The prefix that is rewritten holds whole segments; a string's would leave half a segment behind."""
    path = dict(match.get("path", {}))
    if (prefix := path.pop("string_prefix", None)) is not None:
        around.findings.warn(
            prefix.origin,
            "is rewritten by whole segments: /a matches /a and /a/b, not /ab",
            "string_prefix",
        )
        root = At(prefix.value.rstrip("/") or "/", prefix.origin)
    return {**match, "path": {"prefix": root, **path}}


def _delegated(block: Block, outer: Tree, face: _Face, one: Foreign, around: Surroundings) -> Iterator[Tree]:
    """The rules of the VirtualService that is handed the calls; what it does not say is said by the one above."""
    name, namespace = block.text("name"), block.text("namespace")
    block.close()
    if name is None:
        block.findings.wrong(block.at("name"), "missing_field", "is required")
        return
    key = (ISTIO, "VirtualService", namespace.value if namespace else one.namespace, name.value)
    inner = around.documents.get(key)
    if inner is None:
        block.findings.refuse(name.origin, f"VirtualService {key[2]}/{key[3]} is not in this import: put it there")
        return
    spec = around.root(inner).block("spec")
    for route in spec.blocks("http") if spec else []:
        if route.has("delegate"):
            block.findings.refuse(route.at("delegate"), "a delegate does not delegate: write its rules here")
            continue
        for rule in _http_route(route, face, inner, around):
            told = {**outer, **rule}
            if "name" in outer:
                told["name"] = (
                    At(label_of(f"{outer['name'].value}-{rule['name'].value}"), rule["name"].origin)
                    if ("name" in rule)
                    else outer["name"]
                )
            matches = [
                At(both, match.origin)
                for above in outer.get("match") or [At({}, route.origin)]
                for match in rule.get("match") or [At({}, route.origin)]
                if (both := _both(above, match, around)) is not None
            ]
            told.pop("match", None)
            yield {**told, **({"match": matches} if any(match.value for match in matches) else {})}


def _both(above: At, match: At, around: Surroundings) -> Tree | None:
    """A match that holds where both hold."""
    told: Tree = {**above.value, **match.value}
    for part in above.value.keys() & match.value.keys():
        upper, lower = above.value[part], match.value[part]
        if part == "path":
            if not _lies_within(upper, lower):
                around.findings.refuse(match.origin, "the path lies outside of the one that is handed on")
                return None
        elif isinstance(upper, dict) and isinstance(lower, dict) and not upper.keys() & lower.keys():
            told[part] = {**upper, **lower}
        elif _plain(upper) != _plain(lower):
            around.findings.refuse(match.origin, f"{part} stands in both documents: write the match in one of them")
            return None
    return told


def _lies_within(upper: Tree, lower: Tree) -> bool:
    above = upper.get("prefix") or upper.get("string_prefix")
    if above is None:
        return _plain(upper) == _plain(lower)
    return any(
        str(lower[kind].value).startswith(above.value) for kind in ("exact", "prefix", "string_prefix") if kind in lower
    )


def _plain(tree: object) -> object:
    if isinstance(tree, At):
        return _plain(tree.value)
    if isinstance(tree, dict):
        return {key: _plain(member) for key, member in tree.items()}
    return [_plain(member) for member in tree] if isinstance(tree, list) else tree
