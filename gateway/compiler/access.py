"""From AccessPolicies to what a rule asks before a call goes on, and once more where the service is not settled before.

Two questions, each with an answer of its own: may the Route be used (policies that target it), and may the service be
called (those of the mesh, its namespace, itself and its subset). A Route's owner lets nobody into others' services.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from gateway.access import grpc_check, http_check
from gateway.access.addresses import Addresses
from gateway.access.checking import Asked, Policy
from gateway.access.external import Check
from gateway.access.gate import AccessStep, Authorize, Gate, Guard, Rules, Verdict
from gateway.access.mesh_only import mesh_only
from gateway.access.proof import (
    has_claims,
    is_anonymous,
    is_by_word_of,
    is_consumer,
    is_in_group,
    is_of_namespace,
    is_principal,
    is_workload,
)
from gateway.access.readings import MOST_READ, Readings, folded, is_plain
from gateway.compiler.clusters import ClusterKey
from gateway.compiler.diff import DocumentKey, Entry, ServiceKey
from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed, ReadMatch, read_match
from gateway.compiler.mesh_tls import MeshTls
from gateway.compiler.policies import (
    MESH,
    MESH_NAMESPACE,
    Attached,
    Place,
    places_of,
    service_places,
    wide_place,
)
from gateway.exchange import Exchange, Reply
from gateway.plan import FilterStep, Forecast, Parts
from gateway.routing.path_match import compile_path
from gateway.routing.predicates import Test, of_methods
from gateway.routing.table import Candidate
from gateway.upstream.cluster import Cluster
from meshway.model import mesh_settings
from meshway.model.access_policy import AccessCaller, AccessOperation, AccessPolicy, AccessRule
from meshway.model.document import Destination
from meshway.model.instant import parse_instant
from meshway.model.ip_list import IpList
from meshway.model.match import Match, PathMatch
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.model.path_template import parse_template
from meshway.model.precedence import Rank

WOULD_DENY: Final = "meshway_access_would_deny_total"
KINDS: Final = ("AccessPolicy", "IpList", "MeshSettings", "Namespace")
_NOBODY: Final = "nobody else says anything"

Entries = Sequence[Entry[AccessPolicy]]


class Access:
    """All policies, lists and settings of one revision. Tables are made when a Route first asks for them."""

    def __init__(
        self,
        policies: Iterable[Entry[AccessPolicy]],
        lists: Iterable[Entry[IpList]],
        settings: Iterable[Entry[MeshSettings]],
        namespaces: Iterable[Entry[Namespace]],
        parts: Parts,
        outside: frozenset[ServiceKey] = frozenset(),
    ) -> None:
        """outside: services that lead out of the mesh. told: names, lower-case, of fields by which services are told
        what those who were asked have answered."""
        self._parts = parts
        self._outside = outside
        self._readings = Readings()
        policies = list(policies)
        self._attached = Attached(policies)
        self._lists = {entry.key[1:]: entry.spec for entry in lists}
        self._addresses: dict[tuple[str, str], Addresses] = {}
        self._mesh = next((entry.spec for entry in settings if entry.name == mesh_settings.NAME), MeshSettings())
        self._namespaces = {entry.name: entry.spec for entry in namespaces}
        self._mesh_tls = MeshTls(self._mesh, self._namespaces)
        self._checks: dict[DocumentKey, FilterStep] = {}
        self.asked = tuple(
            _cluster_key(entry.spec.external.service, entry.namespace)
            for entry in policies
            if entry.spec.external is not None and entry.spec.external.service is not None
        )
        self._gates: dict[tuple[tuple[DocumentKey, ...], str, str, str, bool], Gate | None] = {}
        self.told = frozenset(
            name.lower().encode()
            for entry in policies
            if entry.spec.external is not None
            for name in entry.spec.external.upstream_headers or ()
        )

    def route_gate(self, places: Iterable[Place], origin: str, *, are_requests: bool = True) -> Gate | None:
        """May the Route be used? None: nobody says anything of it. origin: the Route's namespace, "" = no Route.

        are_requests: else no rule that asks for parts of one lets anybody in."""
        return self._gate(self._attached.at(places), origin, "", are_requests=are_requests)

    def service_steps(
        self, namespace: str, service: str, subset: str, origin: str, *, are_requests: bool = True
    ) -> tuple[AccessStep, ...]:
        """May this service be called by a Route of the namespace `origin`? are_requests: as in `route_gate`."""
        entries = self._attached.at(service_places(namespace, service, subset))
        outside = service if (namespace, service) in self._outside else ""
        gate = self._gate(entries, origin, namespace, outside, are_requests=are_requests)
        asked = () if gate is None else (gate.step(),)
        strict = self._mesh_tls.said_by(namespace)
        return asked if strict is None else (mesh_only(strict), *asked)

    def mesh_tls_by(self, service: ServiceKey) -> str | None:
        """By whose word its instances are called by TLS of the mesh alone; None: by none. A host outside has no
        certificate of it."""
        return None if service in self._outside else self._mesh_tls.said_by(service[0])

    def checks(self, places: Iterable[Place], cluster_for: Callable[[ClusterKey], Cluster]) -> tuple[FilterStep, ...]:
        """Of the services that policies have asked, from the wider place on; the same step for all rules."""
        return tuple(
            self._check(entry, cluster_for) for entry in self._attached.at(places) if entry.spec.external is not None
        )

    def _check(self, entry: Entry[AccessPolicy], cluster_for: Callable[[ClusterKey], Cluster]) -> FilterStep:
        step = self._checks.get(entry.key)
        if step is None:
            spec = entry.spec.external
            assert spec is not None
            policy = Policy(f"AccessPolicy {entry.title}", entry.namespace, spec, self._parts)
            asks = fits_any(spec.when, "spec.external.when", self._parts, self._readings)
            check = Check(policy, _asked(policy, cluster_for), asks, entry.spec.mode == "enforce")
            step = self._checks[entry.key] = check.step()
        return step

    def overrules(self, places: Iterable[Place]) -> bool:
        """Whether somebody who is asked may put fields in place of the service's answer's."""
        external = (entry.spec.external for entry in self._attached.at(places))
        return any(one is not None and one.protocol == "grpc" for one in external)

    def _gate(self, entries: Entries, origin: str, owner: str, outside: str = "", *, are_requests: bool) -> Gate | None:
        """outside: the service's name, where it leads out of the mesh."""
        key = (tuple(entry.key for entry in entries), origin, owner, outside, are_requests)
        if key not in self._gates:
            self._gates[key] = self._compile(entries, origin, owner, outside, are_requests=are_requests)
        return self._gates[key]

    def _compile(self, entries: Entries, origin: str, owner: str, outside: str, *, are_requests: bool) -> Gate | None:
        own = owner if outside and not origin else ""
        last = self._leaving(own, outside) if own else self._crossing(origin, owner)
        enforced = [entry for entry in entries if entry.spec.mode == "enforce"]
        home = owner or origin

        def rules(of: Entries) -> Rules:
            return self._rules(of, origin, home, last, own, are_requests=are_requests)

        of_enforced = rules(enforced) if enforced or last.reply is not None else None
        if len(enforced) == len(entries):
            return None if of_enforced is None else Gate(of_enforced, None, _silent)
        return Gate(of_enforced, rules(entries), self._telling(entries))

    def _crossing(self, origin: str, owner: str) -> Verdict:
        """Where no document says otherwise: from one namespace into another as the mesh, or the called one, has it."""
        if not origin or not owner or origin == owner:
            return Verdict("built in", _NOBODY, passes=True)
        document, setting = f"Namespace {MESH_NAMESPACE}/{owner}", None
        if (namespace := self._namespaces.get(owner)) is not None:
            setting = namespace.cross_namespace
        if setting is None:
            document, setting = f"MeshSettings {MESH_NAMESPACE}/{mesh_settings.NAME}", self._mesh.cross_namespace
        if setting == "allow" or (setting is None and self._parts.crosses_namespaces):
            return Verdict(document, "calls may cross namespaces", passes=True)
        says = (
            f"Routes of namespace {origin} may not send to namespace {owner}, unless an AccessPolicy of {owner} allows "
            f"from: [{{namespace: {origin}}}]"
        )
        return Verdict(document, says, passes=False)

    def _leaving(self, owner: str, service: str) -> Verdict:
        """Where no document says otherwise: out of the mesh, by no Route. `_rules` lets the service's own namespace."""
        document = f"Service {owner}/{service}"
        if self._parts.crosses_namespaces:
            return Verdict(document, "calls may leave the mesh", passes=True)
        says = (
            f"it is for services of namespace {owner} that prove who they are, by a service token or a certificate, "
            f"and for whom an AccessPolicy of {owner} allows"
        )
        return Verdict(
            document,
            says,
            passes=False,
            reply=Reply(403, "egress_denied", "UAEX", f"{document}: {says}", policy=document),
        )

    def _rules(self, entries: Entries, origin: str, home: str, last: Verdict, own: str, *, are_requests: bool) -> Rules:
        """home: the namespace of what is asked for. own: the namespace whose services pass where no document says
        otherwise, "" = nobody does for this alone."""
        denies: list[Placed[Verdict]] = []
        allows: list[Placed[Verdict]] = []
        default = last
        for entry in entries:
            for at, rule in enumerate(entry.spec.rules):
                allows_it = rule.action == "allow"
                if allows_it and rule.to and not are_requests:
                    continue  # what it asks for nobody has; where that is that something lacks, all would be let in
                says = f"rule {rule.name or at} {'allows' if allows_it else 'denies'} this call"
                verdict = Verdict(f"AccessPolicy {entry.title}", says, passes=allows_it)
                placed = allows if allows_it else denies
                rank = (allows_it, len(placed))
                placed += self._placed(entry, rule, verdict, f"spec.rules[{at}]", origin, home, rank)
            default = _default(entry, default)
        if default.reply is None:
            allows = []  # they change nothing
        elif own and default is last:
            lets_in = Verdict(last.document, f"the caller is of namespace {own}", passes=True)
            allows.append(Placed(_EVERYTHING, Candidate((True, len(allows), 0), lets_in, is_of_namespace(own))))
        return Rules(
            denies=build_host(denies) if denies else None,
            allows=build_host(allows) if allows else None,
            together=build_host(denies + allows),
            readings=self._readings if any(placed.path != _EVERYTHING for placed in denies) else None,
            default=default,
        )

    def _placed(
        self,
        entry: Entry[AccessPolicy],
        rule: AccessRule,
        verdict: Verdict,
        path: str,
        origin: str,
        home: str,
        rank: Rank,
    ) -> Iterator[Placed[Verdict]]:
        callers = [self._caller(one, entry.namespace, rule.action, origin, home) for one in rule.from_]
        asked = [caller for caller in callers if caller is not None]
        if rule.from_ and not asked:
            return
        by = None if not asked or _anybody in asked else _any_of(asked)
        if rule.when is not None:
            by = _both(by, has_claims(rule.when.claims))
            if rule.action == "allow" and not any(_consents(one, origin) for one in rule.from_):
                by = _both(is_by_word_of((entry.namespace, MESH_NAMESPACE, home)), by)
        for at, operation in enumerate(rule.to or (AccessOperation(),)):
            read = read_match(_as_match(operation), f"{path}.to[{at}]", self._parts)
            test = _both(read.test, by)
            if by is not None and operation.methods and not operation.headers and not operation.query:
                test = of_methods(operation.methods, by)  # most are so: one call of a function less
            candidate = Candidate((*rank, at), verdict, test)
            if rule.action == "allow":
                yield Placed(read.path, candidate)
            else:
                for each in _as_read_by_anybody(read.path):
                    yield Placed(each, candidate)

    def _caller(self, caller: AccessCaller, namespace: str, action: str, origin: str, home: str) -> Test | None:
        """None: it is none of this Route's. A list that is not there lets nobody in, and keeps everybody out."""
        tests: list[Test] = []
        if caller.service is not None:
            tests.append(is_workload(caller.namespace or namespace, caller.service))
        elif caller.namespace is not None and not _consents(caller, origin):
            if caller.via == "route":
                return None
            tests.append(is_workload(caller.namespace))
        if caller.cidr:
            tests.append(self._networks(caller.cidr).compile())
        if caller.not_cidr:
            tests.append(self._networks(caller.not_cidr).compile_outside(unreadable=action == "deny"))
        for name, is_outside in ((caller.ip_list, False), (caller.not_ip_list, True)):
            known = None if name is None else self._list(namespace, name)
            if known is not None:
                tests.append(known.compile_outside(unreadable=action == "deny") if is_outside else known.compile())
            elif name is not None and action == "allow":
                return None
        named = (caller.principal, caller.consumer, caller.consumer_group)
        if action == "allow" and named != (None, None, None) and not _consents(caller, origin):
            tests.append(is_by_word_of((namespace, MESH_NAMESPACE, home)))
        if caller.principal is not None:
            tests.append(is_principal(caller.principal))
        if caller.consumer is not None:
            tests.append(is_consumer(namespace, caller.consumer))
        if caller.consumer_group is not None:
            tests.append(is_in_group(namespace, caller.consumer_group))
        if caller.anonymous:
            tests.append(is_anonymous)
        return _all_of(tests) if tests else _anybody

    def _networks(self, written: Sequence[str]) -> Addresses:
        return Addresses([(network, math.inf) for network in written], self._parts.wall)

    def _list(self, namespace: str, name: str) -> Addresses | None:
        """Of the policy's own namespace, else of the mesh."""
        key = next((key for key in ((namespace, name), (MESH_NAMESPACE, name)) if key in self._lists), None)
        if key is None:
            return None
        if key not in self._addresses:
            entries = [
                (entry.cidr, math.inf if entry.until is None else parse_instant(entry.until))
                for entry in self._lists[key].entries
            ]
            self._addresses[key] = Addresses(entries, self._parts.wall)
        return self._addresses[key]

    def _telling(self, entries: Entries) -> Callable[[Verdict], None]:
        counters = self._parts.counters
        if counters is None:
            return _silent
        cells = {f"AccessPolicy {entry.title}": counters.counter(WOULD_DENY, policy=entry.title) for entry in entries}

        def tell(verdict: Verdict) -> None:
            cell = cells.get(verdict.document)
            if cell is not None:
                counters.add(cell)

        return tell


