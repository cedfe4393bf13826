"""GET /v1/audit: who did what, newest first, or oldest first to check the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.audit import AuditHead, AuditRow
from registry.api.answers import answer
from registry.manners.query import limit_of, number_of, query_of
from registry.store.audit import cut_of, read_cut

if TYPE_CHECKING:
    from registry.core import Core
    from registry.store.interface import AuditRecord

PATH: Final = "/v1/audit"


class AuditPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """head: the last row there is. next: the cursor of the page after this one. forgotten: the last row that was,
    at its age; the log begins after it."""

    items: list[AuditRow]
    head: AuditHead
    next: str | None = None
    forgotten: AuditHead | None = None


def audit_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(PATH)
    async def audit(request: Request) -> Response:
        """cursor: a row to go on below; after: a row to go on above, oldest first."""
        query = query_of(request.url.query, frozenset({"limit", "cursor", "after"}))
        limit, after = limit_of(query), number_of(query, "after", None, low=0)
        before = number_of(query, "cursor", None, low=1)
        head = await core.store.audit_head()  # before the rows: what comes meanwhile is no fault of the chain
        cut = cut_of((await core.store.do([read_cut()]))[0])
        if after is not None:
            records = await core.store.audit_after(after, limit + 1)
        else:
            records = await core.store.audit_before(head.seq + 1 if before is None else before, limit + 1)
        following = str(records[limit - 1].seq) if len(records) > limit else None
        items = [shown(record) for record in records[:limit]]
        page = AuditPage(
            items=items,
            head=AuditHead(seq=head.seq, hash=head.hash.hex()),
            next=following,
            forgotten=AuditHead(seq=cut.seq, hash=cut.hash.hex()) if cut.seq else None,
        )
        return answer(page)

    return router


def shown(record: AuditRecord) -> AuditRow:
    return AuditRow(
        seq=record.seq,
        at=record.at,
        principal=record.principal,
        address=record.address,
        action=record.action,
        outcome="done" if record.outcome == "done" else "refused",
        revision=record.revision,
        detail=msgspec.Raw(record.detail),
        hash=record.hash.hex(),
    )
