"""What the upstream is told of the way here: Via, X-Forwarded-*, X-Real-IP, Forwarded.

From outside these are claims, so they are overwritten; only when the peer is a trusted proxy are they taken over and
appended to. Sources: RFC 7239, RFC 9110 §7.6.3.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from gateway.exchange import Exchange
from gateway.routing.predicates import read_address
from gateway.wire.interfaces import Address, Downstream
from meshway.http1.message import RequestHead

MAX_LOOPS: Final = 5
_MAX_HOPS: Final = 64
_VERSIONS: Final = (b"1.0", b"1.1", b"2.0", b"3.0")  # by a head's minor

Networks = Sequence[IPv4Network | IPv6Network]


class Forwarding:
    """Of one connection. peer: address of the socket's other end. scheme: of the listener. port: it listens on.

    is_trusted: the peer is a trusted proxy. ends: who calls, and whom, as a proxy told it before all else (PROXY
    protocol); None: as the socket says. The fields of one authority are kept, since a connection mostly asks for
    the same one.
    """

    __slots__ = (
        "_authority", "_fields", "_minor", "_peer", "_port", "_scheme", "_trusted", "_via", "ends", "is_trusted",
    )  # fmt: skip

    def __init__(self, peer: str, scheme: bytes, port: int, via_id: bytes, trusted_proxies: Networks = ()) -> None:
        self._peer = peer
        self._scheme = scheme
        self._port = str(port).encode()
        self._via = via_id
        self._trusted = trusted_proxies
        self.ends: tuple[Address | None, Address | None] | None = None
        self.is_trusted = bool(trusted_proxies) and is_in(peer, trusted_proxies)
        self._authority: bytes | None = None
        self._minor = -1
        self._fields = b""

    def fields(self, head: RequestHead) -> tuple[str, bytes]:
        """The client's address, and the block to send. The address is the right-most that no trusted proxy has."""
        if self.is_trusted or b"via" in head.named:
            return self._appended(head)
        if head.authority != self._authority or head.minor != self._minor:
            self._authority, self._minor = head.authority, head.minor
            self._fields = self._block(head, self._peer, b"", self._scheme, head.authority, b"")
        return self._peer, self._fields

    def _appended(self, head: RequestHead) -> tuple[str, bytes]:
        if not self.is_trusted:
            return self._peer, self._block(head, self._peer, b"", self._scheme, head.authority, b"")
        named = head.named
        chain = named.get(b"x-forwarded-for", b"")
        scheme = named.get(b"x-forwarded-proto", b"").lower()
        if scheme not in (b"http", b"https"):
            scheme = self._scheme
        authority = named.get(b"x-forwarded-host") or head.authority
        client = self._client(chain)
        return client, self._block(head, client, chain, scheme, authority, named.get(b"forwarded", b""))

    def _client(self, chain: bytes) -> str:
        hops = [hop.strip() for hop in chain.decode("latin-1").split(",")[-_MAX_HOPS:]]
        client = self._peer
        for hop in reversed(hops):
            address = hop.strip("[]")
            if not _is_address(address):
                break  # whoever wrote this is not to be believed about the hops before it
            client = address
            if not is_in(address, self._trusted):
                break
        return client

    def _block(
        self, head: RequestHead, client: str, chain: bytes, scheme: bytes, authority: bytes, forwarded: bytes
    ) -> bytes:
        peer = self._peer.encode()
        node = b'"[%b]"' % peer if ":" in self._peer else peer
        before = head.named.get(b"via")
        is_odd = authority.partition(b'"')[1] or authority.partition(b"\\")[1]  # `in` makes and drops an exception
        host = b';host="%b"' % authority if authority and not is_odd else b""
        named = b"X-Forwarded-Host: %b\r\n" % authority if authority else b""
        # At once, since a connection for one call pays all of it; written here, and of texts alone, for the compiler.
        return (
            b"Via: %b%b %b\r\nX-Forwarded-For: %b%b\r\nX-Forwarded-Proto: %b\r\n%bX-Forwarded-Port: %b\r\n"
            b"X-Real-IP: %b\r\nForwarded: %bfor=%b%b;proto=%b\r\n"
        ) % (
            before + b", " if before else b"", _VERSIONS[head.minor], self._via, chain + b", " if chain else b"", peer,
            scheme, named, self._port, client.encode(), forwarded + b", " if forwarded else b"", node, host, scheme,
        )  # fmt: skip


def is_looping(head: RequestHead, via_id: bytes) -> bool:
    """Whether the request came through a gateway of this id too often already."""
    via = head.named.get(b"via")
    if via is None or via.count(via_id) < MAX_LOOPS:
        return False
    return sum(hop.split()[1:2] == [via_id] for hop in via.split(b",")) >= MAX_LOOPS


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_in(address: str, networks: Networks) -> bool:
    """A socket for both families tells callers of IPv4 as mapped addresses."""
    parsed = read_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def ends_of(exchange: Exchange, downstream: Downstream) -> tuple[Address | None, Address | None]:
    """Who calls, and where it reached us; behind trusted proxies, which tell no port, the caller's is 0."""
    caller, ours = downstream.ends()
    if caller is None or caller[0] == exchange.peer:
        return caller, ours
    return (exchange.peer, 0), ours
