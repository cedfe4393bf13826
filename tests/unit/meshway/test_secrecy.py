import pytest

from meshway.secrecy import is_secret, is_secret_name, without_secrets

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef"


@pytest.mark.parametrize(
    "name", [b"Authorization", b"Cookie", b"x-api-key", b"access_token", b"code", b"X-Session-Id", b"password"]
)
def test_names_of_credentials_are_secret(name: bytes) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", [b"x-team", b"accept", b"q", b"zip-codes", b"keyboard"])
def test_others_are_not_unless_their_value_is_a_token(name: bytes) -> None:
    assert not is_secret(name, b"plain")
    assert is_secret(name, b"id " + JWT)


def test_a_query_keeps_its_names() -> None:
    assert without_secrets(b"/a?q=1&token=2&x=" + JWT + b"&%63ode=3") == b"/a?q=1&token=&x=&%63ode="
    assert without_secrets(b"/a") == b"/a"
