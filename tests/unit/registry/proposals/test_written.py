"""Texts of changes: what is kept unfinished, what is never kept, and errors at their lines."""

from __future__ import annotations

import pytest

from meshway.problem import Problem
from registry.proposals.records import Part
from registry.proposals.written import plain_of, read_parts, refuse_unkept, text_of

TEXT = """\
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: search, namespace: shop}
spec:
  targets: [{service: books}]
  token_bucket: {rate: 50/s}  # what one core can do
"""


def part(text: str | None, *, kind: str = "RateLimit", name: str = "search") -> Part:
    return Part(kind, "shop", name, text=text, base_revision=0, base=None)


def test_a_text_is_read_and_what_is_deleted_has_none() -> None:
    ((document, spec),) = read_parts([part(TEXT), part(None, name="other")])
    assert document.name == "RateLimit shop/search"
    assert spec.__class__.__name__ == "RateLimit"
    assert plain_of(part(None)) is None
    assert plain_of(part(text_of(plain_of(part(TEXT)) or {}))) == plain_of(part(TEXT))


def test_every_error_of_every_document_stands_at_its_line() -> None:
    wrong = TEXT.replace("rate: 50/s", "rate: fast")
    other = TEXT.replace("search", "other").replace("token_bucket", "token_bukket")
    with pytest.raises(Problem) as raised:
        read_parts([part(wrong), part(other, name="other")])
    told = {(error.document, error.path, error.line) for error in raised.value.errors}
    assert ("RateLimit shop/search", "spec.token_bucket.rate", 6) in told
    assert ("RateLimit shop/other", "spec.token_bukket", 6) in told


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("50/s", "fast"), TEXT.replace("spec:", "spek:"), None])
def test_an_unfinished_text_is_kept(text: str | None) -> None:
    refuse_unkept(part(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [", "bad_yaml"),
        (TEXT.replace("search", "other"), "other_document"),
        (TEXT.replace("RateLimit", "Secret"), "other_document"),
        (TEXT + "---\n" + TEXT, "other_document"),
        ("", "other_document"),
    ],
)
def test_a_text_that_may_be_of_anything_is_not_kept(text: str, code: str) -> None:
    with pytest.raises(Problem) as raised:
        refuse_unkept(part(text))
    assert [error.code for error in raised.value.errors] == [code]


def test_neither_secrets_nor_credentials_in_the_clear_are_kept() -> None:
    secret = "apiVersion: meshway/v1\nkind: Secret\nmetadata: {name: search}\nspec: {type: opaque}\n"
    with pytest.raises(Problem) as raised:
        refuse_unkept(part(secret, kind="Secret"))
    assert [error.code for error in raised.value.errors] == ["unsupported"]
    clear = """\
apiVersion: meshway/v1
kind: Authentication
metadata: {name: search}
spec: {methods: [{jwt: {issuer: "https://id.example", jwks_uri: "https://ann:hunter2@id.example/keys"}}]}
"""
    with pytest.raises(Problem) as raised:
        refuse_unkept(part(clear, kind="Authentication"))
    assert [error.code for error in raised.value.errors] == ["inline_secret"]
    assert "hunter2" not in str(raised.value.document())
