"""What recorded calls would get by documents that are not applied: asked of all gateways, told as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import FieldError, Problem, invalid_request
from meshway.rehearsal import REHEARSE, Rehearsal, merged
from meshway.units import parse_duration
from registry.api.explain import draft_changes, told_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.model.document import Document
    from registry.core import Core
    from registry.documents.document_key import Key
    from registry.gateways import Gateways

LONGEST_S: Final = 24 * 3600.0
WAIT_S: Final = 25.0


def span_of(written: str, path: str) -> float:
    """How long back recorded calls are meant, seconds. Raises Problem 422."""
    try:
        last_s = float(parse_duration(written))
    except ValueError as error:
        raise invalid_span(path, str(error)) from error
    if not 0.0 < last_s <= LONGEST_S:
        raise invalid_span(path, f"{written} is not between 1s and 24h, which is how long calls are kept")
    return last_s


def invalid_span(path: str, reason: str) -> Problem:
    message = f"{path}: {reason}"
    return invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))


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
