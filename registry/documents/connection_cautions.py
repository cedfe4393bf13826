"""What policies ask of connections that no connection has: it is known by its addresses and its certificate alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from meshway.model.access_policy import AccessPolicy
from meshway.model.listener import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Target
    from meshway.model.rate_limit import RateLimit
    from meshway.model.service import Service
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow

_KNOWN: Final = frozenset({"source_ip", "principal", "consumer", "service", "route", "rule", "constant"})
Asked = tuple[str, str, str]


def of_bytes(row: DocumentRow, spec: AccessPolicy | RateLimit, draft: Draft) -> Iterator[Asked]:
    """Path, code and message, where every service that it is for speaks something else than HTTP."""
    namespace = row.key[1]
    if not spec.targets or not all(_is_of_bytes(target, namespace, draft) for target in spec.targets):
        return
    if isinstance(spec, AccessPolicy):
        for at, rule in enumerate(spec.rules):
            if rule.to:
                yield f"spec.rules[{at}].to", "never_matches", "a connection has no path, method or field: leave it out"
        if spec.external is not None:
            yield "spec.external", "never_matches", "nobody can be asked of a connection: all of them are refused"
        return
    if spec.match:
        yield "spec.match", "never_matches", "a connection has no path, method or field, so none is counted"
    for at, part in enumerate(spec.key):
        if part not in _KNOWN:
            yield (
                f"spec.key[{at}]",
                "never_matches",
                f"a connection has no {part}: on_missing_key says what becomes of it",
            )


def _is_of_bytes(target: Target, namespace: str, draft: Draft) -> bool:
    if target.service is None:
        return False
    row = draft.document(("Service", namespace, target.service))
    service = None if row is None else cast("Service | None", row.spec)
    return service is not None and all(port.protocol in BYTES for port in service.ports)
