"""What rules on a document's blocks are made of (`rules.py` holds the table)."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from meshway.units import Duration

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


class Finding(NamedTuple):
    """at: the path below the block, `.hosts[1]`; empty for the block itself."""

    at: str
    code: str
    reason: str


class BlockRule(NamedTuple):
    """needs: the fields `check` reads; it is called with an object that has at least these.

    whole: only for blocks without unknown fields, since one of them may be what the rule would miss.
    """

    needs: tuple[str, ...]
    check: Callable[[Any], Iterable[Finding]]
    whole: bool = False


def one_of(*names: str) -> BlockRule:
    """Exactly one of the fields is written."""

    def check(part: Any) -> Iterator[Finding]:
        written = [name for name in names if getattr(part, name) not in (None, False, (), {})]
        if len(written) != 1:
            found = f"has {' and '.join(written)}" if written else "has none"
            yield Finding("", "forbidden_combination", f"needs exactly one of {', '.join(names)}; {found}")

    return BlockRule(names, check, whole=True)


def at_most(low: str, high: str, *, equal: bool, low_default: float, high_default: float) -> BlockRule:
    """`low` stays below `high`, either of them perhaps left to its default (seconds)."""

    def check(part: Any) -> Iterator[Finding]:
        less, more = getattr(part, low), getattr(part, high)
        if less is None and more is None:
            return
        less = low_default if less is None else less
        more = high_default if more is None else more
        if less > more or (less == more and not equal):
            word = "at most" if equal else "below"
            yield Finding(
                f".{low}",
                "forbidden_combination",
                f"{Duration(less)} must be {word} {high}, which is {Duration(more)}",
            )

    return BlockRule((low, high), check)


def bounded(name: str, low: float, high: float, *, zero: bool) -> BlockRule:
    """A Duration or Size between low and high; zero: 0 is allowed besides, it stands for none."""

    def check(part: Any) -> Iterator[Finding]:
        value = getattr(part, name)
        if value is None or low <= value <= high or (zero and value == 0):
            return
        unit = type(value)
        none = f" (or {unit(0)}: none)" if zero else ""
        yield Finding(f".{name}", "out_of_bounds", f"{value} is outside {unit(low)} to {unit(high)}{none}")

    return BlockRule((name,), check)


def member_path(path: str, key: str) -> str:
    """`spec.labels.team`, `spec.labels["a.example/team"]`."""
    return f"{path}.{key}" if _PLAIN_KEY.match(key) else f'{path}["{key}"]'


def unique(names: Iterable[str | None], at: Callable[[int], str], what: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name is None:
            continue
        if name in seen:
            yield Finding(at(index), "duplicate", f'{what} "{name}" is there already, entry {seen[name]}')
        seen.setdefault(name, index)
