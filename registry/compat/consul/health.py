"""Who may be called: instances with their checks. What a discovering client reads, and mostly waits on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.compat.consul.catalog import matching
from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.showing import PASSING, checks_of, health_of

if TYPE_CHECKING:
    from registry.compat.consul.parts import ConsulParts
    from registry.compat.consul.shapes import ConsulCheck, ConsulHealth
    from registry.machine.request import Reply, Request, Stream

_ANY: Final = "any"
_STATES: Final = ("passing", "warning", "critical", _ANY)


class ConsulHealthRoutes:
    """Path segments: v1, health, service | checks | node | state, {name}."""

    __slots__ = ("_parts",)

    def __init__(self, parts: ConsulParts) -> None:
        self._parts = parts

    def service(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        self._parts.refuse_filter(query)
        name, only_passing = request.segments[3].lower(), query.flag("passing")

        def read() -> list[ConsulHealth]:
            found = [health_of(row) for row in matching(self._parts.rows_of(query.namespace, name), query)]
            if not only_passing:
                return found
            return [health for health in found if all(check.status == PASSING for check in health.checks)]

        return self._parts.answers.blocking(request, query, (query.namespace, name), read)

    def checks(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        self._parts.refuse_filter(query)
        name = request.segments[3].lower()

        def read() -> list[ConsulCheck]:
            rows = [] if query.all("node-meta") else self._parts.rows_of(query.namespace, name)
            return [check for row in rows for check in checks_of(row)]

        return self._parts.answers.blocking(request, query, (query.namespace, name), read)

    def node(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        self._parts.refuse_filter(query)
        name = request.segments[3]

        def read() -> list[ConsulCheck]:
            rows = (row for row in self._parts.rows(query.namespace) if row.instance.address == name)
            return [check for row in rows for check in checks_of(row)]

        return self._parts.answers.blocking(request, query, (query.namespace,), read)

    def state(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        self._parts.refuse_filter(query)
        state = request.segments[3]
        if state not in _STATES:
            raise Refusal(400, f'Invalid state "{state[:100]}": it is one of {", ".join(_STATES)}')

        def read() -> list[ConsulCheck]:
            rows = [] if query.all("node-meta") else self._parts.rows(query.namespace)
            checks = (check for row in rows for check in checks_of(row))
            return [check for check in checks if state in (_ANY, check.status)]

        return self._parts.answers.blocking(request, query, (query.namespace,), read)
