"""How tokens are written, and what is kept of them."""

import msgspec
import pytest

from registry.rights.token import Grant, Scope, id_of, is_its_own, is_live, live_admins, mint, scope_of
from registry.store.interface import TokenRecord


def record(scope: Scope, **changes: object) -> TokenRecord:
    minted = mint()
    made = TokenRecord(minted.id, "ci", minted.digest, msgspec.msgpack.encode(scope), 0.0, "loopback")
    return msgspec.structs.replace(made, **changes)


def test_a_token_is_found_by_its_id_and_known_by_its_whole() -> None:
    minted = mint()
    made = TokenRecord(minted.id, "ci", minted.digest, b"", 0.0, "loopback")
    assert id_of(minted.text) == minted.id
    assert minted.text.startswith(f"mwt_{minted.id}_")
    assert is_its_own(made, minted.text)
    assert not is_its_own(made, minted.text[:-1] + ("a" if minted.text[-1] != "a" else "b"))
    assert not is_its_own(made, mint().text)
    assert minted.text.encode() not in msgspec.msgpack.encode(made)


def test_no_two_are_alike() -> None:
    assert len({mint().text for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "mwt_", "mwt_abcdefgh", "mw_abcdefgh_" + "a" * 43, "mwt_abcdefgh_" + "a" * 42])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert id_of(text) is None


def test_a_token_is_live_until_it_is_over_or_revoked() -> None:
    viewer = Scope((Grant("viewer"),))
    assert is_live(record(viewer), 1e12)
    assert is_live(record(viewer, expires_at=10.0), 9.9)
    assert not is_live(record(viewer, expires_at=10.0), 10.0)
    assert not is_live(record(viewer, revoked_at=1.0), 0.0)


def test_admins_are_counted_while_they_live() -> None:
    admin = Scope((Grant("admin"),))
    records = [
        record(admin),
        record(admin, expires_at=1.0),
        record(admin, revoked_at=1.0),
        record(Scope((Grant("editor"),))),
    ]
    assert live_admins(records, 2.0) == records[:1]


def test_the_namespaces_of_a_scope_are_those_of_its_grants_and_its_service() -> None:
    scope = Scope((Grant("viewer", "shop"),), "bank/books")
    assert scope.namespaces == {"shop", "bank"}
    assert scope_of(record(scope)) == scope
