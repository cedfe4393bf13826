import pytest

from gateway.exchange import Reply
from gateway.filters.redirect import compile_filter
from meshway.model.match import PathMatch
from meshway.model.route import PathRewrite, Redirect
from tests.parts.calls import call


def location(redirect: Redirect, target: str = "/books/1?q=a", host: str = "shop.example:8080") -> str:
    reply = compile_filter(redirect, [PathMatch(prefix="/books")])(call(target, host=host))
    assert isinstance(reply, Reply)
    assert reply.body == b""
    name, _, value = reply.fields.partition(b": ")
    assert name == b"Location"
    return value.decode().removesuffix("\r\n")


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        (Redirect(scheme="https"), "https://shop.example/books/1?q=a"),
        (Redirect(scheme="https", port=8443), "https://shop.example:8443/books/1?q=a"),
        (Redirect(port=9000), "http://shop.example:9000/books/1?q=a"),
        (Redirect(port=80), "http://shop.example/books/1?q=a"),
        (Redirect(port=443), "http://shop.example:443/books/1?q=a"),
        (Redirect(scheme="https", port=443), "https://shop.example/books/1?q=a"),
        (Redirect(path=PathRewrite(full="/é")), "http://shop.example:8080/%C3%A9?q=a"),
        (Redirect(path=PathRewrite(full="/new?from=old")), "http://shop.example:8080/new?from=old"),
        (Redirect(path=PathRewrite(full="/new?")), "http://shop.example:8080/new"),
        (Redirect(host="new.example"), "http://new.example:8080/books/1?q=a"),
        (Redirect(host="new.example", scheme="https"), "https://new.example/books/1?q=a"),
        (Redirect(path=PathRewrite(prefix="/v2")), "http://shop.example:8080/v2/1?q=a"),
        (Redirect(path=PathRewrite(full="/gone")), "http://shop.example:8080/gone?q=a"),
    ],
)
def test_the_caller_is_sent_elsewhere_with_his_query(redirect: Redirect, expected: str) -> None:
    assert location(redirect) == expected


def test_addresses_of_version_six_keep_their_brackets() -> None:
    assert location(Redirect(scheme="https"), host="[::1]:8080") == "https://[::1]/books/1?q=a"
    assert location(Redirect(scheme="https"), host="[::1]") == "https://[::1]/books/1?q=a"


def test_the_status_is_the_documents() -> None:
    reply = compile_filter(Redirect(scheme="https", status=308), [])(call())
    assert isinstance(reply, Reply)
    assert reply.status == 308
