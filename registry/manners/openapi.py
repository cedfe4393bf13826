"""The description of the whole API as OpenAPI 3.1, from one row per operation; the Structs are the only schemas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from meshway.model.document import LABEL_PATTERN
from meshway.problem import CONTENT_TYPE, FieldError
from meshway.units import Duration, Rate, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.rights.roles import Right

VERSION: Final = "3.1.0"
LICENCE: Final = "Apache-2.0"
_ABOUT: Final = (
    "What exists, what is allowed, and in which order that came to be. Not described here: Eureka's API below /eureka "
    "and Nacos's below /nacos, whose shapes are those projects' own; docs/guide/eureka.md and docs/guide/nacos.md say "
    "how far they are served."
)
_IN_PATH: Final = re.compile(r"\{(\w+)\}")
REF: Final = "#/components/schemas/{name}"
_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "mwt_…",
    "description": "POST /v1/tokens makes one. x-meshway-right of an operation names the right that it needs.",
}
_PROBLEM: Final = {"$ref": REF.format(name="Problem")}
_TEXT: Final = {"type": "string"}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """In the query, or a header (place)."""

    name: str
    about: str
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    place: str = "query"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    right: what a caller needs, in the path's namespace, else in all of them; `open`: nobody has to sign in;
    `signed_in`: whoever did. by_rows: its handler judges or filters each row, so the right in one namespace lets it in.
    by_session: a browser's session may ask for it; never for what needs a right of MACHINE_RIGHTS. is_confirmed: by a
    session only within minutes of a password or a code.
    body: a Struct or a ready schema. answers: by status, what the body is; None: no body. produces: other than JSON.
    errors: the form of what goes wrong, where it is another protocol's; its schema is a text. or_text: a parameter asks
    for the answers in that form, too.
    example: values of the path's parameters. example_query, example_body: with them a call that succeeds (the tests
    send it, in the order PUT, POST, GET, PATCH, DELETE).
    """

    method: str
    path: str
    id: str
    tag: str
    about: str
    right: Right | Literal["open", "signed_in"]
    by_rows: bool = False
    by_session: bool = True
    is_confirmed: bool = False
    detail: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    consumes: tuple[str, ...] = ("application/json",)
    answers: dict[int, Any]
    produces: str = "application/json"
    errors: str = CONTENT_TYPE
    or_text: bool = False
    example: dict[str, str] = {}
    example_query: dict[str, str] = {}
    example_body: Any = None


def methods_by_path(operations: list[Operation]) -> Callable[[str], set[str]]:
    """What is served at a path, for `Allow`; empty where nothing is."""
    rows = [(re.compile(_IN_PATH.sub("[^/]+", row.path) + r"\Z"), row.method) for row in operations]

    def methods(path: str) -> set[str]:
        return {method for pattern, method in rows if pattern.match(path)}

    return methods


def describe(operations: list[Operation], specs: Iterable[type], *, version: str) -> dict[str, Any]:
    """The whole document, ready for JSON. specs: Structs that ready schemas refer to by name."""
    types = [part for row in operations for part in (row.body, *row.answers.values()) if isinstance(part, type)]
    # msgspec takes each type once; the order makes the document the same every time.
    unique = sorted({*types, *specs, FieldError}, key=lambda of: of.__name__)
    schemas, components = msgspec.json.schema_components(unique, schema_hook=unit_schema, ref_template=REF)
    references = dict(zip(unique, schemas, strict=True))
    paths: dict[str, Any] = {}
    for row in operations:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, references)
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Meshway registry",
            "version": version,
            "description": _ABOUT,
            "license": {"name": LICENCE, "identifier": LICENCE},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": _TOKEN},
            "schemas": {**components, "Problem": _problem_schema()},
            "responses": {
                "Problem": {
                    "description": "What went wrong (RFC 9457).",
                    "content": {CONTENT_TYPE: {"schema": _PROBLEM}},
                }
            },
            "headers": {
                "Revision": {
                    "description": "The revision a write took, or the head.",
                    "schema": {"type": "integer", "minimum": 0},
                }
            },
        },
    }


