"""POST /v1/apply: many documents as one revision, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.formats.surroundings import Options
from meshway.model.secret import Secret
from meshway.problem import Problem
from registry.api.answers import answer, caller, caller_of, once
from registry.api.insight import sight_of
from registry.api.rehearse import invalid_span, rehearse, span_of
from registry.api.written import read_apply
from registry.documents.applying import Applied, Key
from registry.insight.effect import Effect
from registry.manners.query import flag_of, query_of
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshway.model.document import Spec
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking
    from registry.insight.sight import Sight

PATH: Final = "/v1/apply"
_KNOWN: Final = frozenset({"dry_run", "namespace", "rehearse", "allow_partial", "istio_retries"})


class Foreseen(Applied, frozen=True, kw_only=True):
    """What became of an apply. effect: of a dry run, to who may see numbers; not told while they cannot be read."""

    effect: Effect | msgspec.UnsetType = msgspec.UNSET


def apply_router(core: Core, gateways: Gateways, asking: Asking) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def apply(request: Request) -> Response:
        """No revision is taken when nothing changes; dry_run takes none ever.

        Documents of Istio, Gateway API and Kubernetes are converted: allow_partial leaves out what cannot be honoured,
        istio_retries repeats every method. rehearse: with dry_run, how long back recorded calls are run through both.
        """
        query = query_of(request.url.query, _KNOWN)
        dry_run = flag_of(query, "dry_run")
        last_s = _last_s(query, dry_run=dry_run)
        options = Options(partial=flag_of(query, "allow_partial"), istio_retries=flag_of(query, "istio_retries"))
        wanted = await read_apply(request, query.get("namespace", "default"), options)
        written = wanted.documents(existing)
        named = {one.metadata.namespace for one, _ in written}
        named |= {key.namespace for key in (*wanted.envelope.delete, *wanted.envelope.if_match)}
        for namespace in sorted(named):
            caller_of(request).require("documents:read" if dry_run else "documents:write", namespace)
        for one, spec in written:
            # Whether it would be unchanged says whether a guess at its contents was right.
            if isinstance(spec, Secret) and not spec.keep:
                caller_of(request).require("documents:write", one.metadata.namespace)
        if last_s is not None:
            caller_of(request).require_everywhere("calls:explain")
        documents = await core.documents.prepared(written)
        applied = await core.documents.apply(
            documents,
            wanted.envelope.delete,
            by=caller(request),
            guards=wanted.envelope.if_match,
            dry_run=dry_run,
            once=None if dry_run else once(request, await request.body()),
        )
        applied = msgspec.structs.replace(applied, warnings=[*wanted.warnings, *applied.warnings])
        if last_s is not None:
            rehearsal = await rehearse(core, gateways, [one for one, _ in documents], wanted.envelope.delete, last_s)
            applied = msgspec.structs.replace(applied, rehearsal=rehearsal)
        if dry_run and caller_of(request).may_somewhere("insight:read"):
            specs = {(one.kind, one.metadata.namespace, one.metadata.name): spec for one, spec in documents}
            applied = await _foreseen(applied, specs, asking, sight_of(request))
        return answer(applied, revision=applied.revision)

    def existing(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            document = core.documents.get(Key(kind, namespace, name))
        except Problem:
            return None
        found: dict[str, Any] = msgspec.to_builtins(document)
        return found

    return router


async def _foreseen(
    applied: Applied, specs: Mapping[tuple[str, str, str], Spec], asking: Asking, sight: Sight
) -> Applied:
    keys = [(one.kind, one.namespace, one.name) for one in applied.documents if one.result != "unchanged"]
    try:
        effect = await asking.effect([(key, specs.get(key)) for key in keys], sight)
    except StoreUnavailable:
        return applied
    return Foreseen(**{name: getattr(applied, name) for name in applied.__struct_fields__}, effect=effect)


def _last_s(query: Mapping[str, str], *, dry_run: bool) -> float | None:
    """How long back calls are rehearsed, seconds; None: they are not."""
    written = query.get("rehearse")
    if written is None:
        return None
    if not dry_run:
        raise invalid_span("query.rehearse", "is for dry_run=true: what is applied needs no rehearsal")
    return span_of(written, "query.rehearse")
