"""What a Consul client may: of the namespace that it names, as everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.compat.consul.queries import ConsulQuery

if TYPE_CHECKING:
    from registry.machine.request import Handler, Reply, Request
    from registry.view.rows import InstanceRow


def reading(handler: Handler) -> Handler:
    """The handler of a read, for those who may read instances of the namespace."""

    def handle(request: Request) -> Reply:
        if not request.caller.is_admin:
            request.caller.require("instances:read", ConsulQuery(request.query).namespace)
        return handler(request)  # type: ignore[return-value]  # whatever the handler answers with

    return handle


def require_registering(request: Request, row: InstanceRow) -> None:
    """Raises Problem 403, 404."""
    request.caller.require_registering(row.instance.namespace, row.instance.service)
