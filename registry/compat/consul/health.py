"""Who may be called: instances with their checks. What a discovering client reads, and mostly waits on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.compat.consul.catalog import matching
from registry.compat.consul.filters import selecting
from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.refusals import Refusal
from registry.compat.consul.shapes import ConsulCheck, ConsulHealth
from registry.compat.consul.showing import PASSING, checks_of, health_of

if TYPE_CHECKING:
    from registry.compat.consul.parts import ConsulParts
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
        name, only_passing = request.segments[3].lower(), query.flag("passing")
        select = selecting(query.filter, ConsulHealth)

        def read() -> list[ConsulHealth]:
            found = select(map(health_of, matching(self._parts.rows_of(query.namespace, name), query)))
            if not only_passing:
                return found
            return [health for health in found if all(check.status == PASSING for check in health.checks)]

        return self._parts.answers.blocking(request, query, (query.namespace, name), read)

    def checks(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        name, select = request.segments[3].lower(), selecting(query.filter, ConsulCheck)

        def read() -> list[ConsulCheck]:
            rows = [] if query.all("node-meta") else self._parts.rows_of(query.namespace, name)
            return select(check for row in rows for check in checks_of(row))

        return self._parts.answers.blocking(request, query, (query.namespace, name), read)

    def node(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        name, select = request.segments[3], selecting(query.filter, ConsulCheck)

        def read() -> list[ConsulCheck]:
            rows = (row for row in self._parts.rows(query.namespace) if row.instance.address == name)
            return select(check for row in rows for check in checks_of(row))

        return self._parts.answers.blocking(request, query, (query.namespace,), read)

    def state(self, request: Request) -> Reply | Stream:
        query = ConsulQuery(request.query)
        state, select = request.segments[3], selecting(query.filter, ConsulCheck)
        if state not in _STATES:
            raise Refusal(400, f'Invalid state "{state[:100]}": it is one of {", ".join(_STATES)}')

        def read() -> list[ConsulCheck]:
            rows = [] if query.all("node-meta") else self._parts.rows(query.namespace)
            checks = (check for row in rows for check in checks_of(row))
            return select(check for check in checks if state in (_ANY, check.status))

        return self._parts.answers.blocking(request, query, (query.namespace,), read)
