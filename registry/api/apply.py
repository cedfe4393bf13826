"""POST /v1/apply: many documents as one revision, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from meshway.formats.surroundings import Options
from meshway.model.objective import Objective
from meshway.model.secret import Secret
from meshway.problem import Problem
from registry.api.answers import answer, caller, caller_of, once
from registry.api.changes_access import writer_of
from registry.api.changes_told import told
from registry.api.foreseeing import foreseen, rehearsal_span
from registry.api.insight import sight_of
from registry.api.rehearse import invalid_span, rehearse
from registry.api.written import read_apply
from registry.documents.approvals import Agreement
from registry.documents.cautions import Caution
from registry.documents.document_key import Key
from registry.manners.query import flag_of, query_of
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshway.model.document import Document, Spec
    from registry.core import Core
    from registry.gateways import Gateways
    from registry.insight.asking import Asking

PATH: Final = "/v1/apply"
_KNOWN: Final = frozenset({"dry_run", "namespace", "rehearse", "allow_partial", "istio_retries"})


def apply_router(core: Core, gateways: Gateways, asking: Asking) -> APIRouter:
    router = APIRouter()

    @router.post(PATH)
    async def apply(request: Request) -> Response:
        """No revision is taken when nothing changes; dry_run takes none ever. Where others must agree it becomes a
        change in review: 202.

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
        delete, guards = wanted.envelope.delete, wanted.envelope.if_match
        try:
            applied = await core.documents.apply(
                documents,
                delete,
                by=caller(request),
                guards=guards,
                dry_run=dry_run,
                once=None if dry_run else once(request, await request.body()),
                agreement=Agreement(is_admin=caller_of(request).is_admin),
            )
        except Problem as problem:
            if problem.code != "needs_approval" or any(isinstance(spec, Secret) for _, spec in documents):
                raise
            return told(core, await core.proposals.propose(documents, delete, guards, writer_of(core, request)), 202)
        quiet = await _low_traffic(core, documents)
        applied = msgspec.structs.replace(applied, warnings=[*wanted.warnings, *applied.warnings, *quiet])
        if last_s is not None:
            rehearsal = await rehearse(core, gateways, [one for one, _ in documents], delete, last_s)
            applied = msgspec.structs.replace(applied, rehearsal=rehearsal)
        if dry_run and caller_of(request).may_somewhere("insight:read"):
            applied = await foreseen(applied, documents, asking, sight_of(request))
        return answer(applied, revision=applied.revision)

    def existing(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            document = core.documents.get(Key(kind, namespace, name))
        except Problem:
            return None
        found: dict[str, Any] = msgspec.to_builtins(document)
        return found

    return router


async def _low_traffic(core: Core, documents: Iterable[tuple[Document, Spec]]) -> list[Caution]:
    """Objectives that would have too few calls; none while numbers cannot be read."""
    written = [
        (one.metadata.namespace, one.metadata.name, spec) for one, spec in documents if isinstance(spec, Objective)
    ]
    try:
        found = await core.watching.alerts.low_traffic(written) if written else {}
    except StoreUnavailable:
        return []
    path = "spec.minimum_requests"
    return [
        Caution(document=f"Objective {place}/{name}", path=path, code="low_traffic", message=f"{path}: {reason}")
        for (place, name), reason in found.items()
    ]


def _last_s(query: Mapping[str, str], *, dry_run: bool) -> float | None:
    """How long back calls are rehearsed, seconds; None: they are not."""
    if "rehearse" in query and not dry_run:
        raise invalid_span("query.rehearse", "is for dry_run=true: what is applied needs no rehearsal")
    return rehearsal_span(query)
