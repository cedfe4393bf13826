"""Receivers: how the last messages to them fared, and a test of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.model.receiver import Receiver
from registry.api.answers import answer, caller, caller_of
from registry.manners.query import query_of, refuse_bad_names
from registry.notifications.sending import Sent
from registry.revisions.acts import noted

if TYPE_CHECKING:
    from registry.core import Core

MANY: Final = "/v1/receivers"
TEST: Final = "/v1/namespaces/{namespace}/receivers/{name}/test"


class ReceiverState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a Receiver: by what it is told, and how that fares. at, ok, detail: of the last try, which told of so many
    alerts; None: nothing was to be told yet. delivered_at: the last message that arrived. failing_since: the first of
    the tries that failed since. sent, failed: messages and tries. dropped: alerts that were over before a failing
    receiver took word of them. Times: seconds since 1970."""

    namespace: str
    name: str
    by: str
    at: float | None = None
    ok: bool | None = None
    detail: str = ""
    alerts: int = 0
    delivered_at: float | None = None
    failing_since: float | None = None
    sent: int = 0
    failed: int = 0
    dropped: int = 0


class ReceiverStates(msgspec.Struct, frozen=True):
    items: list[ReceiverState]


def receivers_router(core: Core) -> APIRouter:
    router = APIRouter()

    @router.get(MANY)
    async def many(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        readable = caller_of(request).namespaces("documents:read")
        outcomes = await core.watching.notifications.outcomes()
        items = []
        for key, row in sorted(core.view.documents.get(Receiver.__name__, {}).items()):
            if isinstance(row.spec, Receiver) and (readable is None or key[0] in readable):
                outcome = outcomes.get(key)
                told = {} if outcome is None else msgspec.structs.asdict(outcome)
                items.append(ReceiverState(namespace=key[0], name=key[1], by=way_of(row.spec), **told))
        return answer(ReceiverStates(items))

    @router.post(TEST)
    async def test(namespace: str, name: str, request: Request) -> Response:
        """Says what the other side answered; 200 also where it did not take the message."""
        query_of(request.url.query, frozenset())
        refuse_bad_names(namespace=namespace, name=name)
        if (act := noted({"op": "test", "document": f"Receiver {namespace}/{name}"})) is not None:
            await core.revisions.submit(act)
        sent: Sent = await core.watching.notifications.test((namespace, name), caller(request))
        return answer(sent)

    return router


def way_of(receiver: Receiver) -> str:
    return next(way for way in ("apprise", "webhook", "alertmanager") if getattr(receiver, way) is not None)
