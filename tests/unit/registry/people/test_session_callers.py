"""Whose session it is, with the rights that its person holds now."""

from __future__ import annotations

import msgspec
import pytest

from registry.people.session_callers import ABSOLUTE_S, IDLE_S, SessionCallers
from registry.rights.records import (
    BINDING,
    SESSION,
    USER,
    Binding,
    Carrier,
    Session,
    SubjectKind,
    User,
    digest_of,
    encode,
)
from registry.rights.token import Grant
from registry.store.interface import PeopleRecord
from registry.view.view import SEEN, View

VIEWER, EDITOR = Grant("viewer", "shop"), Grant("editor", "shop")
TEXT = "t" * 43


class People:
    """The view's rows and a clock in the test's hand."""

    def __init__(self) -> None:
        self.view = View(epoch="e", revision=0, floor=1, instance_number=0)
        self.now = 1000.0
        self.callers = SessionCallers(lambda: self.view.people, lambda: self.now)
        self.view.on_people.append(self.callers.forget)
        self.version = 0

    def put(self, kind: str, key: str, value: object | None, *, version: int = 0) -> None:
        self.version += 1
        encoded = None if value is None else encode(value)
        self.view.know_people([PeopleRecord(kind, key, version or self.version, None, encoded)])

    def user(self, **fields: object) -> None:
        made = User(name="ann", mark="m", hash="h", created_at=0.0, created_by="root")
        self.put(USER, "ann", msgspec.structs.replace(made, **fields))

    def bind(self, grant: Grant, subject: str = "ann", kind: SubjectKind = "user") -> str:
        binding = Binding(kind=kind, subject=subject, grant=grant, created_at=0.0, created_by="root")
        self.put(BINDING, binding.id, binding)
        return binding.id

    def session(self, *held: Grant, text: str = TEXT, **fields: object) -> None:
        made = Session(
            principal="user:ann", user="ann", mark="m", held=held, how="password",
            opened_at=self.now, confirmed_at=self.now, until=self.now + ABSOLUTE_S,
        )  # fmt: skip
        self.put(SESSION, digest_of(text), msgspec.structs.replace(made, **fields))

    def rights(self, text: str = TEXT, carrier: Carrier = "cookie") -> dict[str, frozenset[str]] | None:
        caller = self.callers.caller(text, carrier)
        return None if caller is None else dict(caller.within)


@pytest.fixture
def people() -> People:
    made = People()
    made.user()
    return made


def test_a_session_has_what_its_user_holds_now_and_was_opened_with(people: People) -> None:
    bound = people.bind(VIEWER)
    people.session(VIEWER)
    caller = people.callers.caller(TEXT, "cookie")
    assert caller is not None
    assert (caller.principal.name, caller.principal.method) == ("user:ann", "session")
    assert caller.may("documents:read", "shop")
    assert not caller.may("documents:read", "bank")
    people.bind(EDITOR)
    known = people.callers.known(digest_of(TEXT))
    assert known is not None
    assert known.has_more
    assert not known.caller.may("documents:write", "shop"), "what was added waits for a new id"
    assert people.callers.is_still(caller)
    people.put(BINDING, bound, None)
    assert people.rights() == {}, "what was taken is gone at once"
    assert not people.callers.is_still(caller), "its streams end"


def test_a_bearers_text_has_what_was_added_at_once(people: People) -> None:
    people.session(VIEWER, text="mws_" + TEXT, carrier="bearer")
    people.bind(EDITOR)
    caller = people.callers.caller("mws_" + TEXT, "bearer")
    assert caller is not None
    assert caller.may("documents:write", "shop")


def test_groups_give_what_is_bound_to_them_and_a_user_of_the_same_name_nothing(people: People) -> None:
    people.bind(VIEWER, "devs", "group")
    people.bind(EDITOR, "devs")
    people.session(VIEWER, EDITOR, user="", groups=("devs",), principal="sso:bob")
    assert people.rights() == {"shop": people.callers.caller(TEXT, "cookie").within["shop"]}  # type: ignore[union-attr]
    assert not people.callers.caller(TEXT, "cookie").may("documents:write", "shop")  # type: ignore[union-attr]


def test_it_is_taken_as_it_was_given(people: People) -> None:
    people.session(VIEWER)
    people.session(VIEWER, text="mws_" + TEXT, carrier="bearer")
    assert people.rights() is not None
    assert people.rights("mws_" + TEXT, "bearer") is not None
    assert people.rights(TEXT, "bearer") is None
    assert people.rights("mws_" + TEXT, "cookie") is None
    assert people.rights("x" * 43) is None


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"mark": "another"}])
def test_it_is_over_when_its_user_is_disabled_or_has_another_password(
    people: People, change: dict[str, object]
) -> None:
    people.session()
    caller = people.callers.caller(TEXT, "cookie")
    assert caller is not None
    people.user(**change)
    assert people.rights() is None
    assert not people.callers.is_still(caller)


def test_it_is_over_when_its_user_is_gone(people: People) -> None:
    people.session()
    assert people.rights() is not None
    people.put(USER, "ann", None)
    assert people.rights() is None


def test_it_is_over_when_idle_and_a_use_here_or_elsewhere_keeps_it(people: People) -> None:
    people.session()
    people.now += IDLE_S - 1
    assert people.rights() is not None
    people.now += IDLE_S - 1
    assert people.rights() is not None
    used_at = people.now + IDLE_S - 1
    people.put(SEEN, digest_of(TEXT), "", version=int(used_at))
    people.now = used_at + IDLE_S - 2
    assert people.rights() is not None
    people.now += IDLE_S
    assert people.rights() is None


def test_it_is_over_after_a_week_however_much_it_is_used(people: People) -> None:
    people.session()
    opened = people.now
    while people.now + IDLE_S / 2 < opened + ABSOLUTE_S:
        people.now += IDLE_S / 2
        assert people.rights() is not None
    people.now = opened + ABSOLUTE_S
    assert people.rights() is None


def test_who_must_change_the_password_may_nothing_else(people: People) -> None:
    people.user(must_change=True)
    people.bind(VIEWER)
    people.session(VIEWER)
    assert people.rights() == {}
    people.user()
    assert people.rights() != {}
