"""Documents as they come in bodies: JSON or YAML, judged with every error of every document."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from meshway.formats.conversion import is_foreign
from meshway.formats.reading import Existing, Reading, beside_existing, read_all
from meshway.formats.yaml_documents import WrittenDocument, read_documents
from meshway.model.decode import decode_document
from meshway.model.document import Document, Spec
from meshway.model.document_source import DocumentSource
from meshway.model.fields import read_struct
from meshway.model.kinds import KINDS
from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_document, invalid_request
from registry.documents.cautions import Caution
from registry.documents.document_key import Guard, Key
from registry.manners.json_text import parse_json

if TYPE_CHECKING:
    from starlette.requests import Request

    from meshway.formats.surroundings import Options
    from registry.view.rows import DocumentKey

MAX_DOCUMENTS: Final = 20_000
_LONG: Final = 64 * 1024
_MEMBERS: Final = ("documents", "delete", "if_match", "sources")

_K = TypeVar("_K", bound=Key)


class Sourced(Key, frozen=True, forbid_unknown_fields=True):
    """Where a document of the body was written."""

    source: DocumentSource


class Envelope(msgspec.Struct, frozen=True):
    """What a body of apply holds beside its documents. if_match: the revisions that documents must still have."""

    delete: list[Key] = []
    if_match: list[Guard] = []
    sources: list[Sourced] = []


class Apply(msgspec.Struct, frozen=True):
    """A body of apply, judged."""

    reading: Reading
    envelope: Envelope

    def documents(self, existing: Existing) -> list[tuple[Document, Spec]]:
        """existing: the document of a kind, namespace and name as it is now, of which converted ones say a part."""
        read = beside_existing(self.reading, existing).documents
        sources = {one.astuple(): one.source for one in self.envelope.sources}
        return [(_with_source(one.document, sources), one.spec) for one in read]

    @property
    def warnings(self) -> list[Caution]:
        """What is to be said about documents of other meshes."""
        told = [(one.error.code, one.error) for one in self.reading.warnings]
        told += [("left_out", one.error) for one in self.reading.left_out]
        return [
            Caution(document=error.document or "", path=error.path, code=code, message=_placed(error))
            for code, error in told
        ]


async def read_one(request: Request, *, kind: str, namespace: str, name: str) -> tuple[Document, Spec]:
    """The body of a PUT; its kind, namespace and name may be left out, and must be the path's when written."""
    written = _parse(await request.body(), request.headers.get("content-type", ""))
    if isinstance(written, list):
        if len(written) != 1:
            raise invalid_request(f"the body holds {len(written)} documents: send one, or use POST /v1/apply")
        one = written[0]
    else:
        one = WrittenDocument(written, {})
    if not isinstance(one.raw, Mapping):
        return _decode(one, namespace)
    errors = [
        FieldError(path=path, code="forbidden_combination", message=f"{path}: {found!r} is not the path's {wanted!r}")
        for path, found, wanted in _names(one.raw, kind, namespace, name)
        if found != wanted
    ]
    if errors:
        raise invalid_document(f"Invalid {kind}", one.locate(errors) if one.places else tuple(errors))
    metadata = one.raw.get("metadata", {})
    raw = {"apiVersion": "meshway/v1", "kind": kind, **one.raw}
    if isinstance(metadata, Mapping):
        raw["metadata"] = {**metadata, "name": name, "namespace": namespace}
    return _decode(WrittenDocument(raw, one.places), namespace)


