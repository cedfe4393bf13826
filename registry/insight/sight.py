"""What one who asks may see of others' calls: names of namespaces that are not his are not told. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from meshway.call_lines import CallLine
from meshway.identity import SCHEME, IdentityFault, parse_spiffe_id
from meshway.spans import Span
from meshway.telemetry import Key

HIDDEN: Final = "hidden"
# Callers that are no services: from outside, and from inside without a proof.
OUTSIDE: Final = frozenset({"edge", "anonymous", "other", ""})


class Sight(msgspec.Struct, frozen=True):
    """namespaces: whose numbers may be seen; None: all."""

    namespaces: frozenset[str] | None = None

    def sees(self, name: str) -> bool:
        """name: `namespace/name` of a service or a Route."""
        namespace, slash, _ = name.partition("/")
        return self.namespaces is None or (bool(slash) and namespace in self.namespaces)

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

    def call(self, line: CallLine) -> CallLine | None:
        """A call is seen by whose its Route or its service is, with its path; names of others are not told."""
        if self.namespaces is None:
            return line
        if not line.namespaces & self.namespaces:
            return None
        if line.route and not self.sees(line.route):
            line = msgspec.structs.replace(line, route=HIDDEN, rule="")
        if line.service and not self.sees(line.service):
            line = msgspec.structs.replace(line, service=HIDDEN, instance="", attempts_detail=())
        if self._is_others(line.principal):
            line = msgspec.structs.replace(line, principal=HIDDEN)
        return line

    def span(self, span: Span) -> Span | None:
        """As of a call; an attempt is seen by whose its service is."""
        if self.namespaces is None:
            return span
        about = dict(span.attributes)
        route, service = (str(about.get(name, "")) for name in ("meshway.route", "meshway.service"))
        if not any(name and self.sees(name) for name in (route, service)):
            return None
        name = span.name
        if route and not self.sees(route):
            about |= {"meshway.route": HIDDEN, "meshway.rule": ""}
            name = str(about.get("http.request.method", ""))
        if service and not self.sees(service):
            about["meshway.service"] = HIDDEN
        source = str(about.get("meshway.source", ""))
        if source not in OUTSIDE and not self.sees(source):
            about["meshway.source"] = HIDDEN
        return msgspec.structs.replace(span, name=name, attributes=about)

    def _is_others(self, principal: str) -> bool:
        """Whether it names a workload or a Consumer of a namespace that is not seen; callers by token are of none."""
        if principal.startswith(SCHEME):
            try:
                namespace = parse_spiffe_id(principal).namespace
            except IdentityFault:
                return False
            return bool(namespace) and not self.sees(f"{namespace}/")
        return "/" in principal and not {"#", ":"} & set(principal) and not self.sees(principal)

    def consumer(self, key: Key) -> Key | None:
        """Consumer, credential, status, flag."""
        return key if self.sees(key[0]) else None

    def instance(self, key: Key) -> Key | None:
        """service, instance, version."""
        return key if self.sees(key[0]) else None
