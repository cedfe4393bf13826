"""Bodies that are nearly right: a sound one with some of its values exchanged, taken out, doubled or cut."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1001, 65_535, 65_536, 2**31, 2**63, 2**64, 1e400, -0.0, 1.5, 1e-9, float("nan"),
    "", " ", "0", "-1", "null", "10s", "a" * 64, "a" * 5000, "UPPER", "-dash", "dot.dot", "..", "/", "\x00", "é", "💥",
    "\ud800", "true", "mesh", "passing", "127.0.0.1", "::1", "300.1.1.1", [], {}, [None], [[]], {"": ""}, {"a": None},
    {"a": {"b": {"c": []}}}, [0] * 70, {str(at): "x" for at in range(70)},
)  # fmt: skip


def nearly_right(chance: random.Random, sound: Any) -> bytes:
    """One to three changes, seldom also of the bytes."""
    value = copy.deepcopy(sound)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = _changed(chance, value)
    body = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return _harmed(chance, body) if chance.random() < 0.1 else body


def _changed(chance: random.Random, value: Any) -> Any:
    places = list(_places(value))
    if not places:
        return _junk(chance)
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0 | 1:
            holder[key] = _junk(chance)
        case 2:
            del holder[key]
        case 3 if isinstance(holder, dict):
            name = chance.choice(("unknown", key + "x", key.upper(), ""))
            holder[name] = copy.deepcopy(holder[key]) if chance.random() < 0.3 else _junk(chance)
        case 3 | 4 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case _:
            holder[key] = [holder[key]] if chance.random() < 0.5 else {"value": holder[key]}
    return value


def _junk(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(JUNK))


def _places(value: Any) -> Any:
    """Every (holder, key) in the tree."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield value, key
            yield from _places(value[key])


def _harmed(chance: random.Random, body: bytes) -> bytes:
    at = chance.randrange(len(body) + 1)
    return chance.choice(
        (body[:at], body + body, body[:at] + bytes([chance.randrange(256)]) + body[at:], body[:at] + body[at + 1 :])
    )
