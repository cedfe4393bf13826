"""Bodies that are nearly right: what a careless client, or a hostile one, could send."""

from __future__ import annotations

import json
import random
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 63, 1e308, "", " ", "0", "\x00", "ä€😀", "x" * 5000, [], {}, [[]], {"$": {}},
    {"@class": "x"}, {"": ""}, [1, "a"],
)  # fmt: skip


def noisy_json(chance: random.Random, document: Any) -> bytes:
    """The document with a few members changed, taken out or put in; one in ten is no JSON any more."""
    noisy = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 3)):
        noisy = _changed(chance, noisy)
    body = json.dumps(noisy).encode()
    if chance.random() < 0.1:
        at = chance.randrange(len(body) + 1)
        body = body[:at] + chance.randbytes(3) + body[at + 1 :]
    return body


def noisy_value(chance: random.Random) -> Any:
    return chance.choice(_VALUES)


def _changed(chance: random.Random, node: Any) -> Any:
    if isinstance(node, dict) and node and chance.random() < 0.9:
        key = chance.choice(sorted(node))
        what = chance.random()
        if what < 0.15:
            return {name: part for name, part in node.items() if name != key}
        if what < 0.25:
            return {**node, chance.choice(["extra", "", "@x", "eureka.status", key.upper()]): noisy_value(chance)}
        return {**node, key: _changed(chance, node[key])}
    return noisy_value(chance)