class RuleAccess:
    """What one rule of a Route asks.

    services: its destinations. standing_in: of each cluster, who may be called in its place. unusable: of a service for
    which a policy speaks that cannot be used, what its calls get. is_rewritten: the service sees another path, or other
    headers, than the Route. are_requests: as in `Access.route_gate`. steps: asked before the call goes on. asks_others:
    services are asked among these. overrules_answers: fields of the service's answer, by the word of who is asked.
    guard: asked of each service that is called.
    """

    def __init__(
        self,
        access: Access,
        route: Sequence[Place],
        services: Sequence[ClusterKey],
        standing_in: Callable[[ClusterKey], Iterable[ClusterKey]],
        unusable: Callable[[ClusterKey], Authorize | None],
        origin: str,
        *,
        is_rewritten: bool,
        cluster_for: Callable[[ClusterKey], Cluster],
        are_requests: bool = True,
    ) -> None:
        self._access = access
        self._are_requests = are_requests
        self._cluster_for = cluster_for
        self._origin = origin
        self._standing_in = standing_in
        self._unusable = unusable
        wide = () if services else (MESH, ("namespace", route[0][1]))
        gate = access.route_gate((*wide, *route), origin, are_requests=are_requests)
        steps: tuple[AccessStep, ...] = () if gate is None else (gate.step(),)
        is_settled = len({key[:3] for key in services}) == 1 and not is_rewritten
        if is_settled:
            steps += self._service_steps(services[0])
        self._settled = services[0][:3] if is_settled else None
        self.steps = tuple(FilterStep("access", "", *step) for step in steps)
        # Whichever service is drawn, or stands in for it: who is asked for any of them is asked before.
        involved = dict.fromkeys(other for key in services for other in all_involved(key, standing_in))
        own = dict.fromkeys(
            place for key in involved for place in service_places(key.namespace, key.service, key.subset)
        )
        checks = access.checks((*(own or wide), *route), cluster_for)
        self.asks_others = bool(checks)
        self.overrules_answers = access.overrules((*(own or wide), *route))
        self._asked = frozenset(id(step) for step in checks)
        self.steps += tuple({id(step): step for step in checks}.values())
        self.guard = self.guard_of(services)

    def copy_guard_of(self, key: ClusterKey) -> Guard | None:
        """For copies of calls. Nobody is asked of a copy: where a policy has somebody asked of whom the call was not,
        none is sent."""
        involved = all_involved(key, self._standing_in)
        checks = self._access.checks(_places(involved), self._cluster_for)
        if all(id(step) in self._asked for step in checks):
            return self.guard_of((key,))
        refusal = AccessStep(lambda _: _NOT_ASKED, lambda _: ())
        return Guard({(one.name, *owner.owner): (refusal,) for one in involved for owner in involved})

    def guard_of(self, services: Iterable[ClusterKey]) -> Guard | None:
        """None: the steps have asked already, or nobody says anything. Also for copies of calls."""
        asked: dict[tuple[str, str, str], dict[ClusterKey, tuple[AccessStep, ...]]] = {}
        for service in services:
            involved = all_involved(service, self._standing_in)
            for owner in involved:
                steps = self._steps(owner)
                if steps:
                    for cluster in involved:
                        # Of two subsets of one service both are asked: an instance may be of either.
                        asked.setdefault((cluster.name, *owner.owner), {})[owner] = steps
        return Guard({key: tuple(chain.from_iterable(of.values())) for key, of in asked.items()}) if asked else None

    def _steps(self, owner: ClusterKey) -> tuple[AccessStep, ...]:
        if owner[:3] == self._settled:
            return ()
        refusing = self._unusable(owner)
        if refusing is not None:
            return (AccessStep(refusing, lambda exchange: _refused(refusing(exchange))),)
        return self._service_steps(owner)

    def _service_steps(self, key: ClusterKey) -> tuple[AccessStep, ...]:
        return self._access.service_steps(
            key.namespace, key.service, key.subset, self._origin, are_requests=self._are_requests
        )


