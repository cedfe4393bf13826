"""The cookie's attributes (RFC 6265 §4.1)."""

import pytest

from gateway.balancing.set_cookie import CookieSettings, compile_cookie
from tests.parts.calls import call


def test_a_cookie_with_everything() -> None:
    write = compile_cookie(CookieSettings("v", 3600.0, "/shop", "strict", "always", http_only=True))
    wanted = b"Set-Cookie: v=1; Path=/shop; Max-Age=3600; SameSite=Strict; HttpOnly; Secure\r\n"
    assert write(call(), b"1") == wanted


def test_a_cookie_for_the_session_that_scripts_may_read() -> None:
    write = compile_cookie(CookieSettings("v", 0.0, same_site="none", secure="never", http_only=False))
    assert write(call(), b"1") == b"Set-Cookie: v=1; Path=/; SameSite=None\r\n"


@pytest.mark.parametrize(("scheme", "is_secure"), [(b"https", True), (b"http", False)])
def test_by_default_it_is_secure_where_the_call_is(scheme: bytes, is_secure: bool) -> None:
    exchange = call()
    exchange.scheme = scheme
    assert (b"; Secure" in compile_cookie(CookieSettings("v", 1.0))(exchange, b"1")) == is_secure
