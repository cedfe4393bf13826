"""What the zone `mesh` holds: the names of services, their ports and instances, as records.

| name | types |
|---|---|
| `SERVICE.NAMESPACE.mesh` | A, AAAA, SRV of its main port |
| `_SERVICE._tcp.NAMESPACE.mesh` (RFC 2782), `_PORT._tcp.SERVICE.NAMESPACE.mesh` | SRV; PORT is a port's name |
| `ID.SERVICE.NAMESPACE.mesh` | A or AAAA of one instance, whatever its status: the target of SRV |
| `mesh`, `ns.mesh.mesh` | SOA and NS; the registry's own address |

A service's names lead to passing instances of a weight above 0 only. An instance whose address is a host name is a
CNAME at its own name; a service with none but such ones is a CNAME to one of them, chosen anew for each answer.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import msgspec

from registry.dns.message import (
    AAAA,
    ANY,
    CNAME,
    NS,
    OWNER,
    SOA,
    SRV,
    A,
    RecordSet,
    labels_of,
    record,
    record_set,
    soa_data,
    srv_data,
    wire_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry.view.rows import InstanceRow
    from registry.view.view import View

TTL_S: Final = 5
ZONE: Final = "mesh"
_APEX: Final = wire_name(ZONE)
# No service can live in the namespace `mesh`, so this name is free for ever.
_SERVER: Final = wire_name("ns.mesh.mesh")
_MAILBOX: Final = wire_name("hostmaster.mesh")
_MAIN_PORT: Final = "http"  # the main port's name until a Service document names it
_NOTHING: Final = record_set(())
# Names that answered lately; beyond it all are compiled anew, which costs a millisecond for each hundred instances.
_REMEMBERED: Final = 20_000


class Found(msgspec.Struct, frozen=True, gc=False):
    """A name that exists. records: of the type that was asked, maybe none. only_one: one of them is the answer."""

    records: RecordSet
    only_one: bool = False


class _Remembered(msgspec.Struct, frozen=True):
    namespace: str
    service: str
    epoch: str
    revision: int
    found: Found


class Zone:
    """address: where this server is reached, for its own name; None when it listens everywhere."""

    def __init__(self, view: View, address: str | None) -> None:
        self._view = view
        self._address = address
        self._remembered: dict[tuple[bytes, int], _Remembered] = {}

    def find(self, name: bytes, kind: int) -> Found | None:
        """None: no such name. name: lower case, as on the wire, within the zone (`holds`)."""
        view, known = self._view, self._remembered.get((name, kind))
        if (
            known is not None
            and known.revision == view.revision_of(known.namespace, known.service)
            and known.epoch == view.epoch
        ):
            return known.found
        return self._look(name, kind)

    def soa(self) -> bytes:
        """For answers that say what is not there."""
        return record(_APEX, SOA, TTL_S, self._soa_data())

    def _look(self, name: bytes, kind: int) -> Found | None:
        *below, _ = (label.decode("latin-1") for label in labels_of(name))
        match below:
            case []:
                return Found(self._apex(kind))
            case [namespace]:
                return _empty_if(namespace == ZONE or namespace in self._view.namespaces)
            case ["ns", "mesh"]:
                return Found(record_set(self._own_address(kind)))
            case ["_tcp", namespace]:
                return _empty_if(namespace in self._view.namespaces)
            case [service, "_tcp", namespace] if service.startswith("_"):
                return self._of_service(name, namespace, service[1:], kind, port=None, has_addresses=False)
            case [service, namespace]:
                return self._of_service(name, namespace, service, kind, port=None, has_addresses=True)
            case ["_tcp", service, namespace]:
                return _empty_if(self._is_service(namespace, service))
            case [instance, service, namespace]:
                row = self._view.instance((namespace, service, instance))
                return None if row is None else _addresses([row], kind)
            case [port, "_tcp", service, namespace] if port.startswith("_"):
                return self._of_service(name, namespace, service, kind, port=port[1:], has_addresses=False)
        return None

    def _of_service(
        self, name: bytes, namespace: str, service: str, kind: int, *, port: str | None, has_addresses: bool
    ) -> Found | None:
        """port None: the main one."""
        if not self._is_service(namespace, service):
            return None
        main = self._main_port(namespace, service)
        rows = [row for row in self._view.services.get((namespace, service), {}).values() if _is_called(row)]
        found = _addresses(rows, kind) if has_addresses else Found(_NOTHING)
        if kind in (SRV, ANY) and not found.only_one and not found.records.records:
            wanted = main if port is None else port
            found = Found(record_set(_services(rows, wanted, is_main=wanted == main)))
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        view = self._view
        revision = view.revision_of(namespace, service)
        self._remembered[(name, kind)] = _Remembered(namespace, service, view.epoch, revision, found)
        return found

    def _is_service(self, namespace: str, service: str) -> bool:
        view = self._view
        return (namespace, service) in view.services or view.document(("Service", namespace, service)) is not None

    def _main_port(self, namespace: str, service: str) -> str:
        """As gateways name it: the first of the Service document's ports."""
        row = self._view.document(("Service", namespace, service))
        ports = getattr(row.spec, "ports", ()) if row is not None else ()
        return ports[0].name if ports else _MAIN_PORT

    def _apex(self, kind: int) -> RecordSet:
        if kind in (SOA, ANY):
            return record_set([(record(OWNER, SOA, TTL_S, self._soa_data()), b"")])
        if kind == NS:
            extras = [extra for extra, _ in self._own_address(ANY, _SERVER)]
            return record_set([(record(OWNER, NS, TTL_S, _SERVER), b"".join(extras))])
        return _NOTHING

    def _own_address(self, kind: int, owner: bytes = OWNER) -> Iterator[tuple[bytes, bytes]]:
        if self._address is not None:
            own, data = _address_data(self._address)
            if kind in (own, ANY):
                yield record(owner, own, TTL_S, data), b""

    def _soa_data(self) -> bytes:
        return soa_data(_SERVER, _MAILBOX, self._view.revision, negative_ttl_s=TTL_S)


