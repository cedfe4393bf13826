"""Where the instance is that a Consul client means: it knows an ID or the ID of a check, and no service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.compat.consul.attributes import attributes_of
from registry.compat.consul.names import consul_id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.view.rows import InstanceKey, InstanceRow
    from registry.view.view import InstanceMove, View

_OF_CHECK = "service:"


class Places:
    """Follows the view. Only instances that Consul's API registered take memory here."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._by_id: dict[tuple[str, str], InstanceKey] = {}
        self._by_check: dict[tuple[str, str], InstanceKey] = {}
        view.on_instances.append(self._follow)
        for service in view.services.values():
            self._follow([(None, row) for row in service.values()])

    def by_id(self, namespace: str, consul_id: str) -> InstanceRow | None:
        key = self._by_id.get((namespace, consul_id))
        if key is not None:
            return self._view.instance(key)
        service, _, instance_id = consul_id.partition(":")
        row = self._view.instance((namespace, service, instance_id))
        return row if row is not None and consul_id_of(row.instance) == consul_id else None

    def by_check(self, namespace: str, check_id: str) -> InstanceRow | None:
        key = self._by_check.get((namespace, check_id))
        if key is not None:
            return self._view.instance(key)
        if not check_id.startswith(_OF_CHECK):
            return None
        row = self.by_id(namespace, check_id.removeprefix(_OF_CHECK))
        return row if row is not None and check_id_of(row) == check_id else None

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        """Called within a commit: nothing here raises."""
        for before, after in moves:
            if before is not None:
                self._forget(before)
            if after is not None:
                self._note(after)

    def _note(self, row: InstanceRow) -> None:
        attributes = attributes_of(row.instance.metadata)
        if attributes is None:
            return
        namespace = row.instance.namespace
        self._by_id[namespace, attributes.id or row.instance.id] = row.key
        if attributes.check_id:
            self._by_check[namespace, attributes.check_id] = row.key

    def _forget(self, row: InstanceRow) -> None:
        """Unless another instance has taken the ID meanwhile."""
        attributes = attributes_of(row.instance.metadata)
        if attributes is None:
            return
        namespace = row.instance.namespace
        for index, name in ((self._by_id, attributes.id or row.instance.id), (self._by_check, attributes.check_id)):
            if index.get((namespace, name)) == row.key:
                del index[namespace, name]


def check_id_of(row: InstanceRow) -> str:
    attributes = attributes_of(row.instance.metadata)
    if attributes is not None and attributes.check_id:
        return attributes.check_id
    return _OF_CHECK + consul_id_of(row.instance)
