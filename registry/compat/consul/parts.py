"""What the handlers of Consul's API share: the catalogue, and how its rows are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.compat.consul.answering import Answers
from registry.compat.consul.places import Places

if TYPE_CHECKING:
    from registry.catalog.catalog import Catalog
    from registry.core import Core
    from registry.view.rows import InstanceRow
    from registry.view.view import View


class ConsulParts:
    """One for the process."""

    __slots__ = ("answers", "catalog", "places", "view")

    def __init__(self, core: Core) -> None:
        self.catalog: Catalog = core.catalog
        self.view: View = core.view
        self.places = Places(core.view)
        self.answers = Answers(core.view, core.following)

    def rows(self, namespace: str) -> list[InstanceRow]:
        """Every instance of a namespace, in order."""
        rows = [row for (of, _), service in self.view.services.items() if of == namespace for row in service.values()]
        return sorted(rows, key=lambda row: row.key)

    def rows_of(self, namespace: str, service: str) -> list[InstanceRow]:
        """None for a service nobody knows, or that none can be. service: in any case."""
        rows = self.view.services.get((namespace, service.lower()), {}).values()
        return sorted(rows, key=lambda row: row.instance.id)