_NOT_ASKED: Final = Reply(403, "denied", "UAEX", "nobody is asked of a copy")


def _asked(policy: Policy, cluster_for: Callable[[ClusterKey], Cluster]) -> Asked:
    spec = policy.spec
    if spec.url is not None:
        return http_check.of_url(policy, spec.url)
    assert spec.service is not None
    cluster = cluster_for(_cluster_key(spec.service, policy.namespace))
    return grpc_check.GrpcAsked(policy, cluster) if spec.protocol == "grpc" else http_check.of_service(policy, cluster)


def fits_any(matches: Sequence[Match], at: str, parts: Parts, readings: Readings) -> Test | None:
    """Whether a call fits one of them by any reading of its path, so that nobody gets past by how it is spelled; None:
    every call does. Raises CompileError."""
    tests = [_fits(read_match(match, f"{at}[{index}]", parts), readings) for index, match in enumerate(matches)]
    return _any_of(tests) if tests else None


def _fits(read: ReadMatch, readings: Readings) -> Test:
    as_written = compile_path(read.path)
    by_others = [fits for path in _as_read_by_anybody(read.path) if (fits := compile_path(path)) is not None]
    if as_written is None:
        return read.test or _anybody

    def fits_path(exchange: Exchange) -> bool:
        path = exchange.path
        if as_written(path):
            return True
        if is_plain(path):
            return any(fits(path) for fits in by_others)
        return len(path) > MOST_READ or any(fits(each) for each in readings.of(path) for fits in by_others)

    both = _both(fits_path, read.test)
    assert both is not None
    return both


