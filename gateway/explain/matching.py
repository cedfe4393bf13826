"""Which rule has a call, and why those before it do not.

The table itself decides. What is told of the rules before is told by the table's own parts: a candidate's path is asked
as a table of this candidate alone, and what it asks beside the path are the predicates its test was compiled from.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gateway.compiler.compiled_route import CompiledRoute
from gateway.compiler.host_build import build_host
from gateway.compiler.hosts import HostBuild
from gateway.compiler.matches import Placed
from gateway.compiler.state import State
from gateway.exchange import Exchange
from gateway.plan import RoutePlan
from gateway.request_fields import RequestFields
from gateway.routing.predicates import predicates_of
from gateway.routing.table import Candidate, HostRoutes
from meshway.explanation import Said, Tried
from meshway.model.match import Match, PathMatch

MOST_ASKED: Final = 500  # candidates looked at, the last before the one that has the call
MOST_STRANGE: Final = 20  # told of those whose path is another one


class Found(NamedTuple):
    """plan: of the table, None: no rule. route: None for the implicit one of a service. left_out: of `tried`."""

    plan: RoutePlan | None
    route: CompiledRoute | None
    placed: Placed | None
    tried: list[Tried]
    left_out: int


class _Considered(NamedTuple):
    route: CompiledRoute
    placed: Placed


def find_rule(state: State, exchange: Exchange) -> Found:
    """exchange: with its canonical path."""
    tables = state.tables
    plan = tables.match(exchange)
    fields = tables.parts.fields
    before: list[_Considered] = []
    for table in tables.hosts(exchange).tiers(exchange.host):
        candidates = _candidates(state, table)
        if plan is None:
            before += candidates
            continue
        won = next((one for one in candidates if _has(one, plan, exchange, fields)), None)
        if won is not None:
            before += candidates[: candidates.index(won)]
            return Found(plan, won.route, won.placed, *_tell(before, exchange, fields))
        before += candidates
        if not candidates and table.match(exchange) is plan:  # a service that no Route speaks for
            return Found(plan, None, None, *_tell(before, exchange, fields))
    assert plan is None, "the table found a rule that none of its candidates leads to"
    return Found(None, None, None, *_tell(before, exchange, fields))


def said_by(route: CompiledRoute, placed: Placed) -> Said:
    """By whose word a candidate is there."""
    path = f"spec.rules[{placed.rule}]"
    if route.entry.spec.rules[placed.rule].match:
        path += f".match[{placed.match}]"
    return Said(document=f"Route {route.entry.title}", path=path)


def why_not(route: CompiledRoute, placed: Placed, exchange: Exchange, fields: RequestFields) -> str:
    """Empty: the candidate takes the call."""
    if not _path_holds(placed, exchange):
        return f"path {exchange.path.decode('ascii')} is not {_path_in_words(placed.path)}"
    test = placed.candidate.test
    if test is None or test(exchange):
        return ""
    matches = route.entry.spec.rules[placed.rule].match or (Match(),)
    for predicate in predicates_of(matches[placed.match], fields):
        if not predicate.test(exchange):
            return f"{predicate.asks}: {predicate.found(exchange)}"
    return "it is for what browsers ask before a call, and this is none"


def _has(one: _Considered, plan: RoutePlan, exchange: Exchange, fields: RequestFields) -> bool:
    return one.placed.candidate.plan is plan and not why_not(one.route, one.placed, exchange, fields)


def _candidates(state: State, table: HostRoutes) -> list[_Considered]:
    """All of a host's table, in the order of asking; none for a service's implicit one."""
    found = [
        _Considered(route, placed) for routes, built in _builds(state) if built is table for route in routes
        for placed in route.placed
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.placed.candidate.rank)


def _builds(state: State) -> Iterator[HostBuild]:
    yield from state.edge.values()
    yield from state.mesh.values()
    for built in state.named.values():
        yield from built.values()


def _tell(before: Sequence[_Considered], exchange: Exchange, fields: RequestFields) -> tuple[list[Tried], int]:
    """What was asked nearest to the end is told first to last; of other paths the last few."""
    tried: list[Tried] = []
    strange = 0
    for route, placed in reversed(before[-MOST_ASKED:]):
        plan = placed.candidate.plan
        is_strange = not _path_holds(placed, exchange)
        strange += is_strange
        if is_strange and strange > MOST_STRANGE:
            continue
        by = said_by(route, placed)
        failed = why_not(route, placed, exchange, fields)
        tried.append(Tried(document=by.document, path=by.path, route=plan.route, rule=plan.rule, failed=failed))
    return tried[::-1], len(before) - len(tried)


def _path_holds(placed: Placed, exchange: Exchange) -> bool:
    alone = build_host([Placed(placed.path, Candidate((), placed.candidate.plan))])
    return alone.match(exchange) is not None


def _path_in_words(path: PathMatch) -> str:
    case = " (in any case)" if path.ignore_case else ""
    if path.exact is not None:
        return f"{path.exact}{case}"
    if path.prefix is not None:
        return f"below {path.prefix or '/'}{case}"
    if path.string_prefix is not None:
        return f"{path.string_prefix} and whatever follows{case}"
    return f"of the form {path.template or path.regex}{case}"
