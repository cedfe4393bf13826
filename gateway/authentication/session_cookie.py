"""What browsers keep for the gateway: sessions and begun logins, sealed, in cookies of a name of their document's own.

Whoever has the secret of the document makes the same ones, so every gateway reads what another
wrote. RFC 6265 §6.1: a browser keeps 4096 bytes of a cookie, so a session may have three.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from meshway.http1.cookies import cookie_values
from meshway.http1.fields import add, find_all, remove
from meshway.issuers.logins import CookieSeal, LoginJar

MOST_CHUNKS: Final = 3
_CHUNK: Final = 3600  # of the value: name and attributes count as well


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Times: seconds since 1970. issued: of the login; seen: of the last call that was noted; expires: of the tokens,
    0 = it is not said. forwarded: the token that the service gets. claims: of the ID token."""

    issued: float
    seen: float
    expires: float
    refresh: str
    forwarded: str
    claims: Mapping[str, Any]


_sessions: Final = msgspec.msgpack.Decoder(Session)


class SessionSeal(CookieSeal):
    """key: as the registry told it with the document's secret. owner: whose sessions they are."""

    def session(self, text: bytes, now_s: float) -> Session | None:
        """None: it is none of ours, or of a day long gone."""
        return self.open(text, now_s, _sessions)


class Jar:
    """The cookies of one document. title: `shop/people`. domain "": the one host's."""

    def __init__(self, title: str, domain: str, same_site: str) -> None:
        mark = hashlib.sha256(title.encode()).hexdigest()[:10]
        self.name = f"__{'Secure' if domain else 'Host'}-mw-{mark}".encode()
        self._prefix = self.name
        of_domain = f"; Domain={domain}".encode() if domain else b""
        self._tail = b"; Path=/; Secure; HttpOnly; SameSite=%b%b" % (same_site.capitalize().encode(), of_domain)
        # The issuer's answer comes from its site, by a link: that is what `Lax` lets through.
        self.logins = LoginJar(self.name + b"-l-", b"; Path=/; Secure; HttpOnly; SameSite=Lax" + of_domain)

    def session(self, block: bytes) -> bytes:
        """The sealed session that a request brings, b"": none."""
        if not block.partition(self.name)[1]:
            return b""
        values = cookie_values(block)
        first = values.get(self.name, b"")
        count = first[:1]
        if count not in (b"1", b"2", b"3"):
            return b""
        rest = [values.get(self._chunk(at), b"") for at in range(1, int(count))]
        return b"".join((first[1:], *rest)) if all(rest) else b""

    def give_session(self, sealed: bytes, ttl_s: float) -> bytes | None:
        """Fields of the answer; None: it is too large for a browser."""
        pieces = [sealed[at : at + _CHUNK] for at in range(0, len(sealed), _CHUNK)]
        if len(pieces) > MOST_CHUNKS:
            return None
        pieces[0] = b"%d%b" % (len(pieces), pieces[0])
        age = b"; Max-Age=%d" % ttl_s
        return b"".join(
            [b"Set-Cookie: %b=%b%b%b\r\n" % (self._chunk(at), one, age, self._tail) for at, one in enumerate(pieces)]
        )

    def end_session(self, block: bytes) -> bytes:
        names = [name for name in cookie_values(block) if name.startswith(self._prefix)]
        return b"".join([self._ended(name) for name in names])

    def take_out(self, block: bytes) -> bytes:
        """What the service gets: none of these cookies."""
        if not block.partition(self._prefix)[1]:
            return block
        lines = find_all(block, b"cookie")
        pairs = [pair.strip(b" \t") for line in lines for pair in line.split(b";")]
        kept = [pair for pair in pairs if pair and not pair.startswith(self._prefix)]
        without = remove(block, (b"cookie",))
        return add(without, b"Cookie", b"; ".join(kept)) if kept else without

    def _chunk(self, at: int) -> bytes:
        return b"%b-%d" % (self.name, at) if at else self.name

    def _ended(self, name: bytes) -> bytes:
        return b"Set-Cookie: %b=; Max-Age=0%b\r\n" % (name, self._tail)
