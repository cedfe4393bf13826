"""The path part of rewrite and redirect: a fixed path, or another prefix in place of the matched one."""

from collections.abc import Callable, Sequence

from gateway.routing.path import PathError, canonical, escaped
from meshway.model.route import PathRewrite


def compile_path_change(change: PathRewrite, prefixes: Sequence[bytes]) -> Callable[[bytes], bytes]:
    """prefixes: canonical, without trailing slash (b"" for `/`). The result is canonical; it may raise PathError.

    Raises PathError when the new path is none, or holds a query: the caller's own is kept.
    """
    if change.full is not None:
        full, query = canonical(escaped(change.full))
        if query:
            raise PathError("a path holds no query")
        return lambda _: full
    replacement = escaped(change.prefix or "/").rstrip(b"/")
    longest_first = sorted(prefixes, key=len, reverse=True)

    def replace_prefix(path: bytes) -> bytes:
        for prefix in longest_first:
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == 0x2F):
                return canonical(replacement + path[len(prefix) :] or b"/")[0]
        return path

    return replace_prefix
