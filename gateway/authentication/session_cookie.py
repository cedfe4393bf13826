"""What browsers keep for the gateway: sessions and begun logins, sealed, in cookies of a name of their document's own.

A key serves one day; whoever has the secret of the document makes the same ones, so every gateway reads what another
wrote. RFC 6265 §6.1: a browser keeps 4096 bytes of a cookie, so a session may have three.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from meshway.http1.cookies import cookie_values
from meshway.http1.fields import add, find_all, remove
from meshway.sealing import SealBroken, Sealing

MOST_CHUNKS: Final = 3
MOST_LOGINS: Final = 5
LOGIN_S: Final = 600.0
_CHUNK: Final = 3600  # of the value: name and attributes count as well
_DAY_S: Final = 86_400.0
_DAYS: Final = 9  # a session lives a week at most
_STATE: Final = 8  # characters of it, by which logins of one browser are kept apart


class Session(msgspec.Struct, frozen=True, array_like=True):
    """Times: seconds since 1970. issued: of the login; seen: of the last call that was noted; expires: of the tokens,
    0 = it is not said. forwarded: the token that the service gets. claims: of the ID token."""

    issued: float
    seen: float
    expires: float
    refresh: str
    forwarded: str
    claims: Mapping[str, Any]


class Login(msgspec.Struct, frozen=True, array_like=True):
    """One that a browser has begun. back: path and query, where it wanted to go on host."""

    begun: float
    state: str
    nonce: str
    verifier: str
    host: str
    back: str


_T = TypeVar("_T")
_encode: Final = msgspec.msgpack.Encoder().encode
_sessions: Final = msgspec.msgpack.Decoder(Session)
_logins: Final = msgspec.msgpack.Decoder(Login)


class SessionSeal:
    """key: as the registry told it with the document's secret. owner: whose sessions they are."""

    def __init__(self, key: bytes, owner: str) -> None:
        self._key, self._owner = key, owner
        self._days: dict[int, Sealing] = {}

    def seal(self, what: Session | Login, now_s: float) -> bytes:
        """As it may stand in a cookie. now_s: since 1970."""
        day = int(now_s // _DAY_S)
        sealed = self._of(day).seal(_encode(what), self._purpose(type(what)))
        return base64.urlsafe_b64encode(day.to_bytes(4, "big") + sealed).rstrip(b"=")

    def session(self, text: bytes, now_s: float) -> Session | None:
        """None: it is none of ours, or of a day long gone."""
        return self._open(text, now_s, Session, _sessions)

    def login(self, text: bytes, now_s: float) -> Login | None:
        return self._open(text, now_s, Login, _logins)

    def _open(self, text: bytes, now_s: float, kind: type[_T], decoder: "msgspec.msgpack.Decoder[_T]") -> _T | None:
        try:
            sealed = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        day, today = int.from_bytes(sealed[:4], "big"), int(now_s // _DAY_S)
        if not today - _DAYS <= day <= today + 1:
            return None
        try:
            return decoder.decode(self._of(day).unseal(sealed[4:], self._purpose(kind)))
        except (SealBroken, msgspec.DecodeError):
            return None

    def _of(self, day: int) -> Sealing:
        found = self._days.get(day)
        if found is None:
            if len(self._days) > _DAYS:
                self._days.clear()
            key = hmac.digest(self._key, b"day %d" % day, hashlib.sha256)
            found = self._days[day] = Sealing(key)
        return found

    def _purpose(self, kind: type) -> str:
        return f"{kind.__name__} {self._owner}"


class Jar:
    """The cookies of one document. title: `shop/people`. domain "": the one host's."""

    def __init__(self, title: str, domain: str, same_site: str) -> None:
        mark = hashlib.sha256(title.encode()).hexdigest()[:10]
        self.name = f"__{'Secure' if domain else 'Host'}-mw-{mark}".encode()
        self._login = self.name + b"-l-"
        self._prefix = self.name
        of_domain = f"; Domain={domain}".encode() if domain else b""
        self._tail = b"; Path=/; Secure; HttpOnly; SameSite=%b%b" % (same_site.capitalize().encode(), of_domain)
        # The issuer's answer comes from its site, by a link: that is what `Lax` lets through.
        self._login_tail = b"; Path=/; Secure; HttpOnly; SameSite=Lax" + of_domain

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

    def logins(self, block: bytes) -> dict[bytes, bytes]:
        """Those that are begun, by cookie."""
        return {name: value for name, value in cookie_values(block).items() if name.startswith(self._login)}

    def login_name(self, state: str) -> bytes:
        return self._login + state[:_STATE].encode()

    def give_login(self, state: str, sealed: bytes) -> bytes:
        age = b"; Max-Age=%d" % LOGIN_S
        return b"Set-Cookie: %b=%b%b%b\r\n" % (self.login_name(state), sealed, age, self._login_tail)

    def end_login(self, name: bytes) -> bytes:
        return self._ended(name)

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
