"""What the routes of documents are, for the API's description."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from meshway.model.document import API_VERSION, Document, Metadata
from meshway.model.kinds import BY_PLURAL, KINDS
from registry.api import apply, documents
from registry.api.changes_told import Change
from registry.api.foreseeing import Foreseen
from registry.api.parameters import IF_MATCH, ONCE, PAGE, PREFER, PROBLEM
from registry.documents.documents import DocumentPage
from registry.manners.openapi import REF, Operation, Parameter, unit_schema

_PLACE: Final = {"namespace": "default", "plural": "routes", "name": "books"}
_ROUTE: Final = {"hosts": ["books.example"], "rules": [{"destinations": [{"service": "books"}]}]}
_TEXT: Final = {"type": "string"}


def document_operations() -> list[Operation]:
    return [*_documents(), *_apply()]


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
                IF_MATCH,
                Parameter(name="If-None-Match", about="`*`: create only.", place="header"),
                PREFER,
            ),
            body={"anyOf": [_body_of(kind) for kind in KINDS]},
            consumes=("application/json", "application/yaml"),
            answers={200: Document, 201: Document, 409: PROBLEM, 412: PROBLEM},
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
            answers={200: Document, 304: None, 404: PROBLEM},
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
            parameters=PAGE,
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
            parameters=(IF_MATCH, PREFER),
            answers={204: None, 404: PROBLEM, 409: PROBLEM, 412: PROBLEM},
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
                ONCE,
                PREFER,
            ),
            body=body,
            consumes=("application/json", "application/yaml"),
            answers={200: Foreseen, 202: Change, 409: PROBLEM, 412: PROBLEM},
            example_body={"documents": [document], "delete": [], "if_match": []},
        )
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
