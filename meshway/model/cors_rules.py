"""What must hold inside a rule's cors block.

Most of it is about origins that are written and never sent, or that say more than was meant: browsers compare origins
as bytes, and whoever is allowed to call with credentials reads what the person at the browser may read.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from meshway.model.match import StringMatch, Text
from meshway.model.names import TOKEN
from meshway.model.regex import regex_takes
from meshway.model.rule_kit import BlockRule, Finding, bounded

ANY: Final = "*"
_LISTS: Final = ("allow_origins", "allow_methods", "allow_headers", "expose_headers")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?\Z")
_UNWRITTEN_PORTS: Final = {"http": "80", "https": "443"}
_YEAR_S: Final = 366 * 86400.0
# Stands for any origin there is; nobody can own a name below `invalid` (RFC 6761).
_STRANGERS: Final = ("https://meshway-4711.invalid", "http://meshway-4711.invalid:8080")


def _origins(part: Any) -> Iterator[Finding]:
    for at, text in enumerate(part.allow_origins):
        place = f".allow_origins[{at}]"
        if isinstance(text, StringMatch):
            if text.present is not None or text.invert:
                yield Finding(place, "forbidden_combination", f'name who may call, not who may not; "{ANY}" is any')
            continue
        if (reason := origin_fault(text)) is not None:
            yield Finding(place, "out_of_bounds", f'"{text}": {reason}')


def origin_fault(origin: str) -> str | None:
    if origin in (ANY, "null"):
        return None
    found = _ORIGIN.match(origin)
    if found is None:
        return "browsers send scheme://host in lower case, with a port where it is not the scheme's, and no path"
    scheme, port = origin.partition(":")[0], (found[2] or "")[1:]
    if port and _UNWRITTEN_PORTS.get(scheme) == port:
        return f"browsers leave out the port {port} of {scheme}"
    return None


def _methods(part: Any) -> Iterator[Finding]:
    for at, method in enumerate(part.allow_methods):
        if not TOKEN.match(method):
            yield Finding(f".allow_methods[{at}]", "out_of_bounds", f'"{method}" is no HTTP method')
        elif method != method.upper():
            reason = f'"{method}": methods are case-sensitive, {method.upper()}?'
            yield Finding(f".allow_methods[{at}]", "out_of_bounds", reason)


def _headers(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        for at, name in enumerate(getattr(part, field)):
            if not TOKEN.match(name):
                yield Finding(f".{field}[{at}]", "bad_name", f'"{name}" is no header name')

    return BlockRule((field,), check)


def _credentials(part: Any) -> Iterator[Finding]:
    if not part.allow_credentials:
        return
    for field in _LISTS:
        for at, text in enumerate(getattr(part, field)):
            if text == ANY:
                reason = f'"{ANY}" does not go with allow_credentials: name them'
                yield Finding(f".{field}[{at}]", "forbidden_combination", reason)
            elif field == "allow_origins" and any(_takes(text, stranger) for stranger in _STRANGERS):
                reason = "takes any origin, which does not go with allow_credentials: name them"
                yield Finding(f".{field}[{at}]", "forbidden_combination", reason)


def _takes(text: Text, origin: str) -> bool:
    if isinstance(text, str):
        return text == origin
    if text.regex is not None:
        return regex_takes(text.regex, origin, ignore_case=text.ignore_case)
    fold = str.lower if text.ignore_case else str
    for part, holds in ((text.prefix, origin.startswith), (text.suffix, origin.endswith)):
        if part is not None:
            return holds(fold(part))
    return text.contains is not None and fold(text.contains) in origin


CORS_RULES: Final = (
    BlockRule(("allow_origins",), _origins),
    BlockRule(("allow_methods",), _methods),
    _headers("allow_headers"),
    _headers("expose_headers"),
    BlockRule((*_LISTS, "allow_credentials"), _credentials),
    bounded("max_age", 1.0, _YEAR_S, zero=True),
)
