"""For whom a rule of an AccessPolicy is: from what it says of callers to one test."""

import math
from collections.abc import Iterable, Sequence

from gateway.access.addresses import Addresses
from gateway.access.proof import (
    is_anonymous,
    is_by_word_of,
    is_consumer,
    is_in_group,
    is_principal,
    is_workload,
)
from gateway.compiler.combined import all_of, anybody
from gateway.compiler.diff import Entry
from gateway.compiler.policies import (
    MESH_NAMESPACE,
)
from gateway.plan import Parts
from gateway.routing.predicates import Test
from meshway.model.access_policy import AccessCaller
from meshway.model.instant import parse_instant
from meshway.model.ip_list import IpList


class Callers:
    """Of one revision's IpLists, each of which is made when a rule first asks for it."""

    def __init__(self, lists: Iterable[Entry[IpList]], parts: Parts) -> None:
        self._parts = parts
        self._lists = {entry.key[1:]: entry.spec for entry in lists}
        self._addresses: dict[tuple[str, str], Addresses] = {}

    def test(self, caller: AccessCaller, namespace: str, action: str, origin: str, home: str) -> Test | None:
        """None: it is none of this Route's. A list that is not there lets nobody in, and keeps everybody out."""
        tests: list[Test] = []
        if caller.service is not None:
            tests.append(is_workload(caller.namespace or namespace, caller.service))
        elif caller.namespace is not None and not consents(caller, origin):
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
        if action == "allow" and named != (None, None, None) and not consents(caller, origin):
            tests.append(is_by_word_of((namespace, MESH_NAMESPACE, home)))
        if caller.principal is not None:
            tests.append(is_principal(caller.principal))
        if caller.consumer is not None:
            tests.append(is_consumer(namespace, caller.consumer))
        if caller.consumer_group is not None:
            tests.append(is_in_group(namespace, caller.consumer_group))
        if caller.anonymous:
            tests.append(is_anonymous)
        return all_of(tests) if tests else anybody

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


def consents(caller: AccessCaller, origin: str) -> bool:
    """Whether it lets Routes of the namespace `origin` in, with whatever their owners say of callers."""
    return caller.service is None and caller.namespace == origin != "" and caller.via != "call"
