"""Who calls, proved: the one place where a Principal is made."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """The caller of a request, proved.

    name: `anonymous`, `loopback`; by a token `ISSUER#SUBJECT` (an issuer has no `#`, so no two callers share a name);
    by an API key the consumer's `namespace/name`. namespace, service: of a workload; service "" = the caller is none.
    consumer: `namespace/name` of the Consumer it was found to be, "" = none; groups: that one's. claims: of its token.
    method: how it was proved (`jwt`, `api_key`), "" = not at all. policy: by whose word (`Authentication shop/people`).
    """

    name: str
    namespace: str = "default"
    service: str = ""
    consumer: str = ""
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = msgspec.field(default_factory=dict)
    method: str = ""
    policy: str = ""


ANONYMOUS = Principal("anonymous")
LOOPBACK = Principal("loopback")


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this name, or the member that a path of names with dots leads to; None: there is none.

    A whole name wins over a path, since names may hold dots (`https://id.example/roles`).
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def claim_texts(value: object) -> tuple[str, ...]:
    """What may be compared of a claim: a text, a whole number, true or false as JSON writes them; of a list each of its
    members that is one of these. Anything else has none."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, list | tuple):
        return tuple(text for member in value if not isinstance(member, list | tuple) for text in claim_texts(member))
    return ()
