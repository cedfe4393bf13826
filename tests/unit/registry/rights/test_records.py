"""What is kept of people, read from its rows."""

from __future__ import annotations

import msgspec

from registry.rights.records import Binding, SubjectKind, User, admins_in, by_subject, encode, read, read_all
from registry.rights.roles import Role
from registry.rights.token import Grant
from registry.store.interface import PeopleRecord


def binding(subject: str, role: Role, namespace: str = "*", kind: SubjectKind = "user") -> Binding:
    return Binding(kind=kind, subject=subject, grant=Grant(role, namespace), created_at=0.0, created_by="root")


def bindings(*made: Binding) -> dict[str, PeopleRecord]:
    return {one.id: PeopleRecord("binding", one.id, 1, None, encode(one)) for one in made}


def users(*made: User) -> dict[str, PeopleRecord]:
    return {one.name: PeopleRecord("user", one.name, 1, None, encode(one)) for one in made}


def user(name: str, **fields: object) -> User:
    made = User(name=name, mark="m", hash="h", created_at=0.0, created_by="root")
    return msgspec.structs.replace(made, **fields)


def test_a_row_that_is_gone_is_none() -> None:
    rows = users(user("ann")) | {"bob": PeopleRecord("user", "bob", 2, 9.0)}
    assert read(rows, "ann", User) == user("ann")
    assert read(rows, "bob", User) is None
    assert read(rows, "eve", User) is None
    assert [one.name for one in read_all(rows, User)] == ["ann"]


def test_a_binding_has_one_id_whoever_made_it_and_a_group_is_no_user_of_its_name() -> None:
    one = binding("ann", "viewer", "shop")
    assert one.id == msgspec.structs.replace(one, created_by="eve", created_at=5.0).id
    others = [
        binding("ann", "viewer", "shop", "group"),
        binding("ann", "viewer"),
        binding("ann", "editor", "shop"),
        binding("an", "viewer", "shop"),
    ]
    assert len({each.id for each in (one, *others)}) == 5
    found = by_subject(bindings(one, *others))
    assert set(found["user", "ann"]) == {Grant("viewer", "shop"), Grant("viewer"), Grant("editor", "shop")}
    assert found["group", "ann"] == (Grant("viewer", "shop"),)


def test_an_admin_is_who_can_sign_in_and_may_everything() -> None:
    known = users(user("ann"), user("off", is_disabled=True), user("new", hash=""), user("ed"))
    held = bindings(
        binding("ann", "admin"),
        binding("off", "admin"),
        binding("new", "admin"),
        binding("ed", "editor"),
        binding("gone", "admin"),
        binding("ed", "admin", kind="group"),
    )
    assert admins_in(known, held) == {"ann"}