def _cluster_key(service: Destination, namespace: str) -> ClusterKey:
    """namespace: the document's."""
    return ClusterKey(service.namespace or namespace, service.service, service.subset or "", service.port or "")


def _places(services: Iterable[ClusterKey]) -> tuple[Place, ...]:
    """All at which policies speak for one of them, from the wider on."""
    found = (place for key in services for place in service_places(key.namespace, key.service, key.subset))
    return tuple(dict.fromkeys(found))


def _refused(reply: Reply | None) -> Sequence[Forecast]:
    return [] if reply is None else [Forecast("refuse", reply.detail, reply.policy, reply)]


def all_involved(
    service: ClusterKey, standing_in: Callable[[ClusterKey], Iterable[ClusterKey]]
) -> tuple[ClusterKey, ...]:
    """A service and whoever may be called in its place, or in the place of these."""
    found = {service: None}
    waiting = [service]
    while waiting:
        added = [key for key in standing_in(waiting.pop()) if key not in found]
        found |= dict.fromkeys(added)
        waiting += added
    return tuple(found)


def _default(entry: Entry[AccessPolicy], wider: Verdict) -> Verdict:
    spec, document = entry.spec, f"AccessPolicy {entry.title}"
    if spec.default == "allow":
        return Verdict(document, "its default allows this call", passes=True)
    if spec.default == "deny":
        return Verdict(document, "its default denies this call", passes=False)
    if any(rule.action == "allow" for rule in spec.rules):
        return Verdict(document, "it allows others, so this call is denied", passes=False)
    return wider


