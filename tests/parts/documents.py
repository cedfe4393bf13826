"""Generated documents of all kinds: every field of the model, in every combination its rules allow."""

import re
from functools import cache
from typing import Any, Final

from hypothesis import reject
from hypothesis import strategies as st
from msgspec import inspect

from meshway.model.decode import decode_document
from meshway.model.fields import struct_type
from meshway.model.kinds import KINDS
from meshway.model.listener import LISTENERS
from meshway.problem import Problem
from meshway.units import Duration, Rate, Size
from tests.parts.grpc_shop import descriptor_set, in_base64

Written = dict[str, Any]
_REPAIRS: Final = 12
_UNITS: Final = {
    Duration: st.sampled_from(["0s", "1ms", "250ms", "1.5s", "90s", "1m30s", "2h", "60m", "0.123456789s", "1001ms"]),
    Rate: st.sampled_from(["100/s", "1000/m", "10/h", "0.5/s", "60/m", "0.00001/s", "0.1/m", "7.25/h"]),
    Size: st.sampled_from([0, 1, 1024, "64KiB", "1MiB", "1024B", "100"]),
}
_LABELS: Final = st.sampled_from(["a", "cart", "v1", "reviews-2", "on", "null", "1", "0x1f"])
_VALUES: Final = st.sampled_from(["x", "1.0", "on", "~", "é", "a: b", "# x", " x ", "line\nline", "'\"", "2026-11-24"])
# What a text may say is held by rules on its block, which its type does not show.
_TEXTS: Final = {
    "hosts": st.sampled_from(["shop.example", "cart", "cart.shop", "a.b.c"]),
    "aliases": st.sampled_from(["shop.example", "cart", "a.b.c"]),
    "id": st.sampled_from(["abcdefgh", "A-_45678"]),
    "hash": st.sampled_from(["sha256:" + "0" * 64, "sha256:" + "af" * 32]),
    "methods": st.sampled_from(["GET", "POST", "PROPFIND"]),
    "key": st.sampled_from(["source_ip", "service", "header.x-key", "query.q", "constant"]),
    "expect": st.sampled_from(["200", "200-299", "404"]),
    "path": st.sampled_from(["/", "/health", "/a/b?x=1"]),
    "exact": st.sampled_from(["/", "/a", "/a/b%20c"]),
    "prefix": st.sampled_from(["/", "/a", "/a/b"]),
    "full": st.sampled_from(["/", "/a"]),
    "host": st.sampled_from(["shop.example", "a.b"]),
    "address": st.sampled_from(["10.0.0.7", "legacy.example", "::1"]),
    "remove": st.sampled_from(["x-debug", "X-From"]),
    "issuer": st.sampled_from(["https://id.example", "https://other.example/a"]),
    "jwks_uri": st.sampled_from(["https://id.example/jwks", "http://127.0.0.1:9000/keys?v=1"]),
}
# Blocks that another standard describes. RFC 7515 §A.3.1's key.
_FOREIGN: Final[dict[str, st.SearchStrategy[Any]]] = {
    "data": st.none(),
    "jwks": st.builds(
        lambda: {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }
            ]
        }
    ),
}
_SECRETS: Final[dict[str, Any]] = {
    "opaque": {"a": "b", "c": "d: e"},
    "api_key_set": [{"id": "abcdefgh", "hash": "sha256:" + "0" * 64, "expires": "2030-01-01"}],
    "basic_users": [{"username": "ada", "password": "on"}],
    "hmac_keys": [{"key_id": "a", "secret": "A" * 43 + "="}],
    "jwks": {"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "A" * 43}]},
}
_NAMES: Final = st.sampled_from(["x-a", "x-b", "team", "Accept"])


@cache  # what is drawn from is looked through once, not at each draw
def documents(kind: str) -> st.SearchStrategy[Written]:
    """Sound documents as a person may write them, in no canonical form."""
    of_mesh = kind in ("MeshSettings", "Namespace", "Listener")
    names = {"MeshSettings": st.just("mesh"), "Listener": st.sampled_from(LISTENERS)}
    metadata = st.fixed_dictionaries(
        {
            "name": names.get(kind, _LABELS),
            "namespace": st.just("mesh") if of_mesh else st.sampled_from(["default", "shop"]),
        },
        optional={
            "labels": st.dictionaries(_NAMES, st.sampled_from(["x", "1", ""]), max_size=2),
            "annotations": st.dictionaries(_NAMES, _VALUES, max_size=2),
        },
    )
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just("meshway/v1"),
            "kind": st.just(kind),
            "metadata": metadata,
            "spec": _OWN.get(kind, _block)(KINDS[kind]),
        }
    ).map(_repaired)


def _secret(of: type) -> st.SearchStrategy[Written]:
    """What a Secret's data may be depends on its type."""
    return st.tuples(_block(of), st.sampled_from(sorted(_SECRETS))).map(
        lambda drawn: drawn[0] | {"type": drawn[1], "data": _SECRETS[drawn[1]], "keep": False, "versions": []}
    )


