"""What changed between two states of a document, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from meshway.model.rule_kit import member_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshway.model.document import Document


class ValueChange(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """path: `spec.rules[0].retry.max_retries`. before, after: plain values; None where it is not written."""

    path: str
    before: Any
    after: Any


def document_changes(before: Document | None, after: Document | None) -> list[ValueChange]:
    """Specs in their canonical form, labels and annotations; a whole spec where there was or is none."""
    parts = zip(("spec", "metadata.labels", "metadata.annotations"), _parts(before), _parts(after), strict=True)
    return [change for path, one, other in parts for change in differences(one, other, path)]


def differences(before: Any, after: Any, path: str) -> Iterator[ValueChange]:
    """The smallest values that differ, in the order they are written. Lists are compared place by place."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            yield from differences(before.get(key), after.get(key), member_path(path, key))
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            one = before[at] if at < len(before) else None
            other = after[at] if at < len(after) else None
            yield from differences(one, other, f"{path}[{at}]")
    elif before != after:
        yield ValueChange(path=path, before=before, after=after)


def _parts(document: Document | None) -> tuple[Any, Any, Any]:
    if document is None:
        return None, {}, {}
    return document.spec, document.metadata.labels, document.metadata.annotations
