import pytest

from gateway.filters.host_from_header import compile_host
from gateway.filters.redirect import compile_filter as compile_redirect
from gateway.filters.rewrite import compile_filter as compile_rewrite
from meshway.model.route import Redirect, Rewrite
from tests.parts.calls import call


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("a.example:81", b"a.example:81"),
        ("[::1]", b"[::1]"),
        ("a/b", b""),
        ("u@a.example", b""),
        ("", b""),
        ("a:0", b""),
    ],
)
def test_only_what_is_a_host_is_taken(value: str, host: bytes) -> None:
    assert compile_host("X-Host")(call(headers={"x-host": value})) == host


def test_the_upstream_sees_the_host_of_the_header_or_the_callers_own() -> None:
    rewrite = compile_rewrite(Rewrite(host_from_header="X-Host"), [])
    named, other = call(headers={"x-host": "a.example"}), call()
    assert rewrite(named) is rewrite(other) is None
    assert (named.authority, other.authority) == (b"a.example", b"shop.example")


def test_a_redirect_leads_to_the_host_of_the_header_or_stays() -> None:
    redirect = compile_redirect(Redirect(host_from_header="X-Host"), [])
    assert b"Location: http://a.example/x" in redirect(call("/x", headers={"x-host": "a.example"})).fields  # type: ignore[union-attr]
    assert b"Location: http://shop.example/x" in redirect(call("/x")).fields  # type: ignore[union-attr]
