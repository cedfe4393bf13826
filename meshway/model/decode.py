"""What people wrote, turned into documents, with every error at once.

The one way in: command line, registry and gateway read documents through here (docs/guide/documents.md).
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from meshway.model.document import API_VERSION, Document, Metadata, Spec
from meshway.model.fields import FieldReader, plain, read_struct
from meshway.model.kinds import KINDS, OWN_KINDS
from meshway.model.nearest import did_you_mean
from meshway.model.rules import check_place
from meshway.problem import FieldError, Problem, invalid_document

MAX_DOCUMENT: Final = max(kind.max_size for kind in KINDS.values())  # bytes of its JSON, of any kind
MAX_LABELS: Final = 64
_MEMBERS: Final = ("apiVersion", "kind", "metadata", "spec")
_REQUIRED: Final = ("apiVersion", "kind", "metadata", "spec")


def decode_spec(kind: str, spec: object, path: str = "spec") -> tuple[Spec | None, list[FieldError]]:
    """The spec and no errors, or None and all of them. kind: one of `kinds.KINDS`, or of those that the registry itself
    writes; others are an error too.

    What needs the document's namespace is judged by `decode_document`.
    """
    if (of := KINDS.get(kind) or OWN_KINDS.get(kind)) is None:
        return None, [_unknown_kind(kind)]
    read, errors = read_struct(spec, of, path)
    return cast("Spec | None", read), errors


def decode_document(raw: object, default_namespace: str = "default") -> tuple[Document, Spec]:
    """The whole document and its spec. The document's own spec is kept as `canonical` writes it.

    raw: plain values, as YAML or JSON give them. default_namespace: where `metadata.namespace` is not written.
    Raises Problem 422 `invalid_document` with all errors, 413 `too_large`.
    """
    if not isinstance(raw, Mapping):
        raise invalid_document(
            "Invalid document",
            (FieldError(path="", code="wrong_type", message=f"a document is a block of {', '.join(_MEMBERS)}"),),
        )
    _refuse_large(raw)
    reader = FieldReader()
    for key in raw:
        if key not in _MEMBERS and (raw.get("kind"), key) not in _TOLD:
            reader.fail(str(key), "unknown_field", f"unknown field{did_you_mean(str(key), _MEMBERS)}")
    for key in _REQUIRED:
        if key not in raw:
            reader.fail(key, "missing_field", f"is required{_mend_missing(key)}")
    _check_version(raw, reader)
    metadata = _read_metadata(raw, default_namespace, reader)
    kind = raw.get("kind")
    spec: Spec | None = None
    if isinstance(kind, str):
        if kind not in KINDS:
            reader.errors.append(_unknown_kind(kind))
        elif "spec" in raw:
            spec, errors = decode_spec(kind, raw["spec"])
            reader.errors += errors
        if metadata is not None and kind in KINDS:
            written = raw.get("spec")
            for finding in check_place(kind, metadata, written if isinstance(written, Mapping) else {}):
                reader.fail(finding.at, finding.code, finding.reason)
    elif "kind" in raw:
        reader.fail("kind", "wrong_type", f"{kind!r} is not a kind{did_you_mean(str(kind), KINDS)}")
    if reader.errors or spec is None or metadata is None:
        name = _document_name(raw, default_namespace)
        raise invalid_document(
            f"Invalid {kind}" if isinstance(kind, str) and kind in KINDS else "Invalid document",
            tuple(msgspec.structs.replace(error, document=name) for error in reader.errors),
        )
    assert isinstance(kind, str)
    return Document(kind=kind, metadata=metadata, spec=canonical(spec)), spec


def canonical(spec: Spec) -> dict[str, Any]:
    """Plain values in the model's order, defaults left out, units in their shortest text: equal specs, equal values."""
    return cast("dict[str, Any]", plain(spec))


def _refuse_large(raw: Mapping[Any, Any]) -> None:
    try:
        size = len(msgspec.json.encode(raw))
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid_document(
            "Invalid document", (FieldError(path="", code="wrong_type", message=f"not plain values: {error}"),)
        ) from error
    kind = raw.get("kind")
    most = KINDS[kind].max_size if isinstance(kind, str) and kind in KINDS else Spec.max_size
    if size > most:
        raise Problem(
            413,
            "too_large",
            "Document too large",
            detail=f"{_document_name(raw, '')}: {size} bytes are above {most >> 10} KiB",
        )


def _check_version(raw: Mapping[str, Any], reader: FieldReader) -> None:
    version = raw.get("apiVersion", API_VERSION)
    if version == API_VERSION:
        return
    if isinstance(version, str) and ("istio.io/" in version or "gateway.networking.k8s.io/" in version):
        reader.fail("apiVersion", "unsupported", f'"{version}" is not read here, but by POST /v1/apply')
    else:
        reader.fail("apiVersion", "out_of_bounds", f"{version!r} is not known: write {API_VERSION}")


def _read_metadata(raw: Mapping[str, Any], default_namespace: str, reader: FieldReader) -> Metadata | None:
    if "metadata" not in raw:
        return None
    written = raw["metadata"]
    # What the registry answers may be sent back unread: export, edit, apply.
    if isinstance(written, Mapping):
        written = {key: value for key, value in written.items() if key not in _ANSWERED} | (
            {} if "namespace" in written else {"namespace": default_namespace}
        )
    before = len(reader.errors)
    metadata = reader.struct(written, Metadata, "metadata")
    return metadata if len(reader.errors) == before else None


_TOLD: Final = (("Certificate", "status"),)
_ANSWERED: Final = frozenset({"revision", "created_at", "updated_at", "updated_by", "source"})


def _mend_missing(key: str) -> str:
    return {"apiVersion": f": {API_VERSION}", "kind": f": one of {', '.join(KINDS)}"}.get(key, "")


def _unknown_kind(kind: str) -> FieldError:
    if kind in OWN_KINDS:
        return FieldError(path="kind", code="forbidden_kind", message=f"kind: the registry alone writes a {kind}")
    return FieldError(
        path="kind", code="unknown_kind", message=f'kind: "{kind}" is not a kind{did_you_mean(kind, KINDS)}'
    )


def _document_name(raw: Mapping[Any, Any], default_namespace: str) -> str | None:
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return None
    return f"{raw.get('kind', '?')} {metadata.get('namespace') or default_namespace}/{metadata['name']}"
