"""Documents from files, folders and stdin, judged here with `file:line:column` before the registry sees them."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from meshway.cli.failure import INVALID, NOT_FOUND, CliError
from meshway.formats.reading import Existing, ReadDocument, Reading, beside_existing, parts_of, read_all
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import WrittenDocument, read_documents
from meshway.problem import FieldError, Problem

STDIN: Final = "-"
STDIN_NAME: Final = "stdin"
MAX_TEXT: Final = 16 << 20
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})


Unknown = Callable[["Sequence[FileDocument]"], Iterable[FieldError]]


class FileDocument(msgspec.Struct, frozen=True):
    """One sound document. sent: plain values as the registry takes them, namespace filled in."""

    written: WrittenDocument
    sent: dict[str, Any]

    @property
    def file(self) -> str:
        return self.written.file

    @property
    def name(self) -> str:
        return document_name(self.sent)


class FilesRead(msgspec.Struct, frozen=True):
    """What the files hold. warnings, left_out: about documents of other meshes, which were converted."""

    reading: Reading
    documents: list[FileDocument]

    @property
    def warnings(self) -> list[str]:
        return [f"! {told.error.code} {FileError(told.file, told.error).text}" for told in self.reading.warnings]

    @property
    def left_out(self) -> list[str]:
        return [f"! left out {FileError(told.file, told.error).text}" for told in self.reading.left_out]


class FileError(msgspec.Struct, frozen=True):
    file: str
    error: FieldError

    @property
    def text(self) -> str:
        """`shop/cart.yaml:12:7: spec.rules[0].retyr: unknown field (did you mean retry?)`"""
        place = f":{self.error.line}:{self.error.column}" if self.error.line else ""
        return f"{self.file}{place}: {self.error.message}"


def document_name(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    return f"{document['kind']} {metadata['namespace']}/{metadata['name']}"


def read_files(paths: Sequence[str], namespace: str) -> list[FileDocument]:
    """Every document of every file. Raises CliError 6 with all errors of all files, 4 for a file that is not there."""
    return read_import(paths, namespace).documents


def read_import(
    paths: Sequence[str], namespace: str, options: Options | None = None, unknown: Unknown | None = None
) -> FilesRead:
    """As `read_files`, with what is to be said about documents of other meshes.

    unknown: asked, where there are errors, for references that lead nowhere: else these came one apply later.
    """
    written: list[WrittenDocument] = []
    errors: list[FileError] = []
    order: dict[str, int] = {}
    for file, text in _texts(paths):
        order.setdefault(file, len(order))
        try:
            written += read_documents(text, file)
        except Problem as problem:
            errors += [FileError(file, error) for error in problem.errors]
    try:
        reading = read_all(written, namespace, options)
    except Problem as problem:  # a document that is too large, and says itself which
        raise CliError(INVALID, problem.detail or problem.title) from problem
    errors += [FileError(told.file, told.error) for told in reading.errors]
    documents = [_file_document(one) for one in reading.documents]
    errors += _doubles(documents)
    if errors and unknown is not None:
        errors += _unknown(unknown, [*documents, *map(_file_document, reading.remnants)], errors)
    if errors:
        errors.sort(key=lambda error: (order[error.file], error.error.line or 0, error.error.column or 0))
        raise invalid_files(errors)
    if not documents and not reading.left_out:
        other = " of Meshway, and none to convert," if written else ""
        raise CliError(
            INVALID,
            f"no documents{other} in {', '.join(paths)}",
            mend="a document begins with apiVersion: meshway/v1 and kind",
        )
    return FilesRead(reading, documents)


def _unknown(unknown: Unknown, documents: Sequence[FileDocument], errors: Sequence[FileError]) -> Iterator[FileError]:
    """Leaves out references to documents that have errors: of these not all is known."""
    broken = {one.error.document for one in errors}
    if None in broken or not documents:
        return
    names = {(name or "").partition("/")[2] for name in broken}
    for one in place_errors(documents, unknown(documents)):
        document = next((each for each in documents if each.name == one.error.document), None)
        if document is not None and names.isdisjoint(_beside(document.sent, one.error.path)):
            yield one


def _beside(document: dict[str, Any], path: str) -> Iterator[str]:
    """The texts of the block in which a field stands: a reference's service, subset, port; of a list's entry itself."""
    *above, last = parts_of(path)
    tree: Any = document
    for part in above:
        tree = tree[part]
    texts = tree.values() if isinstance(tree, dict) else (tree[last],)
    yield from (value for value in texts if isinstance(value, str))


def kept_beside(read: FilesRead, existing: Existing) -> list[FileDocument]:
    """The documents, with what is in the registry and not theirs to change. existing: asks the registry."""
    return [_file_document(one) for one in beside_existing(read.reading, existing).documents]


def invalid_files(errors: Sequence[FileError]) -> CliError:
    count = f"{len(errors)} error{'s' * (len(errors) != 1)}"
    files = list(dict.fromkeys(error.file for error in errors))
    where = files[0] if len(files) == 1 else f"{len(files)} files"
    return CliError(
        INVALID,
        f"{count} in {where}; nothing was published",
        details=tuple(error.text for error in errors),
    )


def place_errors(documents: Sequence[FileDocument], errors: Iterable[FieldError]) -> list[FileError]:
    """The registry's errors with the places of our files; without one where it speaks of something else."""
    by_name = {document.name: document for document in documents}
    placed = []
    for error in errors:
        document = by_name.get(error.document or "")
        if document is None and len(documents) == 1:
            document = documents[0]
        if document is None:
            named = f"{error.document}: {error.message}" if error.document else error.message
            placed.append(FileError("registry", msgspec.structs.replace(error, message=named)))
        else:
            (located,) = document.written.locate([error])
            placed.append(FileError(document.written.file_of(error.path), located))
    return placed


def _texts(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        if path == STDIN:
            yield STDIN_NAME, _decoded(STDIN_NAME, sys.stdin.buffer.read(MAX_TEXT + 1))
            continue
        for file in _files(Path(path)):
            try:
                with file.open("rb") as opened:
                    data = opened.read(MAX_TEXT + 1)
            except OSError as error:
                raise CliError(NOT_FOUND, f"cannot read {file}: {error.strerror}") from error
            yield str(file), _decoded(str(file), data)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    except OSError as error:
        raise CliError(NOT_FOUND, f"cannot read {error.filename or path}: {error.strerror}") from error
    if not files:
        raise CliError(NOT_FOUND, f"no .yaml, .yml or .json file in {path}")
    return files


def _decoded(file: str, data: bytes) -> str:
    if len(data) > MAX_TEXT:
        raise CliError(INVALID, f"{file} is above {MAX_TEXT >> 20} MiB", mend="apply it in parts")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CliError(INVALID, f"{file} is not UTF-8: byte {error.start} {error.reason}") from error


def _file_document(one: ReadDocument) -> FileDocument:
    raw: dict[str, Any] = dict(one.written.raw)
    raw["metadata"] = {**raw["metadata"], "namespace": one.document.metadata.namespace}
    return FileDocument(one.written, raw)


def _doubles(documents: Sequence[FileDocument]) -> Iterator[FileError]:
    first: dict[str, FileDocument] = {}
    for document in documents:
        if (known := first.setdefault(document.name, document)) is not document:
            place = known.written.place("metadata.name")
            error = FieldError(
                path="metadata.name",
                code="duplicate",
                message=f"{document.name} is written already at {known.file}:{place.line}",
            )
            yield FileError(document.file, document.written.locate([error])[0])
