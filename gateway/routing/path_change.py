"""The path part of rewrite and redirect: a fixed path, another prefix, a template, or a substitution.

What comes out is made canonical again. The caller's query stays, unless the new path brings one of its own.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.plan import STRICT, Slashes
from gateway.routing.captures import compile_captures
from gateway.routing.path import PathError, canonical, escaped
from meshway.model.match import PathMatch
from meshway.model.path_rewrite import Name, parse_rewrite, parse_substitution
from meshway.model.regex import compile_regex
from meshway.model.route import PathRewrite

PathChange = Callable[[bytes, bytes], tuple[bytes, bytes]]  # of path and query (with its `?`)
# May stand in a path as they are, and part a query there where a path's value is put into one.
_LITERAL: Final = re.compile(r"\^?[\w/~%-]+", re.ASCII)  # an expression that has no sign but the one for a beginning
_PARTING: Final = re.compile(rb"[&+=;]")


def compile_path_change(change: PathRewrite, paths: Sequence[PathMatch], keeps: Slashes = STRICT) -> PathChange:
    """paths: canonical, of the rule's matches, prefixes without trailing slash. keeps: as in the rule's plan.

    The result is canonical; it may raise PathError. Raises PathError when the new path is none.
    """
    if change.full is not None:
        return _full(change.full)
    if change.template is not None:
        return _template(change.template, paths, keeps)
    if change.regex is not None:
        return _substitution(change.regex, parse_substitution(change.substitution or ""), keeps)
    prefixes = [path.prefix.encode() for path in paths if path.prefix is not None]
    return _prefix(change.prefix or "/", prefixes, keeps)


def _full(full: str) -> PathChange:
    path, query = canonical(escaped(full))
    if query:
        fixed = path, _query(query)
        return lambda _, __: fixed
    return lambda _, query: (path, query)


def _prefix(prefix: str, prefixes: Sequence[bytes], keeps: Slashes) -> PathChange:
    replacement = escaped(prefix).rstrip(b"/")
    longest_first = sorted(prefixes, key=len, reverse=True)

    def replace_prefix(path: bytes, query: bytes) -> tuple[bytes, bytes]:
        for prefix in longest_first:
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == 0x2F):
                return canonical(replacement + path[len(prefix) :] or b"/", keeps)[0], query
        return path, query

    return replace_prefix


def _template(template: str, paths: Sequence[PathMatch], keeps: Slashes) -> PathChange:
    path_text, mark, query_text = template.partition("?")
    capture = compile_captures(paths)
    (path_pairs, path_tail), (query_pairs, query_tail) = _pairs(path_text), _pairs(query_text)
    canonical(b"".join(before + b"x" for before, _ in path_pairs) + path_tail)  # the text alone is sound

    def fill(path: bytes, query: bytes) -> tuple[bytes, bytes]:
        found = capture(path)
        made = b""
        for before, name in path_pairs:
            made += before + found.get(name, b"")
        if mark:
            values = {name: _PARTING.sub(_escape, value) for name, value in found.items()}
            query = b"?"
            for before, name in query_pairs:
                query += before + values.get(name, b"")
            query = _query(query + query_tail)
        return canonical(made + path_tail, keeps)[0], query

    return fill


def _pairs(text: str) -> tuple[list[tuple[bytes, str]], bytes]:
    """Each name with the text before it, and the text after the last."""
    pairs: list[tuple[bytes, str]] = []
    before = b""
    for part in parse_rewrite(text):
        if isinstance(part, Name):
            pairs.append((before, part.name))
            before = b""
        else:
            before = escaped(part)
    return pairs, before


def _substitution(pattern: str, parts: Sequence[str | int], keeps: Slashes) -> PathChange:
    """In every place where the expression fits, as Envoy's regex_rewrite."""
    pieces = [part if isinstance(part, int) else escaped(part) for part in parts]
    change = (_exchange if _LITERAL.fullmatch(pattern) else _replace)(pattern, pieces)

    def substitute(path: bytes, query: bytes) -> tuple[bytes, bytes]:
        made = change(path)
        if not made.startswith(b"/"):
            raise PathError('the path does not begin with "/"')
        return canonical(made, keeps)[0], query

    return substitute


def _exchange(pattern: str, pieces: Sequence[bytes | int]) -> Callable[[bytes], bytes]:
    """By an expression that stands for itself, which most do: one search of RE2 costs as much as the rest of a call."""
    begins = pattern.startswith("^")
    text = pattern.removeprefix("^").encode()
    new, size = b"".join([text if isinstance(piece, int) else piece for piece in pieces]), len(text)
    if begins:
        return lambda path: new + path[size:] if path.startswith(text) else path
    return lambda path: path.replace(text, new)


def _replace(pattern: str, pieces: Sequence[bytes | int]) -> Callable[[bytes], bytes]:
    regex = compile_regex(pattern)

    def fill(found: Any) -> bytes:
        return b"".join([(found.group(piece) or b"") if isinstance(piece, int) else piece for piece in pieces])

    def replace_first(path: bytes) -> bytes:
        found = regex.search(path)
        return path if found is None else fill(found) + path[found.end() :]

    def replace_all(path: bytes) -> bytes:
        return bytes(regex.sub(fill, path))

    # RE2's `sub` costs twice as much as one search.
    return replace_first if pattern.startswith("^") and "|" not in pattern else replace_all


def _query(query: bytes) -> bytes:
    """A question mark with nothing behind it drops the caller's."""
    return query if len(query) > 1 else b""


def _escape(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
