"""From a Match to where it is placed, what it asks for, and when: the canonical path, one test, the rank."""

from collections.abc import Sequence
from typing import Generic, NamedTuple

import msgspec

from gateway.compiler.diff import CompileError
from gateway.exchange import Exchange
from gateway.plan import Parts
from gateway.routing.path import PathError, canonical, escaped
from gateway.routing.path_match import compile_path
from gateway.routing.pattern_set import Pattern, PatternSet
from gateway.routing.plan_type import P
from gateway.routing.predicates import Test, compile_predicates
from gateway.routing.table import Candidate
from meshway.model.match import Match, PathMatch
from meshway.model.path_template import Segment, parse_template
from meshway.model.precedence import MatchRank, match_rank
from meshway.model.regex import compile_regex


class Placed(NamedTuple, Generic[P]):
    """Where a candidate lies. path: canonical, as ASCII; a prefix without its trailing slash, "" for `/`.

    rule, match: by which of the Route's rules, and of the rule's matches, it is there.
    """

    path: PathMatch
    candidate: Candidate[P]
    rule: int = 0
    match: int = 0


class ReadMatch(NamedTuple):
    """path, rank: as in Placed and Candidate. test: what is asked beside the path, None = nothing."""

    path: PathMatch
    rank: MatchRank
    test: Test | None


def read_match(match: Match, at: str, parts: Parts) -> ReadMatch:
    """at: the match's place in its document. Raises CompileError."""
    path = _read_path(match.path or PathMatch(prefix="/"), f"{at}.path")
    rank = match_rank(msgspec.structs.replace(match, path=path))
    return ReadMatch(path, rank, compile_predicates(match, parts.fields))


def compile_any(matches: Sequence[Match], at: str, parts: Parts) -> Test | None:
    """One test that holds where any of the matches does, path and all; None: it holds for every call.

    at: their place in the document. Raises CompileError.
    """
    tests = [whole_test(read_match(match, f"{at}[{index}]", parts)) for index, match in enumerate(matches)]
    if not tests or None in tests:
        return None
    if len(tests) == 1:
        return tests[0]
    asked = [test for test in tests if test is not None]
    return lambda exchange: any(test(exchange) for test in asked)


def whole_test(read: ReadMatch) -> Test | None:
    """Path and all; None: it holds for every call."""
    fits, test = compile_path(read.path), read.test
    if fits is None:
        return test
    if test is None:
        return lambda exchange: fits(exchange.path)

    def holds(exchange: Exchange) -> bool:
        return fits(exchange.path) and test(exchange)

    return holds


def _read_path(path: PathMatch, at: str) -> PathMatch:
    try:
        if path.exact is not None:
            return msgspec.structs.replace(path, exact=_plain(path.exact))
        if path.prefix is not None:
            return msgspec.structs.replace(path, prefix=_plain(path.prefix).rstrip("/"))
        if path.template is not None:
            return msgspec.structs.replace(path, template=_plain_template(parse_template(path.template)))
        if path.string_prefix is not None:
            return msgspec.structs.replace(path, string_prefix=_plain(path.string_prefix))
        if path.regex is not None:
            compile_regex(path.regex)
            PatternSet([Pattern(path.regex, path.ignore_case)])
        return path
    except PathError as error:
        raise CompileError(at, error.detail) from error
    except ValueError as error:
        raise CompileError(at, str(error)) from error


def _plain(text: str) -> str:
    path, query = canonical(escaped(text))
    if query:
        raise PathError("a path holds no query")
    return path.decode("ascii")


def _plain_template(segments: tuple[Segment, ...]) -> str:
    written = []
    for segment in segments:
        if segment.literal is not None:
            written.append(_plain(f"/{segment.literal}"))
        else:
            written.append(f"/{{{segment.name}=**}}" if segment.is_rest else f"/{{{segment.name}}}")
    return "".join(written)
