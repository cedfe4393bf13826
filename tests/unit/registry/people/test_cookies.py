"""A session's cookie, and the proof that a page of our own writes."""

import pytest

from registry.people.cookies import cookie_in, csrf_of, end_cookie, is_ours, new_text, set_cookie
from tests.parts.heads import head_of

TEXT = new_text("cookie")


def block(*lines: str) -> bytes:
    return head_of("Host: a", *lines).block


def test_the_secure_cookie_is_of_one_host_and_out_of_reach_of_scripts() -> None:
    assert set_cookie("t", 60, is_plain=False) == (
        "__Host-meshway=t; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
    )
    assert set_cookie("t", 60, is_plain=True) == "meshway=t; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
    assert end_cookie(is_plain=True) == "meshway=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"


def test_the_cookie_is_found_by_its_name_alone() -> None:
    assert cookie_in(block(f"Cookie: a=b; meshway={TEXT}; c=d"), is_plain=True) == TEXT
    assert cookie_in(block("Cookie: a=b", f"Cookie: __Host-meshway={TEXT}"), is_plain=False) == TEXT
    for lines in ((f"Cookie: meshway={TEXT}",), (f"Cookie: __host-meshway={TEXT}",), ("X-Cookie: a",), ()):
        assert cookie_in(block(*lines), is_plain=False) is None
    assert cookie_in(block(f"Cookie: __Host-meshway={TEXT}"), is_plain=True) is None
    assert cookie_in(block("Cookie: meshway=short"), is_plain=True) is None


def test_of_two_sessions_in_one_request_neither_counts() -> None:
    """Another host of the same site may have set the second one."""
    other = new_text("cookie")
    assert cookie_in(block(f"Cookie: meshway={TEXT}; meshway={other}"), is_plain=True) is None
    assert cookie_in(block(f"Cookie: meshway={TEXT}", f"Cookie: meshway={other}"), is_plain=True) is None
    assert cookie_in(block(f"Cookie: meshway={TEXT}; meshway={TEXT}"), is_plain=True) == TEXT


@pytest.mark.parametrize(
    ("lines", "has_own_origin", "ours"),
    [
        (("Meshway-CSRF: {csrf}", "Sec-Fetch-Site: same-origin"), False, True),
        (("Meshway-CSRF: {csrf}",), True, True),
        (("Meshway-CSRF: {csrf}",), False, False),
        (("Meshway-CSRF: {csrf}", "Sec-Fetch-Site: same-site"), True, False),
        (("Meshway-CSRF: {csrf}", "Sec-Fetch-Site: none"), True, False),
        (("Meshway-CSRF: {other}", "Sec-Fetch-Site: same-origin"), True, False),
        (("Sec-Fetch-Site: same-origin",), True, False),
    ],
)
def test_a_write_is_ours_by_the_proof_and_the_browsers_word(
    lines: tuple[str, ...], has_own_origin: bool, ours: bool
) -> None:
    sent = [line.format(csrf=csrf_of(TEXT), other=csrf_of(new_text("cookie"))) for line in lines]
    assert is_ours(block(*sent), TEXT, has_own_origin=has_own_origin) is ours
