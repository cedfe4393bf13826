"""Cookies of sessions: only who has the key opens them, for the purpose and the owner they were made for."""

import pytest

from gateway.authentication.session_cookie import Jar, Session, SessionSeal
from meshway.issuers.logins import Login

NOW = 1_800_000_000.0
DAY = 86_400.0
SESSION = Session(NOW, NOW, 0.0, "r", "", {"sub": "ada", "list": [1, "a"]})
LOGIN = Login(NOW, "s", "n", "v", "shop.example", "/")


def block(fields: bytes) -> bytes:
    """What a browser that was given these sends."""
    pairs = [line.partition(b": ")[2].partition(b";")[0] for line in fields.split(b"\r\n") if line]
    return b"Cookie: " + b"; ".join(pairs) + b"\r\n"


def test_a_session_is_opened_by_the_same_key_and_owner_alone() -> None:
    seal = SessionSeal(b"k" * 32, "shop/people")
    text = seal.seal(SESSION, NOW)
    assert SessionSeal(b"k" * 32, "shop/people").session(text, NOW + 7 * DAY) == SESSION
    assert SessionSeal(b"K" * 32, "shop/people").session(text, NOW) is None
    assert SessionSeal(b"k" * 32, "shop/others").session(text, NOW) is None
    assert seal.login(text, NOW) is None
    assert seal.session(seal.seal(LOGIN, NOW), NOW) is None
    assert seal.login(seal.seal(LOGIN, NOW), NOW) == LOGIN
    assert seal.session(text, NOW + 11 * DAY) is None
    for at in range(0, len(text), 7):
        changed = text[:at] + (b"A" if text[at : at + 1] != b"A" else b"B") + text[at + 1 :]
        if changed != text:
            opened = seal.session(changed, NOW)
            assert opened is None or opened == SESSION  # the last bits of base64 may be spare
    for nonsense in (b"", b"A", b"====", b"\xff\xfe", b"A" * 5000):
        assert seal.session(nonsense, NOW) is None


@pytest.mark.parametrize(("size", "cookies"), [(10, 1), (3600, 1), (3601, 2), (7201, 3), (10_800, 3)])
def test_a_session_is_parted_and_put_together(size: int, cookies: int) -> None:
    jar = Jar("shop/people", "", "lax")
    sealed = b"x" * size
    fields = jar.give_session(sealed, 60.0)
    assert fields is not None
    lines = fields.split(b"\r\n")[:-1]
    assert len(lines) == cookies
    assert all(len(line) < 4096 for line in lines)
    assert jar.session(block(fields)) == sealed
    if cookies > 1:
        first_alone = b"\r\n".join(lines[:1]) + b"\r\n"
        assert jar.session(block(first_alone)) == b""


def test_what_no_browser_would_keep_is_not_given() -> None:
    assert Jar("shop/people", "", "lax").give_session(b"x" * 10_801, 60.0) is None


def test_the_service_gets_the_other_cookies_and_none_of_ours() -> None:
    jar = Jar("shop/people", "", "lax")
    name = jar.name.decode()
    both = f"Cookie: a=1; {name}=1x; {name}-1=y\r\nAccept: */*\r\nCookie: {name}-l-abc=z; b=2\r\n".encode()
    assert jar.take_out(both) == b"Accept: */*\r\nCookie: a=1; b=2\r\n"
    assert jar.take_out(f"Cookie: {name}=1x\r\n".encode()) == b""
    other = b"Cookie: a=1\r\n"
    assert jar.take_out(other) is other
    assert jar.name != Jar("shop/others", "", "lax").name
