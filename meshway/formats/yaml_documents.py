"""A YAML stream (or JSON) to documents that know where each of their fields was written."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import yaml

from meshway.formats.yaml_values import NodeReader, Place, UnreadableYaml, place_of
from meshway.model.decode import MAX_DOCUMENT
from meshway.model.document_source import enclosing
from meshway.problem import FieldError, Problem, invalid_document

# libyaml is ten times faster; PyYAML built without it reads the same.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAB: Final = "a tab stands where YAML takes spaces alone"


class WrittenDocument(msgspec.Struct, frozen=True):
    """raw: plain values, not judged yet. places: by a field's path, `spec.rules[0].name`; "" is the document.

    file: where the text came from; empty when it is no file.
    """

    raw: Any
    places: dict[str, Place]
    file: str = ""

    @property
    def key(self) -> tuple[str, str | None, str] | None:
        """Kind, namespace as written and name; None when they are not there to be read."""
        metadata = self.raw.get("metadata") if isinstance(self.raw, Mapping) else None
        if not isinstance(metadata, Mapping):
            return None
        kind, namespace, name = self.raw.get("kind"), metadata.get("namespace"), metadata.get("name")
        if not isinstance(kind, str) or not isinstance(name, str):
            return None
        return kind, namespace if isinstance(namespace, str) else None, name

    def place(self, path: str) -> Place:
        """Where the field stands or, for one that is missing, the nearest block around it."""
        return self.places.get(enclosing(path, self.places), Place(1, 1))

    @property
    def paths(self) -> Iterable[str]:
        """Of all fields whose place is known."""
        return self.places

    def file_of(self, path: str) -> str:
        """The file in which the field stands."""
        return self.file

    def locate(self, errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
        """The same errors with line and column, in the order of the text."""
        located = []
        for error in errors:
            place = self.place(error.path)
            located.append(msgspec.structs.replace(error, line=place.line, column=place.column))
        return tuple(sorted(located, key=lambda error: (error.line or 0, error.column or 0)))


def read_documents(text: str, file: str = "") -> list[WrittenDocument]:
    """Every document of the stream; a list at the top is a list of documents, empty ones are left out.

    Raises Problem 422 `invalid_document` with line and column for a text that is no plain YAML, for double names, deep
    nests, more than 100 aliased nodes and documents above 256 KiB.
    """
    documents: list[WrittenDocument] = []
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            for part in _parts(node):
                _refuse_large(part)
                reader = NodeReader()
                raw = reader.read(part)
                if raw is not None:
                    documents.append(WrittenDocument(raw, reader.places, file))
    except UnreadableYaml as error:
        raise _unreadable(error.place, error.code, str(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        reason = _TAB if _is_tab(text, place) else str(error.problem or error.context or error)
        raise _unreadable(place, "bad_yaml", reason) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _unreadable(place, "bad_yaml", f"{error.reason}") from error
    return documents


def _is_tab(text: str, place: Place) -> bool:
    line = "".join(text.split("\n")[place.line - 1 : place.line])
    return line[place.column - 1 : place.column] == "\t"


def _parts(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif node is not None:
        yield node


def _refuse_large(node: yaml.Node) -> None:
    size = node.end_mark.index - node.start_mark.index
    if size > MAX_DOCUMENT:
        raise UnreadableYaml(
            place_of(node), "too_large", f"a document of {size} bytes is above {MAX_DOCUMENT >> 10} KiB"
        )


def _unreadable(place: Place, code: str, reason: str) -> Problem:
    error = FieldError(path="", code=code, message=reason, line=place.line, column=place.column)
    return invalid_document("Invalid document", (error,))