def _as_match(operation: AccessOperation) -> Match:
    return Match(path=operation.path, methods=operation.methods, headers=operation.headers, query=operation.query)


_EVERYTHING: Final = PathMatch(prefix="")


def _as_read_by_anybody(path: PathMatch) -> tuple[PathMatch, ...]:
    """path: canonical. Folded, as `gateway/access/readings.py` spells paths."""
    if path.regex is not None:
        return (path, msgspec.structs.replace(path, ignore_case=True))
    plain = msgspec.structs.replace(path, ignore_case=False)
    if path.template is not None:
        words = []
        for segment in parse_template(path.template):
            if segment.literal is not None:
                words.append(folded(f"/{segment.literal}"))
            else:
                words.append(f"/{{{segment.name}=**}}" if segment.is_rest else f"/{{{segment.name}}}")
        return (msgspec.structs.replace(plain, template="".join(words)),)
    text = {name: getattr(path, name) for name in ("exact", "prefix", "string_prefix")}
    return (msgspec.structs.replace(plain, **{name: folded(one) for name, one in text.items() if one is not None}),)


def _consents(caller: AccessCaller, origin: str) -> bool:
    """Whether it lets Routes of the namespace `origin` in, with whatever their owners say of callers."""
    return caller.service is None and caller.namespace == origin != "" and caller.via != "call"


