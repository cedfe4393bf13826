"""Native documents in the making: trees whose values remember where in a foreign document they came from."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from meshway.formats.foreign import At, Origin, document_name
from meshway.formats.yaml_documents import WrittenDocument
from meshway.formats.yaml_values import Place
from meshway.model.document import API_VERSION
from meshway.model.document_source import enclosing
from meshway.model.rule_kit import member_path
from meshway.problem import FieldError

CONVERTED_FROM: Final = "meshway/converted-from"
# kubectl writes the whole document into this one.
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

Tree = dict[str, Any]


class Native(msgspec.Struct):
    """A document that is being made. spec: plain values and `At`s.

    of: the foreign documents it was made of. parts: the fields of the spec it speaks of, where a document of its name
    keeps the others it has; None: it is the whole document.
    """

    kind: str
    namespace: str
    name: str
    spec: Tree
    of: list[WrittenDocument]
    parts: frozenset[str] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.namespace, self.name

    def written(self) -> "ConvertedDocument":
        origins: dict[str, Origin] = {"": Origin(self.of[0], ""), "metadata.name": Origin(self.of[0], "metadata.name")}
        spec = _settled(self.spec, "spec", origins)
        origins.setdefault("spec", Origin(self.of[0], "spec"))
        metadata: Tree = {"name": self.name, "namespace": self.namespace}
        for field in ("labels", "annotations"):
            if members := self._metadata_of(field):
                metadata[field] = members
        raw = {"apiVersion": API_VERSION, "kind": self.kind, "metadata": metadata, "spec": spec}
        return ConvertedDocument(raw, {}, self.of[0].file, origins=origins, parts=self.parts)

    def _metadata_of(self, field: str) -> dict[str, str]:
        members: dict[str, str] = {}
        for document in reversed(self.of):
            written = (document.raw.get("metadata") or {}).get(field)
            members |= written if isinstance(written, Mapping) else {}
        if field == "annotations":
            members.pop(_LAST_APPLIED, None)
            members[CONVERTED_FROM] = ", ".join(_unique(document_name(one.raw) or "?" for one in self.of))
        return members


class ConvertedDocument(WrittenDocument, frozen=True, kw_only=True):
    """A native document whose errors are told where its foreign text stands. origins: by native path."""

    origins: dict[str, Origin]
    parts: frozenset[str] | None = None

    def origin(self, path: str) -> Origin:
        """The field's own or, for one that is missing, that of the nearest block around it."""
        return self.origins[enclosing(path, self.origins)]

    @property
    def paths(self) -> Iterable[str]:
        return self.origins

    def place(self, path: str) -> Place:
        return self.origin(path).place

    def file_of(self, path: str) -> str:
        return self.origin(path).document.file

    def locate(self, errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
        return tuple(self._located(error) for error in errors)

    def _located(self, error: FieldError) -> FieldError:
        origin = self.origin(error.path)
        reason = error.message.removeprefix(f"{error.path}: ")
        native = f"{self.raw['kind']} {self.raw['metadata']['namespace']}/{self.raw['metadata']['name']}"
        path = f"{origin.path}: " if origin.path else ""
        place = origin.place if origin.document.places else None
        return msgspec.structs.replace(
            error,
            path=origin.path,
            message=f"{path}{reason} (read as {error.path} of {native})",
            line=place.line if place else None,
            column=place.column if place else None,
        )

    def beside(self, existing: Mapping[str, Any]) -> "ConvertedDocument":
        """With what a document of its name says besides: only `parts` of its spec are this one's to change."""
        if self.parts is None:
            return self
        kept = {name: value for name, value in existing["spec"].items() if name not in self.parts}
        metadata = dict(self.raw["metadata"])
        for field in ("labels", "annotations"):
            if members := {**existing["metadata"].get(field, {}), **metadata.get(field, {})}:
                metadata[field] = members
        return msgspec.structs.replace(
            self, raw={**self.raw, "metadata": metadata, "spec": {**kept, **self.raw["spec"]}}
        )


def put(block: Tree, path: str, value: At | Tree | list[Any] | None) -> None:
    """Writes below dotted names; None and empty blocks and lists write nothing."""
    if value is None or value == {} or value == []:
        return
    *above, last = path.split(".")
    for name in above:
        block = block.setdefault(name, {})
    block[last] = value


def _settled(tree: Any, path: str, origins: dict[str, Origin]) -> Any:
    """Plain values; the origin of each goes to `origins`, that of a block is its own or its first member's."""
    if isinstance(tree, At):
        origins[path] = tree.origin
        return _settled(tree.value, path, origins)
    if isinstance(tree, dict):
        settled: Any = {key: _settled(member, member_path(path, key), origins) for key, member in tree.items()}
        inner = [member_path(path, key) for key in tree]
    elif isinstance(tree, list):
        settled = [_settled(member, f"{path}[{at}]", origins) for at, member in enumerate(tree)]
        inner = [f"{path}[{at}]" for at in range(len(tree))]
    else:
        return tree
    if path not in origins and (first := next((origins[one] for one in inner if one in origins), None)):
        origins[path] = first
    return settled


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
