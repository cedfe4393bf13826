"""From the candidates of one host to its table: the plain one where exact paths and prefixes are all there is."""

from collections.abc import Iterable
from typing import Final, Generic

from gateway.compiler.matches import Placed
from gateway.routing.pattern_routes import FoldedPaths, Leaf, PatternRoutes, TreeNode
from gateway.routing.pattern_set import Pattern, PatternSet
from gateway.routing.plan_type import P
from gateway.routing.table import Candidate, HostRoutes, PathNode, in_order
from meshway.model.match import PathMatch
from meshway.model.path_template import parse_template
from meshway.model.precedence import Rank

_ANY: Final = b"{"  # the child for any segment; in no canonical path


class _Draft(Generic[P]):
    """A node while the tree is built. prefixes, ending: prefixes and templates that end here; rests: that go on."""

    __slots__ = ("children", "ending", "prefixes", "rests")

    def __init__(self) -> None:
        self.children: dict[bytes, _Draft[P]] = {}
        self.prefixes: list[Candidate[P]] = []
        self.ending: list[Candidate[P]] = []
        self.rests: list[Candidate[P]] = []

    def below(self, segments: Iterable[bytes]) -> "_Draft[P]":
        draft = self
        for segment in segments:
            draft = draft.children.setdefault(segment, _Draft())
        return draft


class _Paths(Generic[P]):
    """What is placed by its path's letters: once as they are, once folded to lower case."""

    __slots__ = ("exact", "root")

    def __init__(self) -> None:
        self.exact: dict[bytes, list[Candidate[P]]] = {}
        self.root: _Draft[P] = _Draft()

    def place(self, path: PathMatch, candidate: Candidate[P]) -> None:
        if path.exact is not None:
            self.exact.setdefault(_letters(path.exact, path), []).append(candidate)
        elif path.template is not None:
            *segments, last = parse_template(path.template)
            draft = self.root.below(
                _letters(one.literal, path) if one.literal is not None else _ANY for one in segments
            )
            if last.is_rest:
                draft.rests.append(candidate)
            else:
                word = _letters(last.literal, path) if last.literal is not None else _ANY
                draft.below([word]).ending.append(candidate)
        else:
            assert path.prefix is not None
            self.root.below(_letters(path.prefix, path).split(b"/")[1:]).prefixes.append(candidate)


def build_host(placed: Iterable[Placed[P]]) -> HostRoutes[P]:
    """All candidates of one host, whatever Route they come from. Raises ValueError, as PatternSet."""
    plain: _Paths[P] = _Paths()
    folded: _Paths[P] = _Paths()
    patterns: dict[Pattern, list[Candidate[P]]] = {}
    uses_templates = uses_folding = False
    for path, candidate, *_ in placed:
        if path.regex is not None:
            patterns.setdefault(Pattern(path.regex, path.ignore_case), []).append(candidate)
        elif path.string_prefix is not None:
            patterns.setdefault(Pattern(path.string_prefix, path.ignore_case, True), []).append(candidate)
        elif path.ignore_case:
            folded.place(path, candidate)
            uses_folding = True
        else:
            plain.place(path, candidate)
            uses_templates = uses_templates or path.template is not None
    if not patterns and not uses_folding and not uses_templates:
        return _plain_routes(plain)
    ranks = [candidate.rank for candidates in patterns.values() for candidate in candidates]
    first_pattern = min(ranks, default=None)
    folded_paths = None
    if uses_folding:
        exact = {path: Leaf(own, first_pattern) for path, own in folded.exact.items()}
        folded_paths = FoldedPaths(exact, _tree(folded.root, first_pattern))
    return PatternRoutes(
        {path: tuple(own) for path, own in plain.exact.items()},
        _tree(plain.root, first_pattern),
        folded_paths,
        PatternSet(list(patterns)) if patterns else None,
        [Leaf(candidates, first_pattern) for candidates in patterns.values()],
    )


def _letters(text: str, path: PathMatch) -> bytes:
    return text.lower().encode() if path.ignore_case else text.encode()


def _plain_routes(paths: _Paths[P]) -> HostRoutes[P]:
    root: PathNode[P] = PathNode()
    waiting: list[tuple[_Draft[P], PathNode[P], list[Candidate[P]]]] = [(paths.root, root, [])]
    while waiting:
        source, node, inherited = waiting.pop()
        covering = inherited + source.prefixes
        node.candidates = in_order(covering)
        for segment, child in source.children.items():
            node.children[segment] = PathNode()
            waiting.append((child, node.children[segment], covering))
    exact = {path: in_order(own + _covering(paths.root, path)) for path, own in paths.exact.items()}
    return HostRoutes(exact, root)


def _covering(draft: _Draft[P], path: bytes) -> list[Candidate[P]]:
    found = list(draft.prefixes)
    for segment in path.split(b"/")[1:]:
        below = draft.children.get(segment)
        if below is None:
            break
        draft = below
        found += draft.prefixes
    return found


def _tree(source: _Draft[P], first_pattern: Rank | None, inherited: tuple[Candidate[P], ...] = ()) -> TreeNode[P]:
    """inherited: candidates of nodes above that hold for whatever follows."""
    covering = (*inherited, *source.prefixes)
    beyond = (*covering, *source.rests)
    node = TreeNode(Leaf(beyond, first_pattern), Leaf((*covering, *source.ending), first_pattern))
    for segment, child in source.children.items():
        below = _tree(child, first_pattern, beyond)
        if segment == _ANY:
            node.named = below
        else:
            node.children[segment] = below
    return node
