"""What an agent says of itself, for clients that ask before they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry.compat.consul.queries import ConsulQuery
from registry.compat.consul.showing import DATACENTER, node_of
from registry.machine.request import Reply, Request, json_reply

if TYPE_CHECKING:
    from registry.compat.consul.parts import ConsulParts

# The newest release whose discovery calls are answered as it answers them; clients compare it.
VERSION: Final = "1.15.0"
NODE: Final = "meshway"
_SERF_PORT: Final = 8301
_ALIVE: Final = 1


class About:
    """Where the registry is, is what the caller calls it: no address of its own is better known to it."""

    __slots__ = ("_parts",)

    def __init__(self, parts: ConsulParts) -> None:
        self._parts = parts

    def self(self, request: Request) -> Reply:
        ConsulQuery(request.query)
        node_id = node_of(NODE).id
        return json_reply(
            {
                "Config": {
                    "Datacenter": DATACENTER,
                    "PrimaryDatacenter": DATACENTER,
                    "NodeName": NODE,
                    "NodeID": node_id,
                    "Revision": "meshway",
                    "Server": True,
                    "Version": VERSION,
                },
                "DebugConfig": {"Datacenter": DATACENTER, "NodeName": NODE, "ServerMode": True},
                "Coord": None,
                "Member": _member(request),
                "Stats": {"agent": {"services": str(len(self._parts.view.services))}},
                "Meta": {},
            }
        )

    def members(self, request: Request) -> Reply:
        ConsulQuery(request.query)
        return json_reply([_member(request)])

    def leader(self, request: Request) -> Reply:
        ConsulQuery(request.query)
        return json_reply(_address(request))

    def peers(self, request: Request) -> Reply:
        ConsulQuery(request.query)
        return json_reply([_address(request)])


def _member(request: Request) -> dict[str, Any]:
    return {
        "Name": NODE,
        "Addr": _address(request).rpartition(":")[0].strip("[]"),
        "Port": _SERF_PORT,
        "Tags": {"dc": DATACENTER, "role": "consul", "build": VERSION, "id": node_of(NODE).id},
        "Status": _ALIVE,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


def _address(request: Request) -> str:
    """host:port."""
    authority = request.head.authority.decode("latin-1") or "127.0.0.1"
    has_port = ":" in authority.rpartition("]")[2]
    return authority if has_port else f"{authority}:80"
