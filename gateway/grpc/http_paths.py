"""Which method of a service a call of HTTP stands for, by `google.api.http` rules: the paths of all of them, as a tree.

Literals go before `*`, and that before `**`; of two that fit, so the more exact one has the call.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from meshway.descriptor_files import HttpRule, Method
from meshway.http_template import ONE, REST, HttpTemplate, Variable, parse_http_template


class Binding(NamedTuple):
    """One rule of a method. number: among all."""

    method: Method
    rule: HttpRule
    template: HttpTemplate
    number: int


class _Node:
    __slots__ = ("children", "ending", "one", "rest")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.one: _Node | None = None
        self.ending: dict[bytes, Binding] = {}  # by verb
        self.rest: dict[bytes, Binding] = {}


class HttpPaths:
    """bindings: all of them. Raises ValueError where two rules have the same call, or a path is none."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._roots: dict[bytes, _Node] = {}
        self.bindings = [
            Binding(method, rule, parse_http_template(rule.path), number)
            for number, (method, rule) in enumerate((method, rule) for method in methods for rule in method.rules)
        ]
        for binding in self.bindings:
            self._place(binding)

    def _place(self, binding: Binding) -> None:
        node = self._roots.setdefault(binding.rule.method.encode(), _Node())
        *segments, last = binding.template.segments
        ends_open = last == REST
        for segment in segments if ends_open else binding.template.segments:
            if segment == ONE:
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.children.setdefault(unquote_to_bytes(segment), _Node())
        verbs = node.rest if ends_open else node.ending
        other = verbs.setdefault(binding.template.verb.encode(), binding)
        if other is not binding:
            rule, one, two = binding.rule, other.method, binding.method
            raise ValueError(
                f"{rule.method} {binding.template.pattern} stands for {one.service}.{one.name} and for "
                f"{two.service}.{two.name}"
            )

    def find(self, method: bytes, path: bytes) -> tuple[Binding, dict[tuple[str, ...], str]] | None:
        """With the values that the path has for fields."""
        root = self._roots.get(method)
        if root is None:
            return None
        segments = path[1:].split(b"/")
        before, colon, verb = segments[-1].rpartition(b":")
        if colon and (found := _walk(root, [*segments[:-1], before], 0, verb)) is not None:
            return found, _values(found, [*segments[:-1], before])
        found = _walk(root, segments, 0, b"")
        return None if found is None else (found, _values(found, segments))

    def allowed(self, path: bytes) -> list[str]:
        """Methods by which a path is called."""
        return sorted(method.decode() for method in self._roots if self.find(method, path) is not None)


def _walk(node: _Node, segments: Sequence[bytes], at: int, verb: bytes) -> Binding | None:
    if at == len(segments):
        return node.ending.get(verb) or node.rest.get(verb)
    child = node.children.get(unquote_to_bytes(segments[at]))
    if child is not None and (found := _walk(child, segments, at + 1, verb)) is not None:
        return found
    if node.one is not None and segments[at] and (found := _walk(node.one, segments, at + 1, verb)) is not None:
        return found
    return node.rest.get(verb)


def _values(binding: Binding, segments: Sequence[bytes]) -> dict[tuple[str, ...], str]:
    return {variable.field: _value(variable, segments) for variable in binding.template.variables}


def _value(variable: Variable, segments: Sequence[bytes]) -> str:
    """Of several segments an encoded slash stays as it is: it is none that parts them. Raises UnicodeDecodeError."""
    end = len(segments) if variable.end < 0 else variable.end
    held = segments[variable.start : end]
    if len(held) == 1:
        return unquote(held[0].decode("latin-1"), errors="strict")
    kept = [part.replace(b"%2F", b"%252F").replace(b"%2f", b"%252f") for part in held]
    return unquote(b"/".join(kept).decode("latin-1"), errors="strict")
