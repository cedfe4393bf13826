"""New paths that hold parts of the old one: `/v2/{id}` by names, `\\1` by the groups of a regular expression."""

import re
from typing import Final, NamedTuple

_PIECE: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_REFERENCE: Final = re.compile(r"\\(.?)", re.DOTALL)
QUERY_TEXT: Final = re.compile(r"[!-~]*\Z")


class Name(NamedTuple):
    """A name of the path by which the rule matched."""

    name: str


def parse_rewrite(template: str) -> tuple[str | Name, ...]:
    """Texts and names, without empty ones. Raises ValueError with the reason."""
    parts: list[str | Name] = []
    at = 0
    for found in _PIECE.finditer(template):
        parts.append(template[at : found.start()])
        if not _NAME.match(found[1]):
            raise ValueError(f'"{found[0]}": write the name alone, {{id}}')
        parts.append(Name(found[1]))
        at = found.end()
    parts.append(template[at:])
    for part in parts:
        if isinstance(part, str) and ("{" in part or "}" in part):
            raise ValueError(f'"{part}": a name stands between two braces, {{id}}')
    return tuple(part for part in parts if part)


def rewrite_names(template: str) -> frozenset[str]:
    """template: sound."""
    return frozenset(part.name for part in parse_rewrite(template) if isinstance(part, Name))


def parse_substitution(text: str) -> tuple[str | int, ...]:
    """Texts and numbers of groups, 0 = all that was found; as RE2 reads it. Raises ValueError with the reason."""
    parts: list[str | int] = []
    at = 0
    for found in _REFERENCE.finditer(text):
        parts.append(text[at : found.start()])
        if found[1] in "0123456789" and found[1]:
            parts.append(int(found[1]))
        elif found[1] == "\\":
            parts.append("\\")
        else:
            raise ValueError(f'"{found[0]}": a backslash comes before the number of a group, or before another one')
        at = found.end()
    parts.append(text[at:])
    return tuple(part for part in parts if part != "")