def _descriptors(of: type) -> st.SearchStrategy[Written]:
    return st.just({"data": in_base64(descriptor_set())})


def _rollout(of: type) -> st.SearchStrategy[Written]:
    """Its weights grow, and its versions differ."""
    weights = st.lists(st.sampled_from([0.01, 0.5, 1, 12.25, 50, 99.99]), min_size=1, max_size=3, unique=True)
    steps = weights.map(lambda drawn: [{"weight_percent": weight, "hold": "1m30s"} for weight in sorted(drawn)])
    judge = st.fixed_dictionaries({}, optional={"minimum_requests": st.integers(1, 1000)})
    return st.tuples(_block(of), steps, judge).map(
        lambda drawn: drawn[0] | {"steps": drawn[1], "judge": drawn[2], "canary": {"service": "of-its-own"}}
    )


def _block(of: type) -> st.SearchStrategy[Written]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in struct_type(of).fields:
        kept = required if field.required else optional
        kept[field.encode_name] = _value(field.type, field.encode_name)
    return st.fixed_dictionaries(required, optional=optional)


def _value(kind: inspect.Type, name: str) -> st.SearchStrategy[Any]:
    if name in _FOREIGN:
        return _FOREIGN[name]
    match kind:
        case inspect.Metadata():
            return _value(kind.type, name)
        case inspect.UnionType():
            return st.one_of(
                *(_value(one, name) if not isinstance(one, inspect.NoneType) else st.none() for one in kind.types)
            )
        case inspect.StructType():
            return _block(kind.cls)
        case inspect.CustomType():
            return _UNITS[kind.cls]
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.StrType():
            return _TEXTS.get(name, _LABELS if kind.pattern else _VALUES)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType() | inspect.FloatType():
            low, high = kind.ge or 0, 1000 if kind.le is None else kind.le
            whole = st.integers(int(low), int(high))
            return whole if isinstance(kind, inspect.IntType) else whole | st.sampled_from([low + 0.5, high - 0.25])
        case inspect.VarTupleType():
            return st.lists(_value(kind.item_type, name), min_size=kind.min_length or 0, max_size=2)
        case inspect.DictType():
            return st.dictionaries(_NAMES, _VALUES.filter(lambda text: "\n" not in text), max_size=2)
    raise AssertionError(f"{name}: no strategy for {kind}")


def _repaired(document: Written) -> Written:
    """Takes out what the rules refuse, block by block, until the document is sound."""
    for _ in range(_REPAIRS):
        try:
            decode_document(document)
        except Problem as problem:
            for error in reversed(problem.errors):  # entries of a list from behind, so that places stay true
                _take_out(document, error.path)
        else:
            return document
    return reject()


def _take_out(document: Written, path: str) -> None:
    """path: as errors name it, `spec.rules[0].retry`; what is not there any more is as good as taken out."""
    *before, last = [int(step[:-1]) if step.endswith("]") else step for step in re.split(r"\.|\[", path)]
    at: Any = document
    try:
        for step in before:
            at = at[step]
        del at[last]
    except (IndexError, KeyError, TypeError):
        return


def _receiver(of: type) -> st.SearchStrategy[Written]:
    """It has exactly one target."""
    targets: dict[str, Written] = {
        "apprise": {"url": "cart"},
        "webhook": {"url": "https://hook.example/a", "sign": "cart"},
        "alertmanager": {"url": "http://127.0.0.1:9093"},
    }
    return st.tuples(_block(of), st.sampled_from(sorted(targets))).map(
        lambda drawn: (
            {name: value for name, value in drawn[0].items() if name not in targets} | {drawn[1]: targets[drawn[1]]}
        )
    )


def _alert(of: type) -> st.SearchStrategy[Written]:
    queries = st.sampled_from(["service=cart error_ratio > 2 % over 2m", "service=* p99 / p50 > 10 for 2h"])
    return st.tuples(_block(of), queries).map(lambda drawn: drawn[0] | {"query": drawn[1]})


def _objective(of: type) -> st.SearchStrategy[Written]:
    """Its target and its indicator are one of two each."""
    targets = st.sampled_from([{"service": "cart"}, {"route": "cart", "rule": "a"}])
    indicators = st.sampled_from([{"availability": {"bad": ["5xx", "UF"]}}, {"latency": {"under": "300ms"}}])
    return st.tuples(_block(of), targets, indicators).map(
        lambda drawn: drawn[0] | {"target": drawn[1], "indicator": drawn[2]}
    )


_OWN: Final = {
    "DescriptorSet": _descriptors,
    "Secret": _secret,
    "Rollout": _rollout,
    "Receiver": _receiver,
    "Alert": _alert,
    "Objective": _objective,
}
