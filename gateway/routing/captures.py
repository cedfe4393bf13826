"""What the names in a rule's paths stand for in one call: `{id}` of a template, `(?P<id>…)` of a regular expression.

Read only by rules that use them. When several paths of a rule fit, the one that is asked first gives the values.
"""

from collections.abc import Callable, Sequence
from typing import Any

from meshway.model.match import PathMatch
from meshway.model.path_template import Segment, parse_template
from meshway.model.precedence import path_names, path_rank
from meshway.model.regex import compile_regex

Captures = dict[str, bytes]
Capture = Callable[[bytes], Captures]


def compile_captures(paths: Sequence[PathMatch]) -> Capture:
    """paths: canonical, all of a rule. The values are parts of the canonical path, escapes left as they are."""
    readers = [reader for path in sorted(paths, key=path_rank) if (reader := _reader(path)) is not None]
    if len(readers) == 1:
        (only,) = readers
        return lambda path: only(path) or {}

    def capture(path: bytes) -> Captures:
        for reader in readers:
            found = reader(path)
            if found is not None:
                return found
        return {}

    return capture


def _reader(path: PathMatch) -> Callable[[bytes], Captures | None] | None:
    if path.template is not None:
        return read_template(parse_template(path.template), path.ignore_case)
    if path.regex is not None and path_names(path):
        return _of_regex(compile_regex(path.regex, ignore_case=path.ignore_case))
    return None


def read_template(segments: Sequence[Segment], folds: bool) -> Callable[[bytes], Captures | None]:
    """None: the path does not fit. folds: the case of letters does not count."""
    literals = [
        (at, segment.literal.lower().encode() if folds else segment.literal.encode())
        for at, segment in enumerate(segments, 1)  # before the first slash there is nothing
        if segment.literal is not None
    ]
    names = [(at, segment.name) for at, segment in enumerate(segments, 1) if segment.literal is None]
    count, is_rest = len(segments), segments[-1].is_rest
    whole, most = count + 1, count if is_rest else -1
    filled = [at for at, _ in (names[:-1] if is_rest else names)]

    def capture(path: bytes) -> Captures | None:
        parts = path.split(b"/", most)
        if len(parts) != whole:
            return None
        for at, literal in literals:
            if (parts[at].lower() if folds else parts[at]) != literal:
                return None
        for at in filled:
            if not parts[at]:
                return None
        return {name: parts[at] for at, name in names}

    return capture


def _of_regex(regex: Any) -> Callable[[bytes], Captures | None]:
    def capture(path: bytes) -> Captures | None:
        found = regex.fullmatch(path)
        if found is None:
            return None
        # RE2 tells names of an expression over bytes as bytes.
        return {_text(name): value or b"" for name, value in found.groupdict().items()}

    return capture


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
