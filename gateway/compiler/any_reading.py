"""Paths of policies by any reading of a call's, so that nobody gets past one by how a path is spelled."""

from collections.abc import Sequence

import msgspec

from gateway.access.readings import MOST_READ, Readings, folded, is_plain
from gateway.compiler.combined import any_of, anybody, both
from gateway.compiler.matches import ReadMatch, read_match
from gateway.exchange import Exchange
from gateway.plan import Parts
from gateway.routing.path_match import compile_path
from gateway.routing.predicates import Test
from meshway.model.match import Match, PathMatch
from meshway.model.path_template import parse_template


def fits_any(matches: Sequence[Match], at: str, parts: Parts, readings: Readings) -> Test | None:
    """Whether a call fits one of them by any reading of its path, so that nobody gets past by how it is spelled; None:
    every call does. Raises CompileError."""
    tests = [_fits(read_match(match, f"{at}[{index}]", parts), readings) for index, match in enumerate(matches)]
    return any_of(tests) if tests else None


def _fits(read: ReadMatch, readings: Readings) -> Test:
    as_written = compile_path(read.path)
    by_others = [fits for path in as_read_by_anybody(read.path) if (fits := compile_path(path)) is not None]
    if as_written is None:
        return read.test or anybody

    def fits_path(exchange: Exchange) -> bool:
        path = exchange.path
        if as_written(path):
            return True
        if is_plain(path):
            return any(fits(path) for fits in by_others)
        return len(path) > MOST_READ or any(fits(each) for each in readings.of(path) for fits in by_others)

    whole = both(fits_path, read.test)
    assert whole is not None
    return whole


def as_read_by_anybody(path: PathMatch) -> tuple[PathMatch, ...]:
    """path: canonical. Folded, as `gateway/access/readings.py` spells paths."""
    if path.regex is not None:
        return (path, msgspec.structs.replace(path, ignore_case=True))
    plain = msgspec.structs.replace(path, ignore_case=False)
    if path.template is not None:
        words = []
        for segment in parse_template(path.template):
            if segment.literal is not None:
                words.append(folded(f"/{segment.literal}"))
            else:
                words.append(f"/{{{segment.name}=**}}" if segment.is_rest else f"/{{{segment.name}}}")
        return (msgspec.structs.replace(plain, template="".join(words)),)
    text = {name: getattr(path, name) for name in ("exact", "prefix", "string_prefix")}
    return (msgspec.structs.replace(plain, **{name: folded(one) for name, one in text.items() if one is not None}),)
