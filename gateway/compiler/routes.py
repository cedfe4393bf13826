"""From a Route to candidates: one for each Match of each rule, with the rank that orders them within a host.

Order: priority; the matches' own (`meshway/model/precedence.py`); the older Route; its name; the rule's place in it. A
listed Route has the order in which it is written.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.cache.rule_cache import RuleCache, compile_changed
from gateway.compiler.cluster_key import ClusterKey, all_involved, destination_key
from gateway.compiler.compiled_route import Attachment, CompiledRoute
from gateway.compiler.diff import CompileError, Entry, ServiceKey
from gateway.compiler.matches import Placed, read_match
from gateway.compiler.mesh_names import mesh_service, plain_host
from gateway.compiler.route_context import RouteContext
from gateway.compiler.rule_plan import WrittenRule, compile_rule
from gateway.filters import grpc_web
from gateway.filters.codings import CodingMissing
from gateway.filters.cors import compile_leave
from gateway.plan import (
    RoutePlan,
)
from gateway.routing.path import PathError
from gateway.routing.preflight import compile_preflight
from gateway.routing.table import Candidate
from meshway.model.listener import EDGE, FACES
from meshway.model.match import Match, PathMatch
from meshway.model.precedence import asked_at
from meshway.model.route import Rewrite, Route, Rule, RuleDestination
from meshway.model.service import External

_HTTP_PORT: Final = 80  # of http URLs, which a Host need not say


def compile_route(entry: Entry[Route], context: RouteContext) -> CompiledRoute:
    """Raises CompileError."""
    placed: list[Placed] = []
    clusters: dict[ClusterKey, None] = {}
    caches: list[RuleCache] = []
    # Each sees what any rule's calls may change, also of the rules below it: the list is whole before the first call.
    changes = compile_changed(caches) if any(rule.cache is not None for rule in entry.spec.rules) else None
    for index, rule in enumerate(entry.spec.rules):
        path = f"spec.rules[{index}]"
        written = rule.match or (Match(),)
        matches = [read_match(match, f"{path}.match[{at}]", context.parts) for at, match in enumerate(written)]
        paths = [read.path for read in matches]
        keys = [context.alike.key(entry.namespace, destination) for destination in rule.destinations]
        clusters.update(dict.fromkeys(keys))
        clusters.update(dict.fromkeys(destination_key(entry.namespace, copy.destination) for copy in rule.mirror))
        if rule.cors is not None and context.all_speak_grpc(keys):
            rule = msgspec.structs.replace(rule, cors=grpc_web.with_leave(rule.cors))
        try:
            asked = WrittenRule(entry, rule, rule.name or str(index), keys, paths, path)
            plan = compile_rule(asked, context, caches=caches, changes=changes)
        except PathError as error:
            raise CompileError(path, error.detail) from error
        except CodingMissing as error:
            raise CompileError(f"{path}.compression.encodings", str(error)) from error
        for at, read in enumerate(matches):
            rank = asked_at(entry.spec, read.rank, entry.age, entry.title, index, at)
            placed.append(Placed(read.path, Candidate(rank, plan, read.test), index, at))
            if rule.cors is None:
                continue
            test = compile_preflight(written[at], context.parts.fields, compile_leave(rule.cors))
            if test is not None:
                placed.append(Placed(read.path, Candidate((*rank, 1), plan, test), index, at))
    involved = dict.fromkeys(other for key in clusters for other in all_involved(key, context.standing_in))
    alike = context.alike
    attached = alike.attached(attach(entry, context.aliases))
    return CompiledRoute(entry, tuple(placed), alike.group(clusters), attached, alike.group(involved), tuple(caches))


def attach(entry: Entry[Route], aliases: Mapping[str, ServiceKey]) -> Attachment:
    """Raises CompileError."""
    hosts = entry.spec.hosts
    edge: dict[str, None] = {}
    mesh: dict[ServiceKey, None] = {}
    own = tuple(name for name in entry.spec.listeners if name not in FACES)
    if own or EDGE in entry.spec.listeners:
        edge = dict.fromkeys(plain_host(host) for host in hosts or ("*",))
    if "mesh" in entry.spec.listeners:
        for at, host in enumerate(hosts):
            mesh[mesh_service(host, entry.namespace, aliases, f"spec.hosts[{at}]")] = None
    named = tuple((name, host) for name in own for host in edge)
    return Attachment(tuple(edge) if EDGE in entry.spec.listeners else (), tuple(mesh), named)


def implicit_plan(key: ClusterKey, context: RouteContext, outside: External | None = None) -> RoutePlan:
    """What a service without a mesh Route has: everything goes to itself, and to a host outside by its own name."""
    rewrite = None
    if outside is not None:
        port = "" if outside.target_port == _HTTP_PORT else f":{outside.target_port}"
        rewrite = Rewrite(host=f"{outside.host}{port}")
    rule = Rule(name="all", destinations=(RuleDestination(service=key.service),), rewrite=rewrite)
    entry = Entry("Route", key.namespace, f"implicit:{key.service}", Route(listeners=("mesh",), rules=(rule,)))
    return compile_rule(WrittenRule(entry, rule, "all", [key], [PathMatch(prefix="")], is_written=False), context)
