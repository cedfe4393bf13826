"""Filter expressions of Consul's lists: `Service.Meta.zone == "a" and "v1" in Service.Tags`. After go-bexpr's grammar.

Fields are checked against the shape of what is listed before anything is filtered, so that a typing error is told and
not an empty list. Left out of the grammar: JSON pointers, `any` and `all`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, get_args, get_origin

import msgspec
import re2

from registry.compat.consul.refusals import Refusal

_T = TypeVar("_T")
_Test = Callable[[Any], bool]
MAX_LENGTH: Final = 4096
MAX_DEPTH: Final = 50
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<symbol>==|!=|[()\[\]])|(?P<word>[^\s()\[\]"`=!]+))"""
)
_MISSING: Final = object()


def selecting(expression: str, of: type[_T]) -> Callable[[Iterable[_T]], list[_T]]:
    """What leaves those of some rows that match: all of them for no expression. of: the Struct of a row.

    Raises Refusal 400.
    """
    if not expression:
        return list
    test = _compiled(expression, of)
    return lambda rows: [row for row in rows if test(msgspec.to_builtins(row))]


def _compiled(expression: str, of: type) -> _Test:
    if len(expression) > MAX_LENGTH:
        raise _refused(f"it is longer than {MAX_LENGTH} characters")
    parser = _Parser(_tokens(expression), of)
    test = parser.either()
    parser.end()
    return test


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], of: type) -> None:
        self._tokens = tokens
        self._of = of
        self._at = 0
        self._depth = 0

    def either(self) -> _Test:
        tests = [self._both()]
        while self._took("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise _refused(f"nothing may follow at {self._tokens[self._at][1]!r}")

    def _both(self) -> _Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> _Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refused(f"it is nested deeper than {MAX_DEPTH}")
        try:
            if self._took("not"):
                test = self._one()
                return lambda row: not test(row)
            if self._took("("):
                inner = self.either()
                self._need(")")
                return inner
            return self._match()
        finally:
            self._depth -= 1

    def _match(self) -> _Test:
        """`value in field`, or a field first. A value that is a word looks like a field until `in` follows it."""
        begun = self._at
        kind, value = self._next()
        is_not = self._took("not")
        if self._took("in"):
            return _turned(_holding(self._field(), _unquoted(kind, value)), is_not=is_not)
        self._at = begun
        return self._field_first()

    def _field_first(self) -> _Test:
        read = self._field()
        if self._took("is"):
            is_not = self._took("not")
            self._need("empty")
            return _turned(lambda row: _is_empty(read(row)), is_not=is_not)
        if self._took("=="):
            return _equal(read, self._value())
        if self._took("!="):
            return _turned(_equal(read, self._value()), is_not=True)
        is_not = self._took("not")
        if self._took("contains"):
            return _turned(_holding(read, self._value()), is_not=is_not)
        if self._took("matches"):
            return _turned(_matching(read, self._value()), is_not=is_not)
        raise _refused("after a field comes ==, !=, contains, matches or is empty, and before one in")

    def _field(self) -> Callable[[Any], Any]:
        kind, text = self._next()
        if kind != "word":
            raise _refused(f"{text!r} is no field")
        names = text.split(".")
        while self._took("["):
            kind, text = self._next()
            names.append(_unquoted(kind, text))
            self._need("]")
            kind, text = self._peek()
            if kind == "word" and text.startswith("."):
                self._at += 1
                names += text[1:].split(".")
        _refuse_unknown(names, self._of)

        def read(row: Any) -> Any:
            for name in names:
                row = row.get(name, _MISSING) if isinstance(row, Mapping) else _MISSING
            return row

        return read

    def _value(self) -> str:
        return _unquoted(*self._next())

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise _refused("it ends too early")
        self._at += 1
        return token

    def _took(self, word: str) -> bool:
        kind, text = self._peek()
        if kind == "text" or text != word:
            return False
        self._at += 1
        return True

    def _need(self, word: str) -> None:
        if not self._took(word):
            raise _refused(f"{word!r} is missing")


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, text = 0, expression.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _refused(f"it is not understood from {text[at : at + 20]!r} on")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _unquoted(kind: str, text: str) -> str:
    if kind == "symbol":
        raise _refused(f"{text!r} is no value")
    if kind == "word":
        return text
    return text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])


def _refuse_unknown(names: list[str], of: Any) -> None:
    """Names of a map are anybody's; names of a shape are its fields."""
    for name in names:
        if isinstance(of, type) and issubclass(of, msgspec.Struct):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(of)}
            if name not in fields:
                raise _refused(f'Selector "{".".join(names)[:100]}" is not valid')
            of = fields[name]
        elif get_origin(of) is dict:
            of = get_args(of)[1]
        elif of is not Any:
            raise _refused(f'Selector "{".".join(names)[:100]}" is not valid')


def _turned(test: _Test, *, is_not: bool) -> _Test:
    return (lambda row: not test(row)) if is_not else test


def _equal(read: Callable[[Any], Any], value: str) -> _Test:
    return lambda row: _text(read(row)) == value


def _holding(read: Callable[[Any], Any], value: str) -> _Test:
    """A member of a list, a key of a map, or a part of a text."""

    def holds(row: Any) -> bool:
        found = read(row)
        if isinstance(found, list | tuple):
            return value in map(_text, found)
        return isinstance(found, str | Mapping) and value in found

    return holds


def _matching(read: Callable[[Any], Any], value: str) -> _Test:
    """RE2, as in Go: an expression costs time in proportion to what it reads."""
    try:
        search = re2.compile(value).search
    except re2.error:
        raise _refused(f"{value[:100]!r} is no regular expression") from None
    return lambda row: isinstance(found := read(row), str) and search(found) is not None


def _is_empty(found: Any) -> bool:
    return found is _MISSING or (isinstance(found, str | Sequence | Mapping) and not found)


def _text(found: Any) -> Any:
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, int) else found


def _refused(reason: str) -> Refusal:
    return Refusal(400, f"Failed to create filter: {reason}")
