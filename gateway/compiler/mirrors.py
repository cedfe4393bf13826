"""Copies of calls: what is sent to whom, and how the answers are compared."""

import math

from gateway.compiler.cluster_key import destination_key
from gateway.compiler.diff import Entry
from gateway.compiler.route_context import RouteContext
from gateway.compiler.rule_access import RuleAccess
from gateway.plan import (
    ComparePlan,
    MirrorPlan,
)
from meshway.model.route import Route
from meshway.model.rule_actions import Mirror


def compile_mirror(
    entry: Entry[Route], rule: str, copy: Mirror, context: RouteContext, access: RuleAccess
) -> MirrorPlan:
    key = destination_key(entry.namespace, copy.destination)
    cluster = context.cluster_for(key)
    counters = context.parts.counters

    def count(outcome: str) -> None:
        if counters is not None:
            labels = {"route": entry.title, "rule": rule, "service": cluster.name, "outcome": outcome}
            counters.add(counters.counter("meshway_mirrored_requests_total", **labels))

    compare = None
    if (wanted := copy.compare) is not None:

        def count_verdict(verdict: str) -> None:
            if counters is not None:
                labels = {"route": entry.title, "rule": rule, "service": cluster.name, "verdict": verdict}
                counters.add(counters.counter("meshway_mirror_comparisons_total", **labels))

        slower_s = math.inf if wanted.latency is None else float(wanted.latency)
        fields = tuple(tuple(path.split(".")) for path in wanted.json_fields)
        compare = ComparePlan(wanted.status, slower_s, fields, count_verdict)
    return MirrorPlan(cluster, copy.percent / 100.0, count, access.copy_guard_of(key), compare)
