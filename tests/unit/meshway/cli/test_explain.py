"""What `explain` is asked, judged before a gateway is."""

import pytest

from meshway.cli.explain import refuse_unclear
from meshway.cli.failure import USAGE, CliError


@pytest.mark.parametrize(
    ("method", "url", "what", "mend"),
    [
        ("http://books/", "", '"http://books/" is no method', "meshway explain GET http://books/"),
        ("G3T", "http://books/", '"G3T" is no method', "meshway explain GET http://SERVICE/PATH"),
        ("GET", "/hello", '"/hello" names no host', "meshway explain GET http://HOST/hello"),
        ("get", "", "GET of what?", "meshway explain GET http://HOST/"),
        ("TLS", "/x", '"/x" names no host', "meshway explain TLS http://HOST/x"),
    ],
)
def test_words_that_are_no_call_are_usage_and_say_what_to_write(method: str, url: str, what: str, mend: str) -> None:
    with pytest.raises(CliError) as refused:
        refuse_unclear(method, url)
    assert (refused.value.code, refused.value.what, refused.value.mend) == (USAGE, what, mend)


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "books"), ("post", "http://books/x"), ("UDP", ""), ("TLS", "db.example"), ("CONNECT", "db.mesh:5432")],
)
def test_calls_and_connections_are_asked_about(method: str, url: str) -> None:
    refuse_unclear(method, url)
