"""YAML nodes to plain values, with the place of every field.

Scalars follow YAML 1.2's core schema, since under PyYAML's 1.1 the key `on` would be true, `no` false, `1:30`
ninety and `2026-11-24` a date. Source: yaml.org/spec/1.2.2 §10.3.2.
"""

import re
from typing import Any, Final, NamedTuple

import yaml

from meshway.model.rule_kit import member_path

MAX_ALIASED_NODES: Final = 100
MAX_DEPTH: Final = 64
_INT: Final = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_TAG: Final = "tag:yaml.org,2002:"
_SCALAR_TAGS: Final = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value"))
_BLOCK_TAGS: Final = frozenset({_TAG + "seq", _TAG + "map"})
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Place(NamedTuple):
    """1-based."""

    line: int
    column: int


class UnreadableYaml(Exception):
    """A text that is no plain data, and where."""

    def __init__(self, place: Place, code: str, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.code = code


class NodeReader:
    """Reads one document's nodes; `places` maps the path of a field to its name's place, of an entry to its start."""

    __slots__ = ("_aliased", "_seen", "places")

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._seen: set[int] = set()
        self._aliased = 0

    def read(self, node: yaml.Node, path: str = "", depth: int = 0) -> Any:
        """Plain values. Raises UnreadableYaml for foreign tags, double names, deep nests and too many aliases."""
        place = place_of(node)
        self.places.setdefault(path, place)
        if depth > MAX_DEPTH:
            raise UnreadableYaml(place, "too_large", f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in self._seen:
            self._aliased += 1
            if self._aliased > MAX_ALIASED_NODES:
                raise UnreadableYaml(place, "too_large", f"aliases repeat more than {MAX_ALIASED_NODES} nodes")
        self._seen.add(id(node))
        if node.tag not in _BLOCK_TAGS:
            raise UnreadableYaml(place, "unsupported", f"the tag {node.tag} is not read")
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(node.value)]
        return self._mapping(node, path, depth)

    def _mapping(self, node: yaml.Node, path: str, depth: int) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key_node, member in node.value:
            place = place_of(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise UnreadableYaml(place, "wrong_type", "a field's name is text")
            key = str(key_node.value)
            if key_node.tag == _TAG + "merge":
                raise UnreadableYaml(place, "unsupported", "merge keys (<<) are not read: write the fields out")
            if key in read:
                raise UnreadableYaml(place, "duplicate", f"{key} is written twice in this block")
            inner = member_path(path, key) if path else key
            self.places[inner] = place
            read[key] = self.read(member, inner, depth + 1)
        return read


def place_of(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.tag not in _SCALAR_TAGS:
        raise UnreadableYaml(place_of(node), "unsupported", f"the tag {node.tag} is not read")
    if node.style or node.tag == _TAG + "str":
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text) if len(text) <= 20 else float(text)
    return float(text) if _FLOAT.match(text) else text
