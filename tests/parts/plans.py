"""Plans and entries with nothing in them."""

import math

from gateway.compiler.diff import Entry
from gateway.plan import RoutePlan
from meshway.model.route import Redirect, Route, Rule


def plan(rule: str) -> RoutePlan:
    never = math.inf
    return RoutePlan("default/r", rule, 0, (), (), None, None, never, never, never, never, never)


def route_entry(name: str) -> Entry[Route]:
    return Entry("Route", "default", name, Route(rules=(Rule(redirect=Redirect(scheme="https")),)))