async def read_apply(request: Request, namespace: str, options: Options) -> Apply:
    """JSON `{"documents": [...], "delete": [...], "if_match": [...]}`, or documents as a YAML stream.

    namespace: where none is written.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "")
    if len(body) < _LONG:
        return _read_apply(body, kind, namespace, options)
    return await asyncio.to_thread(_read_apply, body, kind, namespace, options)  # thousands of documents take seconds


def _read_apply(body: bytes, content_type: str, namespace: str, options: Options) -> Apply:
    written = _parse(body, content_type)
    envelope = Envelope()
    if not isinstance(written, list):
        if isinstance(written, Mapping) and "kind" in written:
            written = [WrittenDocument(written, {})]
        else:
            written, envelope = _read_envelope(written, namespace)
    if not written and not envelope.delete:
        raise invalid_request("nothing to apply: the body holds no document")
    if len(written) > MAX_DOCUMENTS:
        raise Problem(413, "too_large", "Content Too Large", detail=f"more than {MAX_DOCUMENTS} documents")
    reading = read_all([_as_written(one) for one in written], namespace, options)
    if reading.errors:
        title = "Invalid document" if len(written) == 1 else "Invalid documents"
        raise invalid_document(title, tuple(told.error for told in reading.errors))
    return Apply(reading, envelope)


def _read_envelope(raw: object, namespace: str) -> tuple[list[WrittenDocument], Envelope]:
    if not isinstance(raw, Mapping):
        raise invalid_request('write {"documents": [...], "delete": [...]}, or documents as YAML')
    errors = [
        FieldError(path=str(key), code="unknown_field", message=f"{key}: unknown field (known: {', '.join(_MEMBERS)})")
        for key in raw
        if key not in _MEMBERS
    ]
    errors += [
        FieldError(path=path, code="wrong_type", message=f"{path}: is not a list")
        for path in _MEMBERS
        if not isinstance(raw.get(path, []), list)
    ]
    if errors:
        raise invalid_request(errors[0].message, tuple(errors))
    delete, wrong = _read_keys(raw.get("delete", []), Key, "delete", namespace)
    guards, wrong_guards = _read_keys(raw.get("if_match", []), Guard, "if_match", namespace)
    sources, wrong_sources = _read_keys(raw.get("sources", []), Sourced, "sources", namespace)
    if errors := [*wrong, *wrong_guards, *wrong_sources]:
        raise invalid_request(errors[0].message, tuple(errors))
    return [WrittenDocument(row, {}) for row in raw.get("documents", [])], Envelope(delete, guards, sources)


def _read_keys(rows: list[Any], row_type: type[_K], path: str, namespace: str) -> tuple[list[_K], list[FieldError]]:
    keys: list[_K] = []
    errors: list[FieldError] = []
    for at, row in enumerate(rows):
        named = {"namespace": namespace, **row} if isinstance(row, Mapping) else row
        key, found = read_struct(named, row_type, f"{path}[{at}]")
        errors += found
        if key is not None and key.kind not in KINDS:
            message = f"{path}[{at}].kind: {key.kind!r} is not a kind{did_you_mean(key.kind, KINDS)}"
            errors.append(FieldError(path=f"{path}[{at}].kind", code="unknown_kind", message=message))
        elif key is not None:
            keys.append(key)
    return keys, errors


def _parse(body: bytes, content_type: str) -> Any:
    """A JSON object as plain values; a JSON list or YAML as documents, with their places from YAML.

    Told apart by Content-Type or, as curl sends its own, by the first character.
    """
    is_yaml = "yaml" in content_type or ("json" not in content_type and not body.lstrip().startswith((b"{", b"[")))
    if not is_yaml:
        read = parse_json(body)
        return [WrittenDocument(one, {}) for one in read] if isinstance(read, list) else read
    try:
        return read_documents(body.decode())
    except UnicodeDecodeError as error:
        raise Problem(400, "bad_request", "Bad Request", detail=f"the body is not UTF-8: {error.reason}") from error


def _as_written(one: WrittenDocument) -> WrittenDocument:
    """Reading a service answers how its instances are; what was read may be written back."""
    raw = one.raw
    if isinstance(raw, Mapping) and raw.get("kind") == "Service" and "status" in raw and not is_foreign(one):
        return msgspec.structs.replace(one, raw={key: value for key, value in raw.items() if key != "status"})
    return one


def _with_source(document: Document, sources: Mapping[DocumentKey, DocumentSource]) -> Document:
    metadata = document.metadata
    source = sources.get((document.kind, metadata.namespace, metadata.name))
    if source is None:
        return document
    return msgspec.structs.replace(document, metadata=msgspec.structs.replace(metadata, source=source))


def _placed(error: FieldError) -> str:
    return error.message if error.line is None else f"{error.message} (line {error.line})"


def _decode(one: WrittenDocument, namespace: str) -> tuple[Document, Spec]:
    try:
        return decode_document(_as_written(one).raw, namespace)
    except Problem as problem:
        if problem.errors and one.places:
            problem.errors = one.locate(problem.errors)
        raise


def _names(raw: Mapping[str, Any], kind: str, namespace: str, name: str) -> list[tuple[str, object, str]]:
    """What the body says of itself beside what the path says; what it does not say agrees."""
    metadata = raw.get("metadata")
    own = metadata if isinstance(metadata, Mapping) else {}
    return [
        ("kind", raw.get("kind", kind), kind),
        ("metadata.namespace", own.get("namespace", namespace), namespace),
        ("metadata.name", own.get("name", name), name),
    ]
