"""What recorded calls would get by documents that are not applied: asked of all gateways, told as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.rehearsal import REHEARSE, Rehearsal, merged
from registry.api.explain import draft_changes, told_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.model.document import Document
    from registry.core import Core
    from registry.documents.applying import Key
    from registry.gateways import Gateways

LONGEST_S: Final = 24 * 3600.0
WAIT_S: Final = 25.0


async def rehearse(
    core: Core, gateways: Gateways, documents: Sequence[Document], delete: Sequence[Key], last_s: float
) -> Rehearsal:
    """Raises Problem: 503 no_gateway, 504 no_answer, 422 with what a gateway cannot do."""
    changes = draft_changes(core.view, documents)
    changes += [
        {"op": "delete", "kind": key.kind, "namespace": key.namespace, "name": key.name, "value": None}
        for key in delete
    ]
    body = {"changes": changes, "last_s": last_s}
    told = await core.questions.ask_all(REHEARSE, body, count=gateways.live_count(), wait_s=WAIT_S)
    return merged([told_as(Rehearsal, one) for one in told])
