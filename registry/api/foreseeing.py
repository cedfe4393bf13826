"""What a dry run tells beside what would change: whom it touches, by the calls of the last minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from registry.api.rehearse import span_of
from registry.documents.outcomes import Applied
from registry.insight.effect import Effect
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshway.model.document import Document, Spec
    from registry.insight.asking import Asking
    from registry.insight.sight import Sight


class Foreseen(Applied, frozen=True, kw_only=True):
    """What became of an apply. effect: of a dry run, to who may see numbers; not told while they cannot be read."""

    effect: Effect | msgspec.UnsetType = msgspec.UNSET


async def foreseen(
    applied: Applied, documents: Sequence[tuple[Document, Spec]], asking: Asking, sight: Sight
) -> Applied:
    """documents: those that are put."""
    specs = {(one.kind, one.metadata.namespace, one.metadata.name): spec for one, spec in documents}
    keys = [(one.kind, one.namespace, one.name) for one in applied.documents if one.result != "unchanged"]
    try:
        effect = await asking.effect([(key, specs.get(key)) for key in keys], sight)
    except StoreUnavailable:
        return applied
    return Foreseen(**{name: getattr(applied, name) for name in applied.__struct_fields__}, effect=effect)


def rehearsal_span(query: Mapping[str, str]) -> float | None:
    """How long back calls are rehearsed, seconds; None: they are not. Raises Problem 422."""
    written = query.get("rehearse")
    return None if written is None else span_of(written, "query.rehearse")
