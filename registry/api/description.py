"""What the API's own routes are, for its description."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from meshway.explanation import CallQuestion, Explanation
from meshway.model.document import API_VERSION, Document, Metadata
from meshway.model.kinds import BY_PLURAL, KINDS
from meshway.traffic import Traffic
from registry.api import (
    about,
    apply,
    audit,
    backup,
    breakers,
    documents,
    explain,
    gateways,
    health,
    metrics,
    namespaces,
    receivers,
    requests,
    revisions,
    tokens,
    traffic,
)
from registry.api.alerts_description import alert_operations
from registry.api.changes import Change
from registry.api.changes_description import changes_operations
from registry.api.foreseeing import Foreseen
from registry.api.identity_description import identity_operations
from registry.api.insight_description import insight_operations
from registry.api.people_description import people_operations
from registry.api.rollouts_description import rollout_operations
from registry.api.single_sign_on_description import single_sign_on_operations
from registry.documents.applying import Applied
from registry.documents.documents import Difference, DocumentPage, RevisionEntry, RevisionPage
from registry.gateways import GatewayState
from registry.manners.openapi import REF, Operation, Parameter, unit_schema
from registry.notifications.sending import Sent
from registry.rights.tokens import NewToken

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_PLACE: Final = {"namespace": "default", "plural": "routes", "name": "books"}
_PREFER: Final = Parameter(
    name="Prefer",
    about="`wait=10`: answer when all live gateways run the revision; see Meshway-Applied and Meshway-Pending.",
    place="header",
)
_IF_MATCH: Final = Parameter(name="If-Match", about="The ETag of what was read: 412 when it changed.", place="header")
_ONCE: Final = Parameter(
    name="Idempotency-Key", about="Sent again within 24 h it gets the first answer.", place="header"
)
_PAGE: Final = (
    Parameter(name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}),
    Parameter(name="cursor", about="`next` of the page before."),
)
_ROUTE: Final = {"hosts": ["books.example"], "rules": [{"destinations": [{"service": "books"}]}]}
_TEXT: Final = {"type": "string"}


def api_operations() -> list[Operation]:
    return [
        *_documents(),
        *_apply(),
        *changes_operations(),
        *_explain(),
        *_breakers(),
        *_receivers(),
        *_traffic(),
        *_requests(),
        *_revisions(),
        *rollout_operations(),
        *identity_operations(),
        *insight_operations(),
        *alert_operations(),
        *_tokens(),
        *single_sign_on_operations(),
        *people_operations(),
        *_audit(),
        *_rest(),
    ]


def _documents() -> list[Operation]:
    kinds = f"plural: {', '.join(BY_PLURAL)}."
    return [
        Operation(
            method="PUT",
            path=documents.ONE,
            id="putDocument",
            tag="documents",
            right="documents:write",
            about="Create or replace a document.",
            detail=kinds,
            parameters=(
                _IF_MATCH,
                Parameter(name="If-None-Match", about="`*`: create only.", place="header"),
                _PREFER,
            ),
            body={"anyOf": [_body_of(kind) for kind in KINDS]},
            consumes=("application/json", "application/yaml"),
            answers={200: Document, 201: Document, 409: _PROBLEM, 412: _PROBLEM},
            example=_PLACE,
            example_body={"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "books"}, "spec": _ROUTE},
        ),
        Operation(
            method="GET",
            path=documents.ONE,
            id="getDocument",
            tag="documents",
            right="documents:read",
            about="A document; services are read at their own path.",
            detail=kinds,
            answers={200: Document, 304: None, 404: _PROBLEM},
            example=_PLACE,
        ),
        Operation(
            method="GET",
            path=documents.MANY,
            id="listDocuments",
            tag="documents",
            right="documents:read",
            about="The documents of one kind.",
            detail=kinds,
            parameters=_PAGE,
            answers={200: DocumentPage},
            example=_PLACE,
        ),
        Operation(
            method="DELETE",
            path=documents.ONE,
            id="deleteDocument",
            tag="documents",
            right="documents:write",
            about="Delete a document; 409 while others refer to it. A service's instances stay.",
            detail=kinds,
            parameters=(_IF_MATCH, _PREFER),
            answers={204: None, 404: _PROBLEM, 409: _PROBLEM, 412: _PROBLEM},
            example=_PLACE,
        ),
    ]


def _apply() -> list[Operation]:
    names = dict.fromkeys(("kind", "namespace", "name"), _TEXT)
    key = {"type": "object", "required": ["kind", "name"], "properties": names}
    body: dict[str, Any] = {
        "type": "object",
        "properties": {
            "documents": {"type": "array", "items": {"oneOf": [_document_of(kind) for kind in KINDS]}},
            "delete": {"type": "array", "items": key},
            "if_match": {
                "type": "array",
                "description": "Revisions that documents must still have, 0: not be there; 412 otherwise.",
                "items": {
                    "type": "object",
                    "required": ["kind", "name", "revision"],
                    "properties": {**names, "revision": {"type": "integer", "minimum": 0}},
                },
            },
            "sources": {
                "type": "array",
                "description": "Where documents were written; shown as metadata.source, and by explain and history.",
                "items": {
                    "type": "object",
                    "required": ["kind", "name", "source"],
                    "properties": {**names, "source": {"$ref": "#/components/schemas/DocumentSource"}},
                },
            },
        },
    }
    document = {
        "apiVersion": "meshway/v1",
        "kind": "RateLimit",
        "metadata": {"name": "books"},
        "spec": {"targets": [{"service": "books"}], "token_bucket": {"rate": "100/s"}},
    }
    return [
        Operation(
            method="POST",
            path=apply.PATH,
            id="apply",
            tag="documents",
            right="documents:read",
            by_rows=True,
            about="Apply many documents as one revision, all or nothing; none when nothing changes.",
            detail="Where approvals are asked for: 202, and they are a change in review.",
            parameters=(
                Parameter(name="dry_run", about="Only say what would change.", schema={"type": "boolean"}),
                Parameter(
                    name="rehearse",
                    about="With dry_run: run the recorded calls of so long (`1h`, at most `24h`) through today's and "
                    "the proposed tables, and tell what would fare otherwise.",
                ),
                Parameter(name="namespace", about="Of documents that name none."),
                Parameter(
                    name="allow_partial",
                    about="Leave out what cannot be honoured of documents of Istio, Gateway API and Kubernetes.",
                    schema={"type": "boolean"},
                ),
                Parameter(
                    name="istio_retries",
                    about="Their retries repeat every method, also those that may act twice.",
                    schema={"type": "boolean"},
                ),
                _ONCE,
                _PREFER,
            ),
            body=body,
            consumes=("application/json", "application/yaml"),
            answers={200: Foreseen, 202: Change, 409: _PROBLEM, 412: _PROBLEM},
            example_body={"documents": [document], "delete": [], "if_match": []},
        )
    ]


def _explain() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=explain.PATH,
            id="explain",
            tag="gateways",
            right="calls:explain",
            about="What would become of a call, as a gateway's tables have it. Nothing is sent, counted or spent.",
            detail="With documents: as if they were applied; then breakers, limits and ejections stand as at a start.",
            body=CallQuestion,
            answers={200: Explanation, 503: _PROBLEM, 504: _PROBLEM},
            example_body={"url": "http://books.default.mesh/", "headers": {"x-user": "jason"}},
        )
    ]


def _requests() -> list[Operation]:
    filter_ = Parameter(
        name="filter", about="`service:reviews status>=500 flag:UF latency>300ms path:/cart*`; `-` before a term: not."
    )
    no_such = {404: {"$ref": "#/components/schemas/Problem"}}
    return [
        Operation(
            method="GET",
            path=requests.ALL,
            id="listRequests",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="Calls that gateways told of, the newest first.",
            detail="Failed and slow ones and 1 % of the rest, where no AccessLog says otherwise; kept 24 h or 200 MB.",
            parameters=(filter_, *_PAGE),
            answers={200: requests.RequestPage},
            example_query={"filter": "status>=500"},
        ),
        Operation(
            method="GET",
            path=requests.ONE,
            id="getRequest",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="The calls with this x-request-id.",
            answers={200: requests.RequestPage, **no_such},
            example={"id": "0af7651916cd43dd8448eb211c80319c"},
        ),
        Operation(
            method="GET",
            path=requests.TRACE,
            id="getTrace",
            tag="calls",
            right="metrics:read",
            by_rows=True,
            about="The spans of a trace, and its calls.",
            answers={200: requests.Trace, **no_such},
            example={"id": "0af7651916cd43dd8448eb211c80319c"},
        ),
    ]


def _traffic() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=traffic.PATH,
            id="getRouteTraffic",
            tag="gateways",
            right="documents:read",
            about="The recorded calls of a Route, counted by rule: failed, refused, and where they went.",
            parameters=(Parameter(name="last", about="How long back, at most 24h; `1h`."),),
            answers={200: Traffic, 404: _PROBLEM, 503: _PROBLEM, 504: _PROBLEM},
            example={"namespace": "default", "name": "books"},
        )
    ]


def _breakers() -> list[Operation]:
    reset = {"type": "object", "required": ["gateways"], "properties": {"gateways": {"type": "array"}}}
    return [
        Operation(
            method="POST",
            path=breakers.PATH,
            id="resetBreakers",
            tag="gateways",
            right="breakers:reset",
            about="Close the breakers of a service, of its subsets and ports, at all gateways; they count anew.",
            answers={200: reset, 404: _PROBLEM, 503: _PROBLEM, 504: _PROBLEM},
            example={"namespace": "default", "service": "books"},
        )
    ]


def _receivers() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=receivers.MANY,
            id="listReceiverStates",
            tag="alerts",
            right="documents:read",
            by_rows=True,
            about="Receivers, and how the last messages to them fared.",
            answers={200: receivers.ReceiverStates},
        ),
        Operation(
            method="POST",
            path=receivers.TEST,
            id="testReceiver",
            tag="alerts",
            right="documents:write",
            about="Send a message that says it is a test, and tell what the other side answered.",
            answers={200: Sent, 404: _PROBLEM, 503: _PROBLEM},
            example={"namespace": "default", "name": "oncall"},
        ),
    ]


def _revisions() -> list[Operation]:
    number = {"number": "2"}
    return [
        Operation(
            method="GET",
            path=revisions.MANY,
            id="listRevisions",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Changes of documents, newest first; with kind and name of one document, each with what changed.",
            parameters=(
                *_PAGE,
                Parameter(name="kind", about="Of the one document, as in `Route`.", schema={"enum": list(KINDS)}),
                Parameter(name="namespace", about="Its namespace; `default` unless told."),
                Parameter(name="name", about="Its name."),
            ),
            answers={200: RevisionPage},
        ),
        Operation(
            method="GET",
            path=revisions.ONE,
            id="getRevision",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Who changed what, and how.",
            answers={200: RevisionEntry, 404: _PROBLEM},
            example=number,
        ),
        Operation(
            method="GET",
            path=revisions.DIFF,
            id="diffRevisions",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="What lies between two revisions.",
            parameters=(
                Parameter(name="to", about="The other one; the head unless told.", schema={"type": "integer"}),
            ),
            answers={200: Difference, 404: _PROBLEM},
            example=number,
        ),
        Operation(
            method="GET",
            path=revisions.DOCUMENTS,
            id="listDocumentsAtRevision",
            tag="revisions",
            right="documents:read",
            by_rows=True,
            about="Documents as they were at a revision.",
            parameters=(
                *_PAGE,
                Parameter(name="kind", about="Of one kind, as in `Route`.", schema={"enum": list(KINDS)}),
                Parameter(name="namespace", about="Of one namespace; all unless told."),
            ),
            answers={200: DocumentPage, 404: _PROBLEM},
            example=number,
        ),
        Operation(
            method="POST",
            path=revisions.RESTORE,
            id="restoreRevision",
            tag="revisions",
            right="documents:write",
            about="Make all documents what they were then, as a new revision.",
            parameters=(
                Parameter(
                    name="If-Match",
                    about="The revision at which it was compared: 412 when a document came, changed or went since.",
                    place="header",
                ),
                _ONCE,
                _PREFER,
            ),
            answers={200: Applied, 404: _PROBLEM, 409: _PROBLEM, 412: _PROBLEM},
            example=number,
        ),
    ]


def _tokens() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=tokens.MANY,
            id="createToken",
            is_confirmed=True,
            tag="rights",
            about="Make a token. The answer is the only one that tells it.",
            right="tokens:write",
            by_rows=True,
            detail="Nobody gives rights that they have not themselves, in namespaces where they may make tokens.",
            body=tokens.TokenRequest,
            answers={201: NewToken, 409: _PROBLEM},
            example_body={"name": "ci", "grants": [{"role": "editor", "namespace": "default"}], "expires_in_s": 3600},
        ),
        Operation(
            method="GET",
            path=tokens.MANY,
            id="listTokens",
            tag="rights",
            about="Tokens, without themselves; those that are over or revoked among them.",
            right="tokens:read",
            by_rows=True,
            answers={200: tokens.TokenPage},
        ),
        Operation(
            method="DELETE",
            path=tokens.ONE,
            id="revokeToken",
            is_confirmed=True,
            tag="rights",
            about="Revoke a token: it is refused at once here, and within 5 s by all registries.",
            right="tokens:write",
            by_rows=True,
            answers={204: None, 404: _PROBLEM, 409: _PROBLEM},
            example={"token": "abcdefgh"},
        ),
    ]


def _audit() -> list[Operation]:
    whole = {"type": "integer", "minimum": 0}
    return [
        Operation(
            method="GET",
            path=audit.PATH,
            id="listAudit",
            tag="rights",
            about="Who did what, newest first: documents, tokens, instances, and writes that were denied.",
            right="audit:read",
            detail="Each row's hash is over the row and the hash before, see docs/internals/rights.md.",
            parameters=(
                *_PAGE,
                Parameter(name="after", about="Oldest first, behind this row; to check the chain.", schema=whole),
            ),
            answers={200: audit.AuditPage},
        )
    ]


def _rest() -> list[Operation]:
    state = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": _TEXT, "missing": {"type": "array"}, "reason": _TEXT},
    }
    rows: list[tuple[str, str, str, str, Any, bool, dict[int, Any]]] = [
        (
            gateways.MANY,
            "listGateways",
            "gateways",
            "Every gateway with what it runs and refused.",
            "gateways:read",
            False,
            {200: gateways.GatewayPage},
        ),
        (
            gateways.ONE,
            "getGateway",
            "gateways",
            "One gateway.",
            "gateways:read",
            False,
            {200: GatewayState, 404: _PROBLEM},
        ),
        (
            namespaces.PATH,
            "listNamespaces",
            "discovery",
            "The namespaces.",
            "documents:read",
            True,
            {200: namespaces.NamespacePage},
        ),
        (health.LIVE, "live", "health", "Whether the process lives.", "open", False, {200: state}),
        (
            health.READY,
            "ready",
            "health",
            "Whether it can serve, and without which part.",
            "open",
            False,
            {200: state, 503: state},
        ),
    ]
    plain = [
        Operation(
            method="GET",
            path=path,
            id=name,
            tag=tag,
            about=about,
            right=right,
            by_rows=by_rows,
            answers=answers,
            example={"node": "gateway-1"},
        )
        for path, name, tag, about, right, by_rows, answers in rows
    ]
    return [
        *plain,
        Operation(
            method="GET",
            path=metrics.PATH,
            id="metrics",
            tag="health",
            right="metrics:read",
            about="Prometheus text.",
            answers={200: _TEXT},
            produces="text/plain",
        ),
        Operation(
            method="GET",
            path=about.PATH,
            id="getAbout",
            tag="health",
            right="signed_in",
            about="Which Meshway this is, and how it runs.",
            answers={200: about.About},
        ),
        Operation(
            method="GET",
            path=backup.PATH,
            id="backup",
            tag="revisions",
            right="backup:read",
            about="Everything that is durable as one file, consistent at the revision that Meshway-Revision names.",
            detail="Not encrypted, and it holds the ids of leases: keep it as you keep the database. "
            "`meshway restore` puts it into a store.",
            answers={200: {"type": "string", "format": "binary"}},
            produces=backup.CONTENT_TYPE,
        ),
    ]


def _body_of(kind: str) -> dict[str, Any]:
    """A document under a path that names its kind, namespace and name already."""
    _, parts = msgspec.json.schema_components([Metadata], schema_hook=unit_schema, ref_template=REF)
    metadata = {name: part for name, part in parts["Metadata"].items() if name != "required"}
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": metadata | {"title": "MetadataBody"},
            "spec": {"$ref": f"#/components/schemas/{kind}"},
        },
    }


def _document_of(kind: str) -> dict[str, Any]:
    """The envelope with the spec of one kind."""
    return {
        "allOf": [{"$ref": "#/components/schemas/Document"}],
        "properties": {"kind": {"const": kind}, "spec": {"$ref": f"#/components/schemas/{kind}"}},
    }
