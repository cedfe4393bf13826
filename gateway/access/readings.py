"""What a path may become in a service that reads it otherwise than we do: by this a rule that denies is not passed by.

A gateway forwards one spelling (`gateway/routing/path.py`), but a service may decode it up to three times, take
backslashes for slashes, cut parameters (`;x`), a query or an end (`%3F`, `%23`, `%00`) that it finds in there, drop
dots and spaces behind a name as file systems do, not mind case, or take letters for others of their kind (Unicode
NFKC). All of that in any combination; at the end everything is folded, as are the paths of the rules.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final
from unicodedata import normalize
from urllib.parse import quote_from_bytes, unquote

from meshway.http1.alphabet import table

# `path.translate(PLAIN).isdigit()`: everybody reads it alike, and it is folded already, unless slashes are repeated.
# Such paths are most; whoever asks of each call asks so without calling `is_plain` first.
PLAIN: Final = table(b"abcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+,=:@/")
_DOTTED: Final = re.compile(
    rb"[a-z0-9\-_~!$&'()*+,=:@/]*(?:\.[a-z0-9\-_~!$&'()*+,=:@][a-z0-9\-_~!$&'()*+,=:@/]*)*"
).fullmatch
_SAFE: Final = "/!$&'()*+,=:@;"
_DECODINGS: Final = 3  # one is usual, two are a fault of many, three cost nothing more
_ENDS: Final = re.compile(r"[\x00?#]")
_REMEMBERED: Final = 4096  # paths whose readings are known
_LONGEST: Final = 256  # bytes of one that is remembered
# Bytes of a path that is read in several ways: the readings of 16 KiB take 9 ms, in which hundreds of calls wait.
MOST_READ: Final = 1024


def is_plain(path: bytes) -> bool:
    """Also where names hold dots, but for those behind them; not where slashes are repeated, which a Route may keep."""
    if path.partition(b"//")[1]:
        return False
    return path.translate(PLAIN).isdigit() or _DOTTED(path) is not None


class Readings:
    """Of canonical paths; those that are asked for again are remembered."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, ...]] = {}

    def of(self, path: bytes) -> tuple[bytes, ...]:
        found = self._known.get(path)
        if found is None:
            found = readings(path)
            if len(path) <= _LONGEST:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[path] = found
        return found


def readings(path: bytes) -> tuple[bytes, ...]:
    """Of a canonical path: itself first, then all others, folded."""
    lower = path.lower()
    if is_plain(lower):
        return (path, lower)
    texts: set[str] = set()
    decoded = {path.decode("ascii")}
    for _ in range(_DECODINGS):
        decoded = {_unescaped(text) for one in decoded for text in (one, _composed(one))}
        if decoded <= texts:
            break
        texts |= decoded
    for change in _CHANGES:
        texts |= {change(text) for text in texts}
    return tuple(dict.fromkeys((path, *sorted(map(_spelled, texts)))))


def folded(path: str) -> str:
    """A rule's path, canonical, as `readings` spells paths."""
    return _spelled(_unescaped(path)).decode("ascii") if path else path


def _unescaped(text: str) -> str:
    return unquote(text, errors="surrogateescape") if "%" in text else text


def _composed(text: str) -> str:
    return text if text.isascii() else normalize("NFKC", text)


def _cut(text: str) -> str:
    return _ENDS.split(text, maxsplit=1)[0]


def _turned(text: str) -> str:
    return text.replace("\\", "/")


def _without_parameters(text: str) -> str:
    return _each(text, lambda segment: segment.partition(";")[0]) if ";" in text else text


def _trimmed(text: str) -> str:
    return _each(text, _trim) if "." in text or " " in text else text


def _trim(segment: str) -> str:
    bare = segment.rstrip(" ")
    return bare.rstrip(". ") or bare


def _each(text: str, change: Callable[[str], str]) -> str:
    return "/".join(map(change, text.split("/")))


_CHANGES: Final = (_cut, _turned, _without_parameters, _trimmed)


def _spelled(text: str) -> bytes:
    """Folded, slashes merged, dot segments removed, escaped; above the root is the root, as in browsers."""
    text = text.lower() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())
    kept = _climbed(text.split("/")[1:])
    return quote_from_bytes("/".join(("", *kept)).encode("utf-8", "surrogateescape"), safe=_SAFE).lower().encode()


def _climbed(segments: Iterable[str]) -> list[str]:
    kept: list[str] = []
    is_folder = True
    for segment in segments:
        is_folder = segment in ("", ".", "..")
        if segment == "..":
            del kept[-1:]
        elif not is_folder:
            kept.append(segment)
    return [*kept, ""] if is_folder else kept
