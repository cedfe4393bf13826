"""Written documents of any format to judged native ones, with everything that is wrong at its place.

The command and the registry both read through here, so that a file means the same to both.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from meshway.formats.conversion import convert
from meshway.formats.foreign import Found
from meshway.formats.native import ConvertedDocument
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import WrittenDocument
from meshway.model.decode import decode_document
from meshway.model.document import Document, Spec
from meshway.problem import FieldError, Problem

# What a rule is left out for, not only narrowed: without a part of its match it takes calls it was not meant for.
_WHOLE_RULE: Final = re.compile(r"spec\.rules\[(\d+)\]\.match\b")
_PATH_PART: Final = re.compile(r'\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')


class Told(msgspec.Struct, frozen=True):
    """An error or a warning, and the file it is about; empty when there is none."""

    file: str
    error: FieldError


class ReadDocument(msgspec.Struct, frozen=True):
    """A sound document, and how it was written."""

    written: WrittenDocument
    document: Document
    spec: Spec


class Reading(msgspec.Struct, frozen=True):
    """left_out: what could not be honoured and, since that was asked for, is missing in the documents.

    remnants: of native documents with errors, what is sound of them: of use only to find further errors.
    """

    documents: list[ReadDocument]
    errors: list[Told]
    warnings: list[Told]
    left_out: list[Told]
    remnants: list[ReadDocument] = []


Existing = Callable[[str, str, str], "dict[str, Any] | None"]


def read_all(written: Sequence[WrittenDocument], namespace: str, options: Options | None = None) -> Reading:
    """namespace: where none is written. Raises Problem 413 for a document that is too large."""
    options = options or Options()
    conversion = convert(written, namespace, options)
    errors, warnings = [_told(found) for found in conversion.errors], [_told(found) for found in conversion.warnings]
    reading = Reading([], errors, warnings, [], [])
    refused = reading.left_out if options.partial else reading.errors
    refused += [_told(found) for found in conversion.refused]
    for one in conversion.documents:
        _decode(one, namespace, reading, partial=options.partial)
    return reading


def beside_existing(reading: Reading, existing: Existing) -> Reading:
    """Services that foreign documents say only a part of keep what else they have.

    existing: the document of a kind, namespace and name as it is now; None: there is none.
    """
    again: list[ReadDocument] = []
    for one in reading.documents:
        written = one.written
        if isinstance(written, ConvertedDocument) and written.parts is not None:
            metadata = one.document.metadata
            if (found := existing(one.document.kind, metadata.namespace, metadata.name)) is not None:
                written = written.beside(found)
                document, spec = decode_document(written.raw, metadata.namespace)
                again.append(ReadDocument(written, document, spec))
                continue
        again.append(one)
    return msgspec.structs.replace(reading, documents=again)


def _decode(one: WrittenDocument, namespace: str, reading: Reading, *, partial: bool) -> None:
    """Into the reading's lists. partial: fields of foreign documents that are not built yet are left out one by one."""
    while True:
        try:
            document, spec = decode_document(one.raw, namespace)
        except Problem as problem:
            if not problem.errors:
                raise
            errors = problem.errors
        else:
            reading.documents.append(ReadDocument(one, document, spec))
            return
        missing = [error for error in errors if error.code == "unsupported"]
        if not (partial and missing and isinstance(one, ConvertedDocument)):
            if isinstance(one, ConvertedDocument):
                errors = _as_converted(errors)
            located = one.locate(errors) if one.places or isinstance(one, ConvertedDocument) else errors
            places = [one.file_of(error.path) for error in errors]
            if isinstance(one, ConvertedDocument):
                reading.errors.extend(Told(file, error) for file, error in zip(places, located, strict=True))
            else:
                reading.errors.extend(Told(one.file, error) for error in located)
                reading.remnants.extend(_remnant(one, namespace, [error.path for error in errors]))
            return
        located = one.locate(missing)
        reading.left_out.extend(
            Told(one.file_of(error.path), told) for error, told in zip(missing, located, strict=True)
        )
        raw = _without(one.raw, [error.path for error in missing])
        if raw is None:
            return
        one = msgspec.structs.replace(one, raw=raw)


def _as_converted(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """Without what a block lacks beside a field that is unsupported: the foreign document has no such block."""
    refused = {error.path.rpartition(".")[0] for error in errors if error.code == "unsupported"}
    return tuple(
        error for error in errors if error.code != "missing_field" or error.path.rpartition(".")[0] not in refused
    )


def _remnant(one: WrittenDocument, namespace: str, wrong: Sequence[str]) -> Iterator[ReadDocument]:
    """Nothing where it is not sound without these fields. No list gets shorter, so that all places stay."""
    if any(not path or path.endswith("]") for path in wrong):  # "": it is no block of fields at all
        return
    raw = _without(one.raw, wrong)
    if raw is None:
        return
    try:
        document, spec = decode_document(raw, namespace)
    except Problem:
        return
    yield ReadDocument(msgspec.structs.replace(one, raw=raw), document, spec)


def _without(raw: dict[str, Any], paths: Iterable[str]) -> dict[str, Any] | None:
    """The document without these fields, and without rules whose match they are; None: nothing of it is left."""
    copy: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(raw))
    for path in sorted(paths, key=_depth, reverse=True):
        if path in ("kind", "apiVersion", "spec"):
            return None
        rule = _WHOLE_RULE.match(path)
        _remove(copy, parts_of(f"spec.rules[{rule[1]}]" if rule else path))
    return _pruned(copy)


def _remove(tree: Any, parts: list[str | int]) -> None:
    """Entries of lists become None, so that the places of the others stay."""
    *above, last = parts
    for part in above:
        if not isinstance(tree, dict | list) or (isinstance(tree, dict) and part not in tree):
            return
        tree = tree[part]  # type: ignore[index]  # a list's parts are whole numbers: they come from its own path
    if isinstance(tree, dict):
        tree.pop(last, None)
    elif isinstance(tree, list) and isinstance(last, int):
        tree[last] = None


def _pruned(document: dict[str, Any]) -> dict[str, Any] | None:
    def prune(tree: Any) -> Any:
        if isinstance(tree, list):
            return [prune(item) for item in tree if item is not None]
        if isinstance(tree, dict):
            return {name: prune(member) for name, member in tree.items()}
        return tree

    pruned: dict[str, Any] = prune(document)
    said = {name for name, member in pruned.get("spec", {}).items() if name != "targets" and member not in ({}, [])}
    if not said or (pruned["kind"] == "Route" and not pruned["spec"].get("rules")):
        return None
    return pruned


def parts_of(path: str) -> list[str | int]:
    """Of a field's path: names of members and places in lists."""
    parts: list[str | int] = []
    for name, index, quoted in _PATH_PART.findall(path):
        parts.append(int(index) if index else name or quoted)
    return parts


def _depth(path: str) -> tuple[int, str]:
    return len(parts_of(path)), path


def _told(found: Found) -> Told:
    return Told(found.file, found.error)
