"""From the rules of AccessPolicies to the tables in which a call finds the first that denies or allows it."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.access.gate import Rules, Verdict
from gateway.access.proof import has_claims, is_by_word_of, is_of_namespace
from gateway.access.readings import Readings
from gateway.compiler.access_callers import Callers, consents
from gateway.compiler.any_reading import as_read_by_anybody
from gateway.compiler.combined import any_of, anybody, both
from gateway.compiler.diff import Entry
from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed, read_match
from gateway.compiler.policies import MESH_NAMESPACE
from gateway.plan import Parts
from gateway.routing.predicates import of_methods
from gateway.routing.table import Candidate
from meshway.model.access_policy import AccessOperation, AccessPolicy, AccessRule
from meshway.model.match import Match, PathMatch
from meshway.model.precedence import Rank

_EVERYTHING: Final = PathMatch(prefix="")


class PolicyRules:
    """Of one revision. readings: of paths, shared by all that is compiled."""

    def __init__(self, callers: Callers, readings: Readings, parts: Parts) -> None:
        self._callers, self._readings, self._parts = callers, readings, parts

    def compiled(
        self,
        entries: Sequence[Entry[AccessPolicy]],
        origin: str,
        home: str,
        last: Verdict,
        own: str,
        *,
        are_requests: bool,
    ) -> Rules:
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
        callers = [self._callers.test(one, entry.namespace, rule.action, origin, home) for one in rule.from_]
        asked = [caller for caller in callers if caller is not None]
        if rule.from_ and not asked:
            return
        by = None if not asked or anybody in asked else any_of(asked)
        if rule.when is not None:
            by = both(by, has_claims(rule.when.claims))
            if rule.action == "allow" and not any(consents(one, origin) for one in rule.from_):
                by = both(is_by_word_of((entry.namespace, MESH_NAMESPACE, home)), by)
        for at, operation in enumerate(rule.to or (AccessOperation(),)):
            read = read_match(_as_match(operation), f"{path}.to[{at}]", self._parts)
            test = both(read.test, by)
            if by is not None and operation.methods and not operation.headers and not operation.query:
                test = of_methods(operation.methods, by)  # most are so: one call of a function less
            candidate = Candidate((*rank, at), verdict, test)
            if rule.action == "allow":
                yield Placed(read.path, candidate)
            else:
                for each in as_read_by_anybody(read.path):
                    yield Placed(each, candidate)


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


def check(entry: Entry[AccessPolicy], parts: Parts) -> None:
    """Compiles it alone, for show. Raises CompileError."""
    for at, rule in enumerate(entry.spec.rules):
        for place, operation in enumerate(rule.to):
            as_read_by_anybody(read_match(_as_match(operation), f"spec.rules[{at}].to[{place}]", parts).path)
