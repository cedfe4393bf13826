"""How documents of other meshes are read: blocks that know which of their fields were read, and what was found.

A field that no converter asked for is an error when its block is closed, so nothing that was written is passed over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from meshway.formats.yaml_documents import WrittenDocument
from meshway.formats.yaml_values import Place
from meshway.model.nearest import did_you_mean
from meshway.model.rule_kit import member_path
from meshway.problem import FieldError
from meshway.units import format_duration

# Go's time.ParseDuration, in which Istio and Kubernetes write: 1h, 1.5s, 100ms, 1m30s.
_GO_DURATION: Final = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,12})?(?:h|ms|m|s|us|µs|ns))+\Z")
_GO_PART: Final = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class Origin(NamedTuple):
    """Where a value was written. path: in the foreign document, `spec.http[0].timeout`."""

    document: WrittenDocument
    path: str

    @property
    def place(self) -> Place:
        return self.document.place(self.path)


class At(NamedTuple):
    """A value and where it, or what it was made of, was written."""

    value: Any
    origin: Origin


class Found(msgspec.Struct, frozen=True):
    """Something to tell about a foreign document. reason: without the path."""

    origin: Origin
    code: str
    reason: str

    @property
    def file(self) -> str:
        return self.origin.document.file

    @property
    def error(self) -> FieldError:
        place = self.origin.place if self.origin.document.places else None
        return FieldError(
            document=document_name(self.origin.document.raw),
            path=self.origin.path,
            code=self.code,
            message=f"{self.origin.path}: {self.reason}",
            line=place.line if place else None,
            column=place.column if place else None,
        )


class Findings:
    """What was found in one import. refused: what Meshway has no word for; errors: what is no sound document."""

    __slots__ = ("errors", "refused", "warnings")

    def __init__(self) -> None:
        self.errors: list[Found] = []
        self.refused: list[Found] = []
        self.warnings: list[Found] = []

    def refuse(self, origin: Origin, reason: str) -> None:
        self.refused.append(Found(origin, "unsupported", reason))

    def wrong(self, origin: Origin, code: str, reason: str) -> None:
        self.errors.append(Found(origin, code, reason))

    def warn(self, origin: Origin, reason: str, code: str = "ignored_field") -> None:
        self.warnings.append(Found(origin, code, reason))

    def refused_within(self, origin: Origin) -> bool:
        """Something of this block was refused: what is left of it says less than was meant."""
        return any(
            found.origin.document is origin.document and found.origin.path.startswith(origin.path)
            for found in self.refused
        )


class Block:
    """One block of fields. Each reader gives None for a field that is not written, or that is wrong (and was told)."""

    __slots__ = ("_known", "_raw", "findings", "origin")

    def __init__(self, raw: Mapping[Any, Any], origin: Origin, findings: Findings) -> None:
        self._raw = raw
        self._known: set[str] = set()
        self.origin = origin
        self.findings = findings

    def at(self, name: str) -> Origin:
        return Origin(self.origin.document, member_path(self.origin.path, name) if self.origin.path else name)

    def has(self, name: str) -> bool:
        """The field is written; it counts as read only when it is read."""
        return self._raw.get(name) is not None

    def names(self) -> list[str]:
        """The names in a block of names and values."""
        return [str(name) for name in self._raw]

    def take(self, name: str) -> Any:
        self._known.add(name)
        return self._raw.get(name)

    def text(self, name: str) -> At | None:
        return self._typed(name, str, "text")

    def flag(self, name: str) -> At | None:
        return self._typed(name, bool, "true or false")

    def number(self, name: str) -> At | None:
        value = self.take(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return At(value, self.at(name))
        self._wrong_type(name, value, "a number")
        return None

    def duration(self, name: str) -> At | None:
        """As Meshway writes it."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _GO_DURATION.match(value):
            self.findings.wrong(self.at(name), "bad_duration", f"{value!r} is not a duration: write 5s, 100ms or 1h")
            return None
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _GO_PART.findall(value))
        return At(format_duration(seconds), self.at(name))

    def choice(self, name: str, choices: Mapping[str, Any]) -> At | None:
        """What the word stands for here."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, str) or value not in choices:
            self.findings.wrong(self.at(name), "out_of_bounds", f"{value!r} is none of {', '.join(choices)}")
            return None
        return At(choices[value], self.at(name))

    def texts(self, name: str) -> list[At]:
        return [
            At(item, origin)
            for item, origin in self._items(name)
            if isinstance(item, str) or self._wrong_item(origin, "text")
        ]

    def numbers(self, name: str) -> list[At]:
        return [
            At(item, origin)
            for item, origin in self._items(name)
            if (isinstance(item, int) and not isinstance(item, bool)) or self._wrong_item(origin, "a number")
        ]

    def members(self, name: str) -> dict[str, At]:
        """Names and texts; numbers, too, since people write `v: 1`, are read as their text."""
        value = self.take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._wrong_type(name, value, "a block of names and values")
            return {}
        read: dict[str, At] = {}
        for key, member in value.items():
            origin = Origin(self.origin.document, member_path(self.at(name).path, str(key)))
            if isinstance(member, Mapping | list) or member is None or isinstance(member, bool):
                self._wrong_item(origin, "text")
            else:
                read[str(key)] = At(str(member), origin)
        return read

    def block(self, name: str) -> "Block | None":
        value = self.take(name)
        if isinstance(value, Mapping):
            return Block(value, self.at(name), self.findings)
        self._wrong_type(name, value, "a block of fields")
        return None

    def blocks(self, name: str) -> list["Block"]:
        return [
            Block(item, origin, self.findings)
            for item, origin in self._items(name)
            if isinstance(item, Mapping) or self._wrong_item(origin, "a block of fields")
        ]

    def named_blocks(self, name: str) -> "dict[str, Block]":
        """Blocks by their names, as headers' matches are written; nothing after a name is an empty block."""
        value = self.take(name)
        if value is None or not isinstance(value, Mapping):
            self._wrong_type(name, value, "a block of names")
            return {}
        read: dict[str, Block] = {}
        for key, member in value.items():
            origin = Origin(self.origin.document, member_path(self.at(name).path, str(key)))
            if isinstance(member, Mapping) or member is None:
                read[str(key)] = Block(member or {}, origin, self.findings)
            else:
                self._wrong_item(origin, "a block of fields")
        return read

    def refuse(self, name: str, instead: str) -> None:
        """A field Meshway has no word for. instead: what to write, or why not."""
        if self.take(name) is not None:
            self.findings.refuse(self.at(name), instead)

    def ignore(self, name: str, why: str) -> None:
        if self.take(name) is not None:
            self.findings.warn(self.at(name), f"is ignored: {why}")

    def close(self) -> None:
        """Call when all of the block was read."""
        for key in self._raw:
            if key not in self._known:
                self.findings.wrong(
                    self.at(str(key)), "unknown_field", f"unknown field{did_you_mean(str(key), sorted(self._known))}"
                )

    def _typed(self, name: str, of: type, wanted: str) -> At | None:
        value = self.take(name)
        if isinstance(value, of):
            return At(value, self.at(name))
        self._wrong_type(name, value, wanted)
        return None

    def _wrong_type(self, name: str, value: object, wanted: str) -> None:
        if value is not None:
            self.findings.wrong(self.at(name), "wrong_type", f"is not {wanted}")

    def _wrong_item(self, origin: Origin, wanted: str) -> bool:
        self.findings.wrong(origin, "wrong_type", f"is not {wanted}")
        return False

    def _items(self, name: str) -> Iterator[tuple[Any, Origin]]:
        value = self.take(name)
        if isinstance(value, Sequence) and not isinstance(value, str):
            for at, item in enumerate(value):
                yield item, Origin(self.origin.document, f"{self.at(name).path}[{at}]")
        else:
            self._wrong_type(name, value, "a list")


def document_name(raw: object) -> str | None:
    """`VirtualService shop/cart`, as far as it is written."""
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(metadata, Mapping) or not metadata.get("name"):
        return None
    namespace = metadata.get("namespace")
    return f"{raw.get('kind', '?')} {f'{namespace}/' if namespace else ''}{metadata['name']}"
