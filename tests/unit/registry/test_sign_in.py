"""Who calls: by token, or from this machine."""

import base64

import msgspec
import pytest

from meshway.problem import Problem
from registry.rights.bootstrap import Bootstrap
from registry.rights.token import Grant, Scope, mint
from registry.sign_in import SignIn, is_loopback_address, is_loopback_name
from registry.store.interface import TokenRecord
from tests.parts.heads import head_of

ELSEWHERE = "10.0.0.9"


class Book:
    """Tokens and a clock in the test's hand."""

    def __init__(self, *, trusts_loopback: bool = False, bootstrap: Bootstrap | None = None) -> None:
        self.tokens: dict[str, TokenRecord] = {}
        self.now = 1000.0
        self.sign_in = SignIn(
            lambda: self.tokens, lambda: self.now, trusts_loopback=trusts_loopback, bootstrap=bootstrap
        )

    def add(self, name: str = "ci", role: str = "viewer", **changes: object) -> str:
        minted = mint()
        scope = msgspec.msgpack.encode(Scope((Grant(role),)))  # type: ignore[arg-type]
        made = TokenRecord(minted.id, name, minted.digest, scope, self.now, "loopback")
        self.tokens[minted.id] = msgspec.structs.replace(made, **changes)
        self.sign_in.forget()
        return minted.text

    def name(self, peer: str = ELSEWHERE, *lines: str, target: str = "/v1/x") -> str:
        head = head_of("Host: registry.example:8500", *lines)
        head.target = target.encode()
        return self.sign_in.caller(peer, head).principal.name

    def refused(self, *lines: str, peer: str = ELSEWHERE) -> str:
        with pytest.raises(Problem) as caught:
            self.name(peer, *lines)
        return caught.value.code


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
def test_loopback_addresses_are_this_machine(address: str) -> None:
    assert is_loopback_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "0.0.0.0", "::", "fe80::1", "", "localhost", "1270.0.0.1", "127.evil"])
def test_other_addresses_are_not(address: str) -> None:
    assert not is_loopback_address(address)


@pytest.mark.parametrize("name", [b"localhost", b"127.0.0.1", b"127.1.2.3", b"[::1]", b"registry.localhost"])
def test_loopback_names_are_this_machine(name: bytes) -> None:
    assert is_loopback_name(name)


@pytest.mark.parametrize(
    "name", [b"", b"127.0.0.1.evil.example", b"localhost.evil.example", b"evil-localhost", b"[::2]"]
)
def test_other_names_are_not(name: bytes) -> None:
    assert not is_loopback_name(name)


def test_this_machine_is_trusted_only_where_it_is_said_and_by_address_host_and_origin() -> None:
    trusting, strict = Book(trusts_loopback=True), Book()
    local = head_of("Host: localhost:8500")
    assert trusting.sign_in.caller("127.0.0.1", local).principal.name == "loopback"
    assert strict.sign_in.caller("127.0.0.1", local).principal.name == "anonymous"
    assert trusting.sign_in.caller(ELSEWHERE, local).principal.name == "anonymous"
    assert trusting.refused(peer="127.0.0.1") == "foreign_host"
    for book in (trusting, strict):
        assert book.refused("Origin: http://evil.example", peer="127.0.0.1") == "foreign_origin"
        token = book.add()
        assert book.refused("Origin: http://evil.example", f"Authorization: Bearer {token}") == "foreign_origin"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_another_site_embeds_is_not_asked_by_this_machine(site: str) -> None:
    trusting = Book(trusts_loopback=True)

    def caller(*lines: str) -> str:
        return trusting.sign_in.caller("127.0.0.1", head_of("Host: localhost:8500", *lines)).principal.name

    with pytest.raises(Problem) as refused:
        caller(f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: no-cors")
    assert refused.value.code == "foreign_site"
    assert caller(f"Sec-Fetch-Site: {site}", "Sec-Fetch-Mode: navigate") == "loopback", "a link that somebody follows"
    assert caller("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors") == "loopback"
    assert caller("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate") == "loopback"


def test_a_token_alone_says_who_calls_where_one_is_sent() -> None:
    book = Book(trusts_loopback=True)
    token = book.add("ci")
    assert book.name("127.0.0.1", f"Authorization: Bearer {token}") == "token:ci"
    assert book.name(ELSEWHERE, f"Authorization: bearer {token}") == "token:ci"
    assert book.refused("Authorization: Bearer mwt_wrong", peer="127.0.0.1") == "unknown_token"


def test_wrong_revoked_and_expired_tokens_are_refused() -> None:
    book = Book()
    token = book.add(expires_at=1010.0)
    line = f"Authorization: Bearer {token}"
    assert book.name(ELSEWHERE, line) == "token:ci"
    assert book.refused(line[:-1] + ("a" if line[-1] != "a" else "b")) == "unknown_token"
    assert book.refused(f"Authorization: Digest {token}") == "unknown_token"
    book.now = 1010.0
    assert book.refused(line) == "token_expired", "though it was looked up before"
    assert book.refused(f"Authorization: Bearer {book.add(revoked_at=1.0)}") == "token_revoked"


def test_a_revoked_token_is_refused_as_soon_as_it_is_known() -> None:
    book = Book()
    token = book.add()
    line = f"Authorization: Bearer {token}"
    caller = book.sign_in.caller(ELSEWHERE, head_of("Host: a", line))
    assert book.sign_in.is_still(caller)
    (token_id,) = book.tokens
    book.tokens[token_id] = msgspec.structs.replace(book.tokens[token_id], revoked_at=1.0)
    book.sign_in.forget()
    assert book.refused(line) == "token_revoked"
    assert not book.sign_in.is_still(caller)


def test_clients_of_other_registries_send_it_as_they_can() -> None:
    book = Book()
    token = book.add()
    basic = base64.b64encode(f"anyone:{token}".encode()).decode()
    assert book.name(ELSEWHERE, f"Authorization: Basic {basic}") == "token:ci"
    assert book.name(ELSEWHERE, f"X-Consul-Token: {token}", target="/v1/agent/services") == "token:ci"
    assert book.name(ELSEWHERE, target=f"/nacos/v1/ns/instance?ip=1&accessToken={token}") == "token:ci"
    for target, line in (("/v1/tokens", f"X-Consul-Token: {token}"), (f"/v1/tokens?accessToken={token}", "")):
        assert book.name(ELSEWHERE, *([line] if line else []), target=target) == "anonymous"
    assert book.name(ELSEWHERE, f"Cookie: token={token}") == "anonymous"


def test_the_bootstrap_token_is_an_admins_until_there_was_one() -> None:
    book = Book(bootstrap=Bootstrap("s" * 40))
    line = "Authorization: Bearer " + "s" * 40
    book.add(role="editor")
    assert book.name(ELSEWHERE, line) == "bootstrap"
    assert book.refused("Authorization: Bearer " + "t" * 40) == "unknown_token"
    book.add(role="admin", revoked_at=1.0)
    assert book.refused(line) == "unknown_token"
