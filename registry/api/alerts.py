"""GET /v1/alerts, /v1/alerts/rules, /v1/objectives; POST /v1/alerts/try: what people should know, by which rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.model.alert import Alert
from meshway.model.decode import decode_document
from meshway.model.document import API_VERSION, DEFAULT_NAMESPACE
from meshway.problem import FieldError, Problem, invalid_request, soon
from registry.alerts.alerts import MOST_HISTORY, ObjectiveShown, Shown
from registry.alerts.records import RuleShown
from registry.alerts.rules import rule_of
from registry.api.answers import answer, caller_of
from registry.manners.json_text import decoder_of
from registry.manners.query import number_of, query_of, refuse_bad_names, time_of
from registry.rights.roles import EVERYWHERE
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from registry.alerts.alerts import Alerts
    from registry.rights.caller import Caller

    _T = TypeVar("_T")

MANY: Final = "/v1/alerts"
RULES: Final = "/v1/alerts/rules"
TRY: Final = "/v1/alerts/try"
OBJECTIVES: Final = "/v1/objectives"
Which = Literal["live", "firing", "pending", "silenced", "resolved"]
WHICH: Final[tuple[Which, ...]] = get_args(Which)
_ONE: Final = 100


class AlertPage(msgspec.Struct, frozen=True):
    items: list[Shown]


class ObjectivePage(msgspec.Struct, frozen=True):
    items: list[ObjectiveShown]


class RulePage(msgspec.Struct, frozen=True):
    items: list[RuleShown]


class TryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """spec: of an Alert, as it would be written in the namespace."""

    spec: dict[str, Any]
    namespace: Annotated[str, Meta(max_length=63)] = DEFAULT_NAMESPACE


_decode_try: Final = decoder_of(TryRequest, "")


def alerts_router(alerts: Alerts) -> APIRouter:
    router = APIRouter()

    @router.get(MANY)
    async def many(request: Request) -> Response:
        """By namespaces that the caller may read."""
        query = query_of(request.url.query, frozenset({"namespace", "state", "limit", "before"}))
        which = _which(query.get("state", "live"))
        namespace = namespace_of(query, caller_of(request))
        count = number_of(query, "limit", _ONE, low=1, high=MOST_HISTORY) or _ONE
        if which == "resolved":
            before = time_of(query, "before", time.time() + 60.0, high=1e11)
            found = await told(alerts.history(before, MOST_HISTORY))
        else:
            found = [each for each in await told(alerts.live()) if _is_wanted(each, which)]
        caller = caller_of(request)
        seen = [each for each in found if namespace in (None, each.subject) and may_see(caller, each.subject)]
        return answer(AlertPage(seen[:count] if which == "resolved" else seen))

    @router.get(RULES)
    async def rules(request: Request) -> Response:
        """What is built in is the same everywhere, and no secret."""
        query = query_of(request.url.query, frozenset({"namespace"}))
        caller = caller_of(request)
        namespace = namespace_of(query, caller)
        items = alerts.evaluator.rules.shown()
        seen = [each for each in items if each.builtin or may_see(caller, each.namespace)]
        return answer(RulePage([each for each in seen if namespace in (None, each.namespace)]))

    @router.post(TRY)
    async def tried(request: Request) -> Response:
        """When it would have fired over the last 24 h; nothing is kept of it."""
        query_of(request.url.query, frozenset())
        wanted = _decode_try(await request.body())
        refuse_bad_names(namespace=wanted.namespace)
        caller_of(request).require("alerts:read", wanted.namespace)
        if wanted.namespace == "mesh":
            caller_of(request).require_everywhere("alerts:read")
        raw = {
            "apiVersion": API_VERSION,
            "kind": Alert.__name__,
            "metadata": {"name": "tried", "namespace": wanted.namespace},
            "spec": wanted.spec,
        }
        _, spec = decode_document(raw)
        assert isinstance(spec, Alert)
        return answer(await told(alerts.trying.tried(rule_of("tried", wanted.namespace, spec))))

    @router.get(OBJECTIVES)
    async def objectives(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"namespace"}))
        caller = caller_of(request)
        namespace = namespace_of(query, caller)
        items = await told(alerts.objectives())
        seen = [each for each in items if namespace in (None, each.namespace) and may_see(caller, each.namespace)]
        return answer(ObjectivePage(sorted(seen, key=lambda each: (each.namespace, each.name))))

    return router


def may_see(caller: Caller, namespace: str) -> bool:
    """What concerns the whole mesh is for those who may see all of it."""
    return caller.may("alerts:read", EVERYWHERE if namespace == "mesh" else namespace)


def namespace_of(query: dict[str, str], caller: Caller) -> str | None:
    """Raises Problem 404 for one that may not be read."""
    namespace = query.get("namespace")
    if namespace is not None:
        refuse_bad_names(namespace=namespace)
        caller.require("alerts:read", namespace)
    return namespace


def _which(text: str) -> Which:
    for which in WHICH:
        if which == text:
            return which
    raise refused("query.state", "out_of_bounds", f"{text!r} is none of {', '.join(WHICH)}")


def _is_wanted(each: Shown, which: Which) -> bool:
    is_silenced = bool(each.silenced_by) or each.muted
    return which == "live" or (is_silenced if which == "silenced" else each.state == which)


def refused(path: str, code: str, reason: str) -> Problem:
    message = f"{path}: {reason}"
    return invalid_request(message, (FieldError(path=path, code=code, message=message),))


async def told(asked: Awaitable[_T]) -> _T:
    try:
        return await asked
    except StoreUnavailable as error:
        detail = f"alerts cannot be read or written now: {error}"
        raise Problem(503, "store_unavailable", "Store unavailable", detail=detail, headers=soon()) from error
