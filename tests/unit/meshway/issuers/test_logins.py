"""Logins that browsers have begun: each is one browser's, of one host, for ten minutes."""

import msgspec

from meshway.issuers.code_flow import new_login
from meshway.issuers.logins import LOGIN_S, MOST_LOGINS, SKEW_S, CookieSeal, Login, LoginJar

NOW = 1_800_000_000.0
HOST = b"registry.example"
SEAL = CookieSeal(b"k" * 32, "provider corp")
JAR = LoginJar(b"mw-corp.", b"; Path=/")


def kept(fields: bytes, before: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """What a browser has after an answer with these."""
    cookies = dict(before or {})
    for line in fields.split(b"\r\n")[:-1]:
        name, _, value = line.removeprefix(b"Set-Cookie: ").partition(b";")[0].partition(b"=")
        if value:
            cookies[name] = value
        else:
            cookies.pop(name, None)
    return cookies


def block(cookies: dict[bytes, bytes]) -> bytes:
    return b"Cookie: " + b"; ".join(name + b"=" + value for name, value in cookies.items()) + b"\r\n"


def begun(at: float = NOW) -> tuple[Login, bytes]:
    login = new_login(at, HOST, b"/services")
    return login, block(kept(JAR.begin(login, SEAL, b"")))


def test_it_comes_back_to_the_browser_and_host_that_began_it() -> None:
    login, cookie = begun()
    found = JAR.begun(login.state.encode(), HOST, SEAL, cookie, NOW + 60)
    assert found is not None
    assert found[0] == login
    assert kept(found[1], {b"mw-corp." + login.state[:8].encode(): b"x"}) == {}, "it is over with the answer"
    other, _ = begun()
    assert JAR.begun(other.state.encode(), HOST, SEAL, cookie, NOW) is None
    assert JAR.begun(b"", HOST, SEAL, cookie, NOW) is None
    assert JAR.begun(login.state.encode(), b"evil.example", SEAL, cookie, NOW) is None
    assert JAR.begun(login.state.encode(), HOST, CookieSeal(b"k" * 32, "provider other"), cookie, NOW) is None
    assert JAR.begun(login.state.encode(), HOST, CookieSeal(b"K" * 32, "provider corp"), cookie, NOW) is None


def test_it_is_good_for_ten_minutes() -> None:
    login, cookie = begun()
    state = login.state.encode()
    assert JAR.begun(state, HOST, SEAL, cookie, NOW + LOGIN_S) is not None
    assert JAR.begun(state, HOST, SEAL, cookie, NOW + LOGIN_S + 1) is None
    assert JAR.begun(state, HOST, SEAL, cookie, NOW - SKEW_S - 1) is None


def test_of_one_browser_the_youngest_stay() -> None:
    cookies: dict[bytes, bytes] = {b"other": b"1"}
    logins = []
    for at in range(2 * MOST_LOGINS):
        logins.append(new_login(NOW + at, HOST, b"/"))
        cookies = kept(JAR.begin(logins[-1], SEAL, block(cookies)), cookies)
    names = [name for name in cookies if name != b"other"]
    assert names == [b"mw-corp." + login.state[:8].encode() for login in logins[-MOST_LOGINS:]]
    assert cookies[b"other"] == b"1"


def test_a_state_whose_beginning_alone_fits_is_another() -> None:
    login, cookie = begun()
    assert JAR.begun(login.state[:8].encode(), HOST, SEAL, cookie, NOW) is None
    longer = msgspec.structs.replace(login, state=login.state + "x")
    assert JAR.begun(longer.state.encode(), HOST, SEAL, cookie, NOW) is None