def _operation(row: Operation, references: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": row.id,
        "tags": [row.tag],
        "summary": row.about,
        "parameters": [
            _path_parameter(name, row.example.get(name), labelled=row.errors == CONTENT_TYPE)
            for name in _IN_PATH.findall(row.path)
        ]
        + [_parameter(parameter, row.example_query.get(parameter.name)) for parameter in row.parameters],
        "responses": {
            str(status): _answer(row, status, references.get(_hashable(part), part))
            for status, part in row.answers.items()
        }
        | {"default": _default(row.errors)},
    }
    if row.right != "open":  # refused before anybody looks whose protocol it is
        described["responses"].setdefault("401", {"$ref": "#/components/responses/Problem"})
    described["security"] = [] if row.right == "open" else [{"token": []}]
    if row.right not in ("open", "signed_in"):
        described["x-meshway-right"] = row.right
    if row.detail:
        described["description"] = row.detail
    if row.body is not None:
        schema = references.get(_hashable(row.body), row.body)
        media: dict[str, Any] = {"schema": schema}
        if row.example_body is not None:
            media["example"] = row.example_body
        content = {row.consumes[0]: media}
        content |= {kind: {"schema": {"type": "string"}} for kind in row.consumes[1:]}
        described["requestBody"] = {"required": row.example_body is not None, "content": content}
    return described


def _hashable(part: Any) -> Any:
    return part if isinstance(part, type) else None


def _answer(row: Operation, status: int, schema: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _MEANING.get(status, "Answered."),
        "headers": {"Meshway-Revision": {"$ref": "#/components/headers/Revision"}},
    }
    if schema is not None:
        answer["content"] = {_kind_of(row, schema, status): {"schema": schema}}
        if row.or_text:
            answer["content"].setdefault(row.errors, {"schema": _TEXT})
    return answer


def _kind_of(row: Operation, schema: Any, status: int) -> str:
    if schema == _PROBLEM:
        return CONTENT_TYPE
    return row.errors if schema == _TEXT and status >= 400 else row.produces


def _default(errors: str) -> dict[str, Any]:
    if errors == CONTENT_TYPE:
        return {"$ref": "#/components/responses/Problem"}
    return {"description": "What went wrong, in one line.", "content": {errors: {"schema": _TEXT}}}


_MEANING: Final = {
    200: "Done.",
    201: "Created.",
    204: "Done; nothing to say.",
    304: "Not changed since.",
    404: "Not found.",
    409: "In conflict with what is there.",
    412: "It was changed since; the current document is a member of the problem.",
    503: "Not ready.",
}


def _path_parameter(name: str, example: str | None, *, labelled: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name in ("service", "id", "name") and labelled:
        schema["pattern"] = LABEL_PATTERN
    described = {"name": name, "in": "path", "required": True, "schema": schema, "description": _PATH[name]}
    return described | ({"example": example} if example is not None else {})


_PATH: Final = {
    "namespace": "A namespace, or `-` for all in reads of lists.",
    "service": "The service's name.",
    "id": "The id.",
    "token": "The token's id.",
    "silence": "The silence's id.",
    "user": "The user's name.",
    "session": "The session's id, as the list tells it.",
    "binding": "The binding's id.",
    "plural": "The kind in the plural, kebab-case.",
    "name": "The document's name.",
    "change": "A number, as POST /v1/changes gives it.",
    "number": "A revision: 812 or r812.",
    "node": "The gateway's node name; in Consul's API an address.",
    "state": "passing, warning, critical or any.",
}


def _parameter(parameter: Parameter, example: str | None) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "required": False,
        "description": parameter.about,
        "schema": parameter.schema,
    }
    return described | ({"example": example} if example is not None else {})


def unit_schema(of: type) -> dict[str, Any]:
    """For msgspec: how a Duration, a Size or a Rate is written."""
    if of is Duration:
        return {"type": "string", "pattern": r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$", "examples": ["1m30s"]}
    if of is Size:
        return {"type": ["string", "integer"], "examples": ["64KiB"]}
    if of is Rate:
        return {"type": "string", "pattern": r"^\d+(\.\d+)?/[smh]$", "examples": ["100/s"]}
    raise NotImplementedError


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457 problem document; further members by code, e.g. `current` with 412.",
        "required": ["type", "code", "title", "status"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "code": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": {"type": "string", "description": "The request's id."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            "mend": text,
        },
    }
