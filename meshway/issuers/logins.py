"""Logins that browsers have begun: sealed, in cookies of their own, so that a login is the browser's that began it.

Whoever has the key makes and reads the same ones, and nothing is kept here of who began and never came back. A key
serves one day.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final, TypeVar

import msgspec

from meshway.http1.cookies import cookie_values
from meshway.sealing import SealBroken, Sealing

MOST_LOGINS: Final = 5
LOGIN_S: Final = 600.0
SKEW_S: Final = 30.0
_DAY_S: Final = 86_400.0
_DAYS: Final = 9  # a session lives a week at most
_STATE: Final = 8  # characters of it, by which logins of one browser are kept apart


class Login(msgspec.Struct, frozen=True, array_like=True):
    """One that a browser has begun. begun: seconds since 1970. back: path and query, where it wanted to go on host."""

    begun: float
    state: str
    nonce: str
    verifier: str
    host: str
    back: str


_T = TypeVar("_T")
_encode: Final = msgspec.msgpack.Encoder().encode
_logins: Final = msgspec.msgpack.Decoder(Login)


class CookieSeal:
    """key: of 32 bytes. owner: whose cookies they are."""

    def __init__(self, key: bytes, owner: str) -> None:
        self._key, self._owner = key, owner
        self._days: dict[int, Sealing] = {}

    def seal(self, what: msgspec.Struct, now_s: float) -> bytes:
        """As it may stand in a cookie. now_s: since 1970."""
        day = int(now_s // _DAY_S)
        sealed = self._of(day).seal(_encode(what), self._purpose(type(what)))
        return base64.urlsafe_b64encode(day.to_bytes(4, "big") + sealed).rstrip(b"=")

    def login(self, text: bytes, now_s: float) -> Login | None:
        """None: it is none of ours, or of a day long gone."""
        return self.open(text, now_s, _logins)

    def open(self, text: bytes, now_s: float, decoder: "msgspec.msgpack.Decoder[_T]") -> _T | None:
        try:
            sealed = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        day, today = int.from_bytes(sealed[:4], "big"), int(now_s // _DAY_S)
        if not today - _DAYS <= day <= today + 1:
            return None
        try:
            return decoder.decode(self._of(day).unseal(sealed[4:], self._purpose(decoder.type)))
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


class LoginJar:
    """name: begins those of the cookies. tail: their attributes, where the issuer's answer comes from its site."""

    def __init__(self, name: bytes, tail: bytes) -> None:
        self._name, self._tail = name, tail

    def begin(self, login: Login, seal: CookieSeal, block: bytes) -> bytes:
        """Fields that give it to the browser, and end the oldest of those that it has begun, where there are too many.
        block: of the request."""
        kept: list[tuple[float, bytes]] = []
        for name, text in self._cookies(block).items():
            before = seal.login(text, login.begun)
            kept.append((0.0 if before is None else before.begun, name))
        kept.sort(reverse=True)
        ended = b"".join([self._ended(name) for _, name in kept[MOST_LOGINS - 1 :]])
        sealed, age = seal.seal(login, login.begun), b"; Max-Age=%d" % LOGIN_S
        return b"%bSet-Cookie: %b=%b%b%b\r\n" % (ended, self._of(login.state), sealed, age, self._tail)

    def begun(
        self, state: bytes, host: bytes, seal: CookieSeal, block: bytes, now_s: float
    ) -> tuple[Login, bytes] | None:
        """The login of this browser that the issuer's answer names, and fields that end it. None: there is none of this
        state, or it is over, or was begun on another host."""
        if not state:
            return None
        name = self._of(state.decode("latin-1"))
        text = self._cookies(block).get(name)
        login = None if text is None else seal.login(text, now_s)
        if login is None or not hmac.compare_digest(login.state.encode(), state):
            return None
        if not -SKEW_S <= now_s - login.begun <= LOGIN_S or login.host.encode("latin-1") != host:
            return None
        return login, self._ended(name)

    def _cookies(self, block: bytes) -> dict[bytes, bytes]:
        return {name: value for name, value in cookie_values(block).items() if name.startswith(self._name)}

    def _of(self, state: str) -> bytes:
        return self._name + state[:_STATE].encode()

    def _ended(self, name: bytes) -> bytes:
        return b"Set-Cookie: %b=; Max-Age=0%b\r\n" % (name, self._tail)
