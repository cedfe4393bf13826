"""Path templates: `/reviews/{id}`, a name for one segment, `{rest=**}` for everything from there to the end."""

import re
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"[A-Za-z_]\w{0,31}\Z", re.ASCII)


class Segment(NamedTuple):
    """literal: as written; None where a name stands. is_rest: the name stands for all that follows."""

    literal: str | None
    name: str = ""
    is_rest: bool = False


def parse_template(template: str) -> tuple[Segment, ...]:
    """template: begins with `/`. Raises ValueError with the reason."""
    segments: list[Segment] = []
    names: set[str] = set()
    parts = template.split("/")[1:]
    for at, part in enumerate(parts):
        is_last = at == len(parts) - 1
        if "{" not in part and "}" not in part:
            if part in (".", "..") or (not part and not is_last):
                raise ValueError(f'the segment "{part}" can never be in a path: paths are made plain before')
            segments.append(Segment(part))
            continue
        name, equals, pattern = part[1:-1].partition("=")
        if not part.startswith("{") or not part.endswith("}") or not _NAME.match(name):
            raise ValueError(f'"{part}" is neither text nor one {{name}}: letters, digits and "_", at most 32')
        if name in names:
            raise ValueError(f'the name "{name}" stands there twice')
        if equals and pattern != "**":
            raise ValueError(f'"{part}": only {{{name}}} and {{{name}=**}} are known')
        if equals and not is_last:
            raise ValueError(f'"{part}" takes the rest of the path, so it is the last segment')
        names.add(name)
        segments.append(Segment(None, name, bool(equals)))
    if not names:
        raise ValueError('it holds no {name}: write "exact"')
    return tuple(segments)
