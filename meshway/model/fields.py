"""Reads plain values into the model's Structs and finds every error, where msgspec stops at the first.

Generic over the Structs by `msgspec.inspect`: a new field or kind needs no code here. The rules of `rules.py` run on
each block as soon as the fields they read are sound, so that one mistake hides no other.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from meshway.model.document import LABEL_PATTERN, Part
from meshway.model.match import StringMatch
from meshway.model.nearest import did_you_mean, nearest
from meshway.model.rule_kit import member_path
from meshway.model.rules import RULES
from meshway.problem import FieldError
from meshway.units import Duration, Rate, Size, parse_duration, parse_rate, parse_size

_UNITS: Final = {
    Duration: (parse_duration, "bad_duration"),
    Rate: (parse_rate, "bad_rate"),
    Size: (parse_size, "bad_size"),
}
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_MAX_SHOWN: Final = 60
_LARGEST: Final = 2**53 - 1  # RFC 8259 §6; beyond 64 bits the feed could not carry it


class _Bad:
    """Stands for a value that could not be read."""


_BAD: Final = _Bad()


@cache
def struct_type(of: type[msgspec.Struct]) -> inspect.StructType:
    return cast(inspect.StructType, inspect.type_info(of))


class FieldReader:
    """One document's reading; `errors` grows in the order of the text."""

    __slots__ = ("errors",)

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def fail(self, path: str, code: str, reason: str) -> _Bad:
        self.errors.append(FieldError(path=path, code=code, message=f"{path}: {reason}"))
        return _BAD

    def struct(self, value: object, of: type[msgspec.Struct], path: str) -> Any:
        """An instance of `of`, or _BAD with the reasons in `errors`."""
        if not isinstance(value, Mapping):
            return self.fail(path, "wrong_type", f"{_shown(value)} is {_kind_of(value)}, not a block of fields")
        fields = {field.encode_name: field for field in struct_type(of).fields}
        before = len(self.errors)
        read: dict[str, Any] = {}
        for key, member in value.items():
            if (field := fields.get(key)) is not None:
                if issubclass(of, Part) and isinstance(member, str) and member in of.unsupported_values.get(key, ()):
                    self.fail(member_path(path, key), "unsupported", f"{member} is not built yet")
                    continue
                result = self.value(member, field.type, member_path(path, key))
                if result is not _BAD:
                    read[field.name] = result
            else:
                self._unknown(key, of, fields, path)
        for name, field in fields.items():
            if name not in value and field.required:
                self.fail(member_path(path, name), "missing_field", "is required")
        self._judge(of, read, value, fields, path)
        return of(**read) if len(self.errors) == before else _BAD

    def _unknown(self, key: object, of: type[msgspec.Struct], fields: dict[str, inspect.Field], path: str) -> None:
        if not isinstance(key, str):
            self.fail(path, "wrong_type", f"the field name {_shown(key)} is {_kind_of(key)}: write it in quotes")
        elif issubclass(of, Part) and key in of.unsupported:
            reason = of.unsupported_because.get(key, "is not built yet; take it out")
            self.fail(member_path(path, key), "unsupported", reason)
        else:
            self.fail(member_path(path, key), "unknown_field", f"unknown field{did_you_mean(key, fields)}")

    def _judge(
        self,
        of: type[msgspec.Struct],
        read: dict[str, Any],
        written: Mapping[str, object],
        fields: dict[str, inspect.Field],
        path: str,
    ) -> None:
        """Runs the rules of a block whose fields are all sound (written well, or left to their defaults)."""
        rules = RULES.get(of)
        if not rules:
            return
        values = {
            field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            for name, field in fields.items()
            if name not in written and not field.required
        } | read
        part = SimpleNamespace(**values)
        foreign = any(key not in fields for key in written)
        for rule in rules:
            if all(need in values for need in rule.needs) and not (rule.whole and foreign):
                for finding in rule.check(part):
                    self.fail(path + finding.at, finding.code, finding.reason)

    def value(self, value: object, kind: inspect.Type, path: str) -> Any:
        match kind:
            case inspect.Metadata():
                if kind.extra and "mend" in kind.extra and not isinstance(value, str):
                    return self._wrong(value, f"text: {kind.extra['mend']}", path)
                return self.value(value, kind.type, path)
            case inspect.UnionType():
                if value is None and any(isinstance(member, inspect.NoneType) for member in kind.types):
                    return None
                return self.value(value, _meant(kind, value), path)
            case inspect.StructType():
                read = self.struct(value, kind.cls, path)
                return read.exact if isinstance(read, StringMatch) and read.is_bare else read
            case inspect.CustomType():
                return self._unit(value, kind, path)
            case inspect.LiteralType():
                return self._choice(value, kind, path)
            case inspect.StrType():
                return self._text(value, kind, path)
            case inspect.BoolType():
                return value if isinstance(value, bool) else self._wrong(value, "true or false", path)
            case inspect.IntType() | inspect.FloatType():
                return self._number(value, kind, path)
            case inspect.VarTupleType():
                return self._list(value, kind, path)
            case inspect.DictType():
                return self._mapping(value, kind, path)
            case inspect.AnyType():
                return value
        raise AssertionError(f"{path}: the model uses {kind}, which has no reader")

    def _unit(self, value: object, kind: inspect.CustomType, path: str) -> Any:
        parse, code = _UNITS[kind.cls]
        try:
            return parse(value)
        except ValueError as error:
            return self.fail(path, code, str(error))

    def _choice(self, value: object, kind: inspect.LiteralType, path: str) -> Any:
        for choice in kind.values:
            if value == choice and type(value) is type(choice):
                return choice
        choices = [str(choice) for choice in kind.values]
        meant = did_you_mean(value, choices) if isinstance(value, str) and nearest(value, choices) else ""
        return self.fail(path, "out_of_bounds", f"{_shown(value)} is none of {', '.join(choices)}{meant}")

    def _text(self, value: object, kind: inspect.StrType, path: str) -> Any:
        if not isinstance(value, str):
            # Not with the value: YAML has read 1.10 as 1.1 already.
            mend = ": write it in quotes" if isinstance(value, int | float) else ""
            return self.fail(path, "wrong_type", f"{_shown(value)} is {_kind_of(value)}, not text{mend}")
        if kind.pattern is not None and not re.search(kind.pattern, value):
            return self.fail(path, *_pattern_reason(value, kind.pattern))
        return self._length(value, kind, path, "characters")

    def _number(self, value: object, kind: inspect.IntType | inspect.FloatType, path: str) -> Any:
        whole = isinstance(kind, inspect.IntType)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (whole and isinstance(value, float) and not value.is_integer())
        ):
            unquoted = ": take it out of its quotes" if isinstance(value, str) and _NUMBER.match(value) else ""
            return self._wrong(value, ("a whole number" if whole else "a number") + unquoted, path)
        if isinstance(value, float) and not math.isfinite(value):
            return self._wrong(value, "a finite number", path)
        if abs(value) > _LARGEST:
            return self.fail(path, "out_of_bounds", f"is above {_LARGEST}, the largest number every reader takes")
        for bound, broken, word in (
            (kind.ge, kind.ge is not None and value < kind.ge, "below"),
            (kind.gt, kind.gt is not None and value <= kind.gt, "not above"),
            (kind.le, kind.le is not None and value > kind.le, "above"),
            (kind.lt, kind.lt is not None and value >= kind.lt, "not below"),
        ):
            if broken:
                return self.fail(path, "out_of_bounds", f"{value} is {word} {bound}{_range(kind)}")
        return int(value) if whole else float(value)

    def _list(self, value: object, kind: inspect.VarTupleType, path: str) -> Any:
        if not isinstance(value, list | tuple):
            return self._wrong(value, "a list", path)
        items = [self.value(item, kind.item_type, f"{path}[{at}]") for at, item in enumerate(value)]
        if self._length(items, kind, path, "entries") is _BAD or any(item is _BAD for item in items):
            return _BAD
        return tuple(items)

    def _mapping(self, value: object, kind: inspect.DictType, path: str) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(value, "a block of names and values", path)
        read: dict[str, Any] = {}
        for key, member in value.items():
            if not isinstance(key, str):
                read[str(key)] = self.fail(path, "wrong_type", f"the name {_shown(key)} is {_kind_of(key)}, not text")
            else:
                read[key] = self.value(member, kind.value_type, member_path(path, key))
        return _BAD if any(member is _BAD for member in read.values()) else read

    def _length(self, value: Any, kind: inspect.StrType | inspect.VarTupleType, path: str, unit: str) -> Any:
        if kind.min_length is not None and len(value) < kind.min_length:
            return self.fail(path, "out_of_bounds", f"has {len(value)} {unit}, needs at least {kind.min_length}")
        if kind.max_length is not None and len(value) > kind.max_length:
            return self.fail(path, "out_of_bounds", f"has {len(value)} {unit}, at most {kind.max_length} are allowed")
        return value

    def _wrong(self, value: object, wanted: str, path: str) -> _Bad:
        return self.fail(path, "wrong_type", f"{_shown(value)} is {_kind_of(value)}, not {wanted}")


