"""What one who asks may see of others' calls: names of namespaces that are not his are not told. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from meshway.telemetry import Key

HIDDEN: Final = "hidden"
# Callers that are no services: from outside, and from inside without a proof.
OUTSIDE: Final = frozenset({"edge", "anonymous", "other", ""})


class Sight(msgspec.Struct, frozen=True):
    """namespaces: whose numbers may be seen; None: all."""

    namespaces: frozenset[str] | None = None

    def sees(self, name: str) -> bool:
        """name: `namespace/name` of a service or a Route."""
        return self.namespaces is None or name.partition("/")[0] in self.namespaces

    def edge(self, key: Key) -> Key | None:
        """source, service: an edge is seen from both its ends, and the other end is named where it is seen too."""
        source, service = key
        if self.namespaces is None:
            return key
        sees_service, sees_source = self.sees(service), self.sees(source)
        if sees_service:
            return key if sees_source or source in OUTSIDE else (HIDDEN, service)
        return (source, HIDDEN) if sees_source else None

    def route(self, key: Key) -> Key | None:
        """route, rule, service, status, flag: of Routes that are seen."""
        if self.namespaces is None:
            return key
        route, rule, service, *rest = key
        if not self.sees(route):
            return None
        return (route, rule, service if self.sees(service) else HIDDEN, *rest)

    def instance(self, key: Key) -> Key | None:
        """service, instance, version."""
        return key if self.sees(key[0]) else None
