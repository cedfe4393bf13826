"""A cookie that the gateway gives a caller so that its next calls go where this one went (RFC 6265 §4.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.exchange import Exchange


@dataclass(slots=True, frozen=True)
class CookieSettings:
    """ttl_s: 0 = as long as the browser runs. secure: `auto` (over HTTPS), `always`, `never`."""

    name: str
    ttl_s: float
    path: str = "/"
    same_site: str = "lax"
    secure: str = "auto"
    http_only: bool = True


def compile_cookie(settings: CookieSettings) -> Callable[[Exchange, bytes], bytes]:
    """Writes the field with a value."""
    name = settings.name.encode()
    tail = b"; Path=" + settings.path.encode()
    if settings.ttl_s:
        tail += b"; Max-Age=%d" % max(settings.ttl_s, 1.0)
    tail += b"; SameSite=" + settings.same_site.capitalize().encode()
    if settings.http_only:
        tail += b"; HttpOnly"
    secure, always, asks = b"; Secure", settings.secure == "always", settings.secure == "auto"

    def write(exchange: Exchange, value: bytes) -> bytes:
        ending = secure if always or (asks and exchange.scheme == b"https") else b""
        return b"Set-Cookie: %b=%b%b%b\r\n" % (name, value, tail, ending)

    return write
