"""Telling what would become of a call, without beginning what takes long."""

import base64
import gc
import warnings
from typing import Any, Final

import pytest

from gateway.compiler.authentication import compile_steps
from gateway.compiler.diff import Entry
from gateway.exchange import EDGE, Exchange
from gateway.plan import Parts
from meshway.http1.head import HeadLimits, RequestReader
from meshway.model.decode import decode_spec
from tests.parts.secrets import contents, hashed

BASIC: Final = {"basic": {"secret": "users"}}
ASKED: Final = {
    "introspection": {"endpoint": "https://id.example/i", "client_id": "a", "client_secret": "users"},
}


def forecast(method: dict[str, Any], *fields: bytes) -> list[tuple[str, str]]:
    spec, errors = decode_spec("Authentication", {"methods": [method]})
    assert not errors
    parts = Parts(now=lambda: 100.0, random=lambda: 0.5)
    parts.secrets.take(contents("users", "basic_users", [{"username": "ann", "hash": hashed("word")}]))
    entry: Entry[Any] = Entry("Authentication", "default", "people", spec, "")
    (step,) = compile_steps(entry, parts)
    assert step.forecast is not None
    head = RequestReader(HeadLimits()).read(
        b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + b"".join(b"%b\r\n" % one for one in fields) + b"\r\n"
    )
    assert head is not None
    return [(told.verdict, told.detail) for told in step.forecast(Exchange(head, EDGE, "10.0.0.7", 100.0))]


@pytest.mark.parametrize(
    ("method", "credential", "words"),
    [
        (BASIC, b"Basic " + base64.b64encode(b"ann:word"), "a password is checked"),
        (ASKED, b"Bearer opaque", "the token's issuer is asked"),
    ],
)
def test_what_takes_long_is_told_and_not_begun(method: dict[str, Any], credential: bytes, words: str) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert forecast(method, b"Authorization: " + credential) == [("may refuse", words)]
        gc.collect()
    assert [str(one.message) for one in heard if issubclass(one.category, RuntimeWarning)] == []


def test_what_is_known_at_once_is_told_as_it_is() -> None:
    assert [verdict for verdict, _ in forecast(BASIC)] == ["refuse"]
    assert [verdict for verdict, _ in forecast(BASIC, b"Authorization: Basic x")] == ["refuse"]
