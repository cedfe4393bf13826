"""Routes of a host that uses templates, regular expressions, or paths whose case does not count.

What may hold for a path lies in several places: nodes of the tree that its segments lead to (a name stands for any
segment, so there may be more than one), the same tree in lower case, and the patterns. Each place holds its candidates
as a leaf. Which leaves a path leads to is looked for at each call, what they hold together is put in order once.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic

from gateway.exchange import Exchange
from gateway.routing.pattern_set import PatternSet
from gateway.routing.plan_type import P
from gateway.routing.table import Candidate, HostRoutes, PathNode, in_order
from meshway.model.precedence import Rank

_REMEMBERED: Final = 4096  # sets of leaves; callers choose the paths, and so how many there are


class Leaf(Generic[P]):
    """Candidates of one place, in order. is_last: whatever the patterns hold is asked after these, if at all."""

    __slots__ = ("candidates", "is_last")

    def __init__(self, candidates: Iterable[Candidate[P]], first_pattern: Rank | None) -> None:
        self.candidates = in_order(candidates)
        self.is_last = first_pattern is None or (
            bool(self.candidates) and self.candidates[-1].test is None and self.candidates[-1].rank < first_pattern
        )


class TreeNode(Generic[P]):
    """A segment. below: for paths that go on where no child follows; here: for those that end. named: any segment."""

    __slots__ = ("below", "children", "here", "named")

    def __init__(self, below: Leaf[P], here: Leaf[P]) -> None:
        self.below = below
        self.here = here
        self.children: dict[bytes, TreeNode[P]] = {}
        self.named: TreeNode[P] | None = None

    def leaves(self, path: bytes) -> list[Leaf[P]]:
        """All that the path leads to, perhaps with candidates in common."""
        node = self
        segments = iter(path.split(b"/"))
        next(segments)  # what is before the first slash
        for segment in segments:
            child, named = node.children.get(segment), node.named
            if named is None or not segment:
                if child is None:
                    return [node.below]
                node = child
            elif child is None:
                node = named
            else:
                return _leaves_of([child, named], segments)
        return [node.here]


def _leaves_of(nodes: list[TreeNode[P]], segments: Iterator[bytes]) -> list[Leaf[P]]:
    """The same from where the ways part."""
    found: list[Leaf[P]] = []
    for segment in segments:
        following: list[TreeNode[P]] = []
        for node in nodes:
            child = node.children.get(segment)
            if child is not None:
                following.append(child)
            if node.named is not None and segment:
                following.append(node.named)
            elif child is None:
                found.append(node.below)
        if not following:
            return found
        nodes = following
    return found + [node.here for node in nodes]


class FoldedPaths(Generic[P]):
    """The same for paths whose case does not count; all in lower case."""

    __slots__ = ("exact", "root")

    def __init__(self, exact: dict[bytes, Leaf[P]], root: TreeNode[P]) -> None:
        self.exact = exact
        self.root = root

    def leaves(self, path: bytes) -> list[Leaf[P]]:
        folded = path.lower()
        leaf = self.exact.get(folded)
        return self.root.leaves(folded) if leaf is None else [leaf, *self.root.leaves(folded)]


class PatternRoutes(HostRoutes[P]):
    """exact: holds all that may hold for that path, wherever it comes from. patterns, pattern_leaves: side by side."""

    __slots__ = ("_first_pattern", "_ordered", "folded", "pattern_leaves", "patterns", "tree")

    def __init__(
        self,
        exact: dict[bytes, Sequence[Candidate[P]]],
        tree: TreeNode[P],
        folded: FoldedPaths[P] | None,
        patterns: PatternSet | None,
        pattern_leaves: Sequence[Leaf[P]],
    ) -> None:
        super().__init__({}, PathNode())
        self.tree = tree
        self.folded = folded
        self.patterns = patterns
        self.pattern_leaves = tuple(pattern_leaves)
        # Of all of them once: callers choose how often leaves are put together.
        self._first_pattern: Rank | None = min((leaf.candidates[0].rank for leaf in pattern_leaves), default=None)
        self._ordered: dict[tuple[Leaf[P], ...], Leaf[P]] = {}
        for path, own in exact.items():
            elsewhere = [candidate for leaf in self._all_leaves(path) for candidate in leaf.candidates]
            self.exact[path] = in_order([*own, *elsewhere])

    def match(self, exchange: Exchange) -> P | None:
        path = exchange.path
        candidates = self.exact.get(path)
        if candidates is None:
            candidates = self._candidates(path)
        for candidate in candidates:
            test = candidate.test
            if test is None or test(exchange):
                return candidate.plan
        return None

    def candidates(self, path: bytes) -> tuple[Candidate[P], ...]:
        found = self.exact.get(path)
        return self._candidates(path) if found is None else found

    def _candidates(self, path: bytes) -> tuple[Candidate[P], ...]:
        leaves = self.tree.leaves(path)
        if self.folded is not None:
            leaves += self.folded.leaves(path)
        leaf = leaves[0] if len(leaves) == 1 else self._together(tuple(leaves))
        if self.patterns is None or leaf.is_last:
            return leaf.candidates
        places = self.patterns.match(path)
        if not places:
            return leaf.candidates
        of_patterns = self.pattern_leaves
        return self._together((*leaves, *[of_patterns[place] for place in places])).candidates

    def _together(self, leaves: tuple[Leaf[P], ...]) -> Leaf[P]:
        known = self._ordered.get(leaves)
        if known is None:
            if len(self._ordered) >= _REMEMBERED:
                self._ordered.clear()
            candidates = [candidate for leaf in leaves for candidate in leaf.candidates]
            known = self._ordered[leaves] = Leaf(candidates, self._first_pattern)
        return known

    def _all_leaves(self, path: bytes) -> list[Leaf[P]]:
        leaves = self.tree.leaves(path)
        if self.folded is not None:
            leaves += self.folded.leaves(path)
        if self.patterns is not None:
            leaves += [self.pattern_leaves[place] for place in self.patterns.match(path)]
        return leaves