def read_struct(value: object, of: type[msgspec.Struct], path: str) -> tuple[Any | None, list[FieldError]]:
    """The Struct and no errors, or None and all of them."""
    reader = FieldReader()
    result = reader.struct(value, of, path)
    return (None if result is _BAD else result), reader.errors


def plain(value: object) -> Any:
    """Plain values of a Struct: defaults left out, units as text. `read_struct` turns them back."""
    if isinstance(value, msgspec.Struct):
        return dict(_plain_fields(value))
    if isinstance(value, Duration | Size | Rate):
        return str(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return value


def _plain_fields(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    for field in struct_type(type(value)).fields:
        member = getattr(value, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if field.required or member != default:
            yield field.encode_name, plain(member)


def _meant(kind: inspect.UnionType, value: object) -> inspect.Type:
    """Beside None a union has one type, or a block and the text that is short for it, or a text and what is no text."""
    members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    if len(members) == 1:
        return members[0]
    wanted: type | tuple[type, ...] = (inspect.StrType, inspect.LiteralType)
    if isinstance(value, Mapping):
        wanted = inspect.StructType
    elif isinstance(value, list | tuple):
        wanted = inspect.VarTupleType
    elif isinstance(value, int) and not isinstance(value, bool):
        wanted = inspect.IntType
    fitting = [member for member in members if isinstance(_bare(member), wanted)]
    texts = [member for member in members if isinstance(_bare(member), inspect.StrType | inspect.LiteralType)]
    return (fitting or texts or members)[0]


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _pattern_reason(value: str, pattern: str) -> tuple[str, str]:
    if pattern == LABEL_PATTERN:
        return "bad_name", f'"{value}" is no name: lower-case letters, digits and "-", 1 to 63, first and last no "-"'
    if pattern.startswith("^/"):
        return "out_of_bounds", f'"{value}" does not begin with "/"'
    return "out_of_bounds", f'"{value}" does not match {pattern}'


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    return f" ({kind.ge} to {kind.le})" if kind.ge is not None and kind.le is not None else ""


def _shown(value: object) -> str:
    """A value as it may have been written, short enough for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "{…}"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case None:
            return "empty"
        case list() | tuple():
            return "a list"
        case _:
            return "a block"