def _anybody(_: Exchange) -> bool:
    return True


def _all_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda exchange: all(test(exchange) for test in tests)


def _any_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda exchange: any(test(exchange) for test in tests)


def _both(first: Test | None, second: Test | None) -> Test | None:
    if first is None or second is None:
        return first or second
    return lambda exchange: first(exchange) and second(exchange)


def _silent(_: Verdict) -> None:
    pass


def check(entry: Entry[AccessPolicy], parts: Parts) -> None:
    """Compiles it alone, for show. Raises CompileError."""
    for at, rule in enumerate(entry.spec.rules):
        for place, operation in enumerate(rule.to):
            _as_read_by_anybody(read_match(_as_match(operation), f"spec.rules[{at}].to[{place}]", parts).path)


def touched_by(news: Iterable[Entry[Any]], policies: Iterable[Entry[AccessPolicy]]) -> set[Place]:
    """Where calls fare otherwise for new, changed and gone documents. policies: old and new ones."""
    places: set[Place] = set()
    lists: set[str] = set()
    for entry in news:
        if entry.kind == "AccessPolicy":
            places |= {wide_place(place) for place in places_of(entry)}
        elif entry.kind == "IpList":
            lists.add(entry.name)
        elif entry.kind == "Namespace":
            places.add(("namespace", entry.name))
        else:
            places.add(MESH)
    for policy in policies if lists else ():
        if any(
            not lists.isdisjoint((caller.ip_list, caller.not_ip_list))
            for rule in policy.spec.rules
            for caller in rule.from_
        ):
            places |= {wide_place(place) for place in places_of(policy)}
    return places
