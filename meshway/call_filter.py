"""Filters of calls, as people write them: `service:reviews status>=500 flag:UF latency>300ms path:/cart*`; pure.

The same for kept requests, tap and the console. All terms must hold; `-` or `!` before one turns it round. A word
without a field is looked for in authority and path. Texts are compared whole, with `*` for anything; a service, route
or source may leave out its namespace. Quotes hold spaces.
"""

import re
import shlex
from collections.abc import Callable
from typing import Final

from meshway.call_lines import CallLine
from meshway.model.nearest import did_you_mean
from meshway.units import parse_duration

Holds = Callable[[CallLine], bool]
MOST_TERMS: Final = 32
MOST_LENGTH: Final = 1_024
_TERM: Final = re.compile(r"([-!]?)([a-z_]+)(:|>=|<=|=|>|<)(.*)\Z", re.DOTALL)
_TEXTS: Final[dict[str, Callable[[CallLine], str]]] = {
    "service": lambda line: line.service,
    "route": lambda line: line.route,
    "rule": lambda line: line.rule,
    "instance": lambda line: line.instance,
    "principal": lambda line: line.principal,
    "path": lambda line: line.path,
    "authority": lambda line: line.authority,
    "method": lambda line: line.method,
    "listener": lambda line: line.listener,
    "peer": lambda line: line.peer,
    "reason": lambda line: line.reason,
    "policy": lambda line: line.policy,
    "trace": lambda line: line.trace_id,
    "request": lambda line: line.request_id,
    "gateway": lambda line: line.node,
    "protocol": lambda line: line.protocol,
    "cache": lambda line: line.cache,
}
_NUMBERS: Final[dict[str, Callable[[CallLine], float]]] = {
    "status": lambda line: line.status,
    "latency": lambda line: line.duration_ms,
    "attempts": lambda line: line.attempts,
    "bytes_in": lambda line: line.bytes_in,
    "bytes_out": lambda line: line.bytes_out,
}
_COMPARED: Final[dict[str, Callable[[float, float], bool]]] = {
    ":": lambda is_, wanted: is_ == wanted,
    "=": lambda is_, wanted: is_ == wanted,
    ">=": lambda is_, wanted: is_ >= wanted,
    "<=": lambda is_, wanted: is_ <= wanted,
    ">": lambda is_, wanted: is_ > wanted,
    "<": lambda is_, wanted: is_ < wanted,
}
_NAMESPACED: Final = frozenset({"service", "route"})
FIELDS: Final = (*_TEXTS, *_NUMBERS, "flag", "namespace")


class BadFilter(ValueError):
    """Why a filter cannot be read, in words for people."""


def compile_filter(text: str) -> Holds:
    """No text lets everything through. Raises BadFilter."""
    if len(text) > MOST_LENGTH:
        raise BadFilter(f"a filter has at most {MOST_LENGTH} characters")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadFilter(f"a quote is not closed: {error}") from error
    if len(words) > MOST_TERMS:
        raise BadFilter(f"a filter has at most {MOST_TERMS} terms")
    tests = [_term(word) for word in words]
    return lambda line: all(test(line) for test in tests)


def _term(word: str) -> Holds:
    match = _TERM.match(word)
    if match is None:
        wanted = word.lower()
        return lambda line: wanted in line.path.lower() or wanted in line.authority.lower()
    minus, field, operator, value = match.groups()
    test = _test(field, operator, value)
    return (lambda line: not test(line)) if minus else test


def _test(field: str, operator: str, value: str) -> Holds:
    if field in _NUMBERS:
        number, compared = _number(field, value), _COMPARED[operator]
        read = _NUMBERS[field]
        return lambda line: compared(read(line), number)
    if field not in FIELDS:
        raise BadFilter(f"there is no field {field}{did_you_mean(field, FIELDS)}")
    if operator not in (":", "="):
        raise BadFilter(f"{field} is a text: write {field}:{value}")
    if field == "flag":
        return lambda line: bool(line.flag) if value == "any" else value.upper() in line.flag.split(",")
    if field == "namespace":
        return lambda line: value in line.namespaces
    text_of, fits = _TEXTS[field], _fitting(value)
    if field in _NAMESPACED and "/" not in value:
        return lambda line: fits(text_of(line).partition("/")[2])
    return lambda line: fits(text_of(line))


def _fitting(wanted: str) -> Callable[[str], bool]:
    """Pieces between stars, found in order: no expression that could take long."""
    if "*" not in wanted:
        return lambda text: text == wanted
    first, *between = wanted.split("*")
    last = between.pop()

    def fits(text: str) -> bool:
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in between:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return fits


def _number(field: str, value: str) -> float:
    try:
        if field == "latency":
            return float(parse_duration(value)) * 1000.0
        if field == "status" and re.fullmatch(r"[1-5]xx", value):
            raise BadFilter(f"write status>={value[0]}00 status<{int(value[0]) + 1}00")
        return float(int(value))
    except BadFilter:
        raise
    except ValueError as error:
        raise BadFilter(f"{field}: {error}") from error
