"""What a caller may, and what it is told otherwise."""

import pytest

from meshway.identity import Principal
from meshway.problem import Problem
from registry.rights.caller import NOBODY, TRUSTED, Caller
from registry.rights.token import Grant

EDITOR = Caller(Principal("token:ed"), [Grant("editor", "shop"), Grant("viewer", "bank")])
SERVICE = Caller(Principal("token:books"), service="shop/books")


def status_of(caller: Caller, right: str, namespace: str) -> int:
    try:
        caller.require(right, namespace)  # type: ignore[arg-type]
    except Problem as problem:
        return problem.status
    return 200


def test_rights_are_of_their_namespace() -> None:
    assert [status_of(EDITOR, "documents:write", one) for one in ("shop", "bank", "none", "*")] == [200, 403, 404, 403]
    assert EDITOR.namespaces("documents:read") == frozenset({"shop", "bank"})
    assert EDITOR.namespaces("documents:write") == frozenset({"shop"})
    assert EDITOR.may_somewhere("documents:write")
    assert not EDITOR.may_somewhere("tokens:write")


def test_a_grant_in_all_namespaces_joins_those_of_one() -> None:
    both = Caller(Principal("token:x"), [Grant("viewer"), Grant("editor", "shop")])
    assert both.namespaces("documents:read") is None
    assert both.namespaces("documents:write") == frozenset({"shop"})
    assert status_of(both, "documents:write", "none") == 403, "it may read there"


def test_a_service_registers_itself_alone() -> None:
    SERVICE.require_registering("shop", "books")
    SERVICE.require_seeing("shop", "books")
    for namespace, service in (("shop", "carts"), ("bank", "books"), ("shop", "")):
        with pytest.raises(Problem) as caught:
            SERVICE.require_registering(namespace, service)
        assert caught.value.status == 404
    nobody = Caller(Principal("token:v"), [Grant("viewer", "shop")])
    with pytest.raises(Problem) as caught:
        nobody.require_registering("", "")
    assert caught.value.status == 404
    with pytest.raises(Problem) as caught:
        nobody.require_registering("shop", "books")
    assert caught.value.status == 403


def test_nobody_is_asked_to_sign_in_and_the_trusted_may_all() -> None:
    assert status_of(NOBODY, "documents:read", "shop") == 401
    assert status_of(TRUSTED, "backup:read", "*") == 200
    assert TRUSTED.is_admin
    assert not EDITOR.is_admin
    assert Caller(Principal("token:a"), [Grant("admin")]).is_admin


def test_who_must_change_a_password_is_told_so_and_of_no_namespace() -> None:
    waiting = Caller(Principal("user:vic"), must_change=True)
    for namespace in ("shop", "*"):
        with pytest.raises(Problem) as caught:
            waiting.require("documents:read", namespace)
        assert (caught.value.status, caught.value.code) == (403, "password_change_needed")
        assert caught.value.mend == "meshway user change-password"
