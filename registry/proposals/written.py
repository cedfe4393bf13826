"""The texts of a change read as documents, with every error of every document at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from meshway.formats.yaml_documents import read_documents
from meshway.model.decode import decode_document
from meshway.problem import FieldError, Problem, invalid_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshway.formats.yaml_documents import WrittenDocument
    from meshway.model.document import Document, Spec
    from registry.proposals.records import Part

_SEALED_ONLY: Final = "Secret"
# Not kept in a draft, however unfinished it is.
_CLEAR: Final = "inline_secret"


def read_parts(parts: Iterable[Part]) -> list[tuple[Document, Spec]]:
    """Those that are put. Raises Problem 422 with every error; each names its document."""
    read, errors = [], []
    for part in parts:
        if part.text is None:
            continue
        try:
            read.append(_read(part))
        except Problem as problem:
            if not problem.errors:
                raise
            errors += [_named(error, part) for error in problem.errors]
    if errors:
        many = len({one.document for one in errors}) > 1
        raise invalid_document("Invalid documents" if many else "Invalid document", tuple(errors))
    return read


def refuse_unkept(part: Part) -> None:
    """What no draft keeps: a Secret, whose text would lie in the clear, credentials written into others, and what
    cannot be told to be none of these. A text with other errors is unfinished, and kept.

    Raises Problem 422.
    """
    if part.kind == _SEALED_ONLY:
        message = "a change holds no Secrets: its text would be kept in the clear. PUT the Secret, or apply it"
        error = FieldError(path="", code="unsupported", message=message)
        raise invalid_document("Invalid change", (_named(error, part),))
    if part.text is None:
        return
    try:
        _one(part)
    except Problem as problem:
        raise invalid_document("Invalid change", tuple(_named(error, part) for error in problem.errors)) from None
    try:
        _read(part)
    except Problem as problem:
        clear = tuple(_named(error, part) for error in problem.errors if error.code == _CLEAR)
        if clear:
            raise invalid_document("Invalid change", clear) from None
        if not problem.errors:
            raise


def text_of(plain: dict[str, Any]) -> str:
    """A document as people write it."""
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    return text


def plain_of(part: Part) -> dict[str, Any] | None:
    """What the text says, unjudged; None: the document is deleted. Raises Problem 422."""
    if part.text is None:
        return None
    raw: dict[str, Any] = dict(_one(part).raw)
    return raw


def _read(part: Part) -> tuple[Document, Spec]:
    written = _one(part)
    try:
        return decode_document(written.raw, part.namespace)
    except Problem as problem:
        if problem.errors and written.places:
            problem.errors = written.locate(problem.errors)
        raise


def _one(part: Part) -> WrittenDocument:
    """Raises Problem 422 for a text that is no YAML, or is of something else."""
    assert part.text is not None
    written = read_documents(part.text)
    key = written[0].key if len(written) == 1 else None
    found = None if key is None else (key[0], key[1] or part.namespace, key[2])
    if found != part.astuple():
        message = "the text is not of one document, {} {}/{}".format(*part.astuple())
        raise invalid_document("Invalid document", (FieldError(path="", code="other_document", message=message),))
    return written[0]


def _named(error: FieldError, part: Part) -> FieldError:
    return FieldError(
        document="{} {}/{}".format(*part.astuple()),
        path=error.path,
        code=error.code,
        message=error.message,
        line=error.line,
        column=error.column,
    )