def holds(name: bytes) -> bool:
    """Whether a name on the wire, in lower case, is in the zone."""
    if not name.endswith(_APEX):
        return False
    # `xmesh` ends so too, when its length happens to be the last byte before: only labels tell.
    return labels_of(name)[-1:] == [ZONE.encode()]


def _empty_if(exists: bool) -> Found | None:
    return Found(_NOTHING) if exists else None


def _is_called(row: InstanceRow) -> bool:
    return row.instance.status == "passing" and row.instance.weight > 0


def _addresses(rows: Iterable[InstanceRow], kind: int) -> Found:
    """A and AAAA; where there are host names alone, a CNAME, which answers every type."""
    wholes: dict[int, dict[bytes, None]] = {A: {}, AAAA: {}, CNAME: {}}
    for row in rows:
        own, data = _address_data(row.instance.address)
        wholes[own][record(OWNER, own, TTL_S, data)] = None
    has_addresses = bool(wholes[A] or wholes[AAAA])
    if wholes[CNAME] and not has_addresses:
        return Found(record_set((whole, b"") for whole in wholes[CNAME]), only_one=True)
    if kind == ANY:  # one set of them is enough, RFC 8482 §4.1
        kind = A if wholes[A] else AAAA
    return Found(record_set((whole, b"") for whole in wholes[kind])) if kind in (A, AAAA) else Found(_NOTHING)


def _services(rows: Iterable[InstanceRow], port: str, *, is_main: bool) -> Iterator[tuple[bytes, bytes]]:
    """SRV with the target's address. A host name is its own target, and not ours to answer for."""
    for row in rows:
        instance = row.instance
        number = instance.ports.get(port, instance.port if is_main else None)
        if number is None:
            continue
        kind, data = _address_data(instance.address)
        if kind == CNAME:
            yield record(OWNER, SRV, TTL_S, srv_data(instance.weight, number, data)), b""
            continue
        target = wire_name(f"{instance.id}.{instance.service}.{instance.namespace}.{ZONE}")
        extra = record(target, kind, TTL_S, data)
        yield record(OWNER, SRV, TTL_S, srv_data(instance.weight, number, target)), extra


def _address_data(address: str) -> tuple[int, bytes]:
    """The type that carries an address, and its data."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return CNAME, wire_name(address)
    return (A if ip.version == 4 else AAAA), ip.packed
