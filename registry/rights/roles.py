"""Roles, and what each may do; pure.

A right is `resource:verb`. A role is held in one namespace or in all of them (`*`); what concerns the whole mesh needs
its right in all. `gateway` is for gateways alone, and a service's own right is no role: a token that names a service
may register that service's instances and nothing else (docs/internals/rights.md).
"""

from typing import Final, Literal, get_args

Right = Literal[
    "instances:read",
    "documents:read",
    "gateways:read",
    "metrics:read",
    "logs:read",
    "insight:read",
    "alerts:read",
    "calls:explain",
    "identity:read",
    "instances:drain",
    "breakers:reset",
    "caches:purge",
    "rollouts:write",
    "alerts:silence",
    "instances:write",
    "documents:write",
    "logs:write",
    "tokens:read",
    "tokens:write",
    "bindings:read",
    "bindings:write",
    "users:read",
    "users:write",
    "identity:write",
    "backup:read",
    "audit:read",
    "feed:read",
    "reports:write",
]
Role = Literal["viewer", "operator", "editor", "namespace-admin", "admin", "gateway"]

EVERYWHERE: Final = "*"
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
ROLES: Final[tuple[Role, ...]] = get_args(Role)
# Of what programs say to each other: no browser asks for it, whatever its session may.
MACHINE_RIGHTS: Final[frozenset[Right]] = frozenset({"feed:read", "reports:write"})
# Gateways hold it by their tokens and certificates.
NOT_FOR_PEOPLE: Final[frozenset[Role]] = frozenset({"gateway"})
# Held for the whole mesh or not at all.
OF_THE_MESH: Final[frozenset[Role]] = frozenset({"admin", "gateway"})

_VIEWER: Final[frozenset[Right]] = frozenset(
    {
        "instances:read",
        "documents:read",
        "insight:read",
        "alerts:read",
        "gateways:read",
        "metrics:read",
        "logs:read",
        "calls:explain",
        "identity:read",
    }
)
_OPERATOR: Final[frozenset[Right]] = _VIEWER | {
    "instances:drain",
    "breakers:reset",
    "caches:purge",
    "alerts:silence",
    "rollouts:write",
}
_EDITOR: Final[frozenset[Right]] = _OPERATOR | {"instances:write", "documents:write", "logs:write"}
_NAMESPACE_ADMIN: Final[frozenset[Right]] = _EDITOR | {
    "tokens:read",
    "tokens:write",
    "bindings:read",
    "bindings:write",
}

RIGHTS_OF: Final[dict[Role, frozenset[Right]]] = {
    "viewer": _VIEWER,
    "operator": _OPERATOR,
    "editor": _EDITOR,
    "namespace-admin": _NAMESPACE_ADMIN,
    "admin": frozenset(RIGHTS),
    "gateway": frozenset({"feed:read", "reports:write"}),
}
