"""Paths of `google.api.http` rules: pure.

Template = "/" Segments [ ":" Verb ], a segment being a literal, `*`, `**` (the last one) or `{field=segments}`, where
`{field}` is `{field=*}`. Source: google/api/http.proto.
"""

import re
from typing import Final, NamedTuple

ONE: Final = "*"
REST: Final = "**"
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
_LITERAL: Final = re.compile(r"[A-Za-z0-9\-._~%!$&'()+,;@]+\Z")


class Variable(NamedTuple):
    """A field that has what stands in these segments of the path: from start up to end, -1: to the path's end."""

    field: tuple[str, ...]
    start: int
    end: int


class HttpTemplate(NamedTuple):
    segments: tuple[str, ...]
    verb: str
    variables: tuple[Variable, ...]

    @property
    def pattern(self) -> str:
        """Two with the same one fit the same paths."""
        return "/" + "/".join(self.segments) + (f":{self.verb}" if self.verb else "")


def parse_http_template(text: str) -> HttpTemplate:
    """Raises ValueError."""
    if not text.startswith("/"):
        raise ValueError(f'"{text}" does not begin with /')
    rest, verb = text[1:], ""
    behind = rest.rfind("}")
    at = rest.rfind(":")
    if at > behind and at > rest.rfind("/"):
        rest, verb = rest[:at], rest[at + 1 :]
        if not _LITERAL.match(verb):
            raise ValueError(f'"{text}" has a verb that is none')
    segments: list[str] = []
    variables: list[Variable] = []
    for part in _split(rest, text):
        if part.startswith("{"):
            field, has_own, own = part[1:-1].partition("=")
            if not _FIELD.match(field):
                raise ValueError(f'"{text}": "{field}" is no field')
            inner = own.split("/") if has_own else [ONE]
            start = len(segments)
            segments += inner
            variables.append(Variable(tuple(field.split(".")), start, -1 if inner[-1] == REST else len(segments)))
        else:
            segments.append(part)
    for index, segment in enumerate(segments):
        if segment == REST and index < len(segments) - 1:
            raise ValueError(f'"{text}": ** is the last segment or none')
        if segment not in (ONE, REST) and not _LITERAL.match(segment):
            raise ValueError(f'"{text}": "{segment}" is no segment of a path')
    fields = [variable.field for variable in variables]
    if len(set(fields)) < len(fields):
        raise ValueError(f'"{text}" has a field twice')
    return HttpTemplate(tuple(segments), verb, tuple(variables))


def _split(rest: str, text: str) -> list[str]:
    """At each / that is in no braces."""
    parts: list[str] = re.findall(r"\{[^{}]*\}|[^/{}]+", rest)
    if not parts or "/".join(parts) != rest:
        raise ValueError(f'"{text}" is no template of a path')
    return parts
