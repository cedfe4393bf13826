"""Which roles users, and groups of providers, hold: made, listed and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.nearest import did_you_mean
from meshway.problem import FieldError, Problem, invalid_request, not_found
from registry.revisions.draft import OfPeople
from registry.rights.last_admin import count_admins, keep_an_admin
from registry.rights.records import BINDING, USER, Binding, SubjectKind, User, encode, read, read_all
from registry.rights.roles import NOT_FOR_PEOPLE
from registry.rights.token import Scope
from registry.rights.tokens import refuse_above, refuse_beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from registry.revisions.acts import Actor
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.rights.caller import Caller
    from registry.rights.token import Grant
    from registry.view.view import View

MAX_BINDINGS: Final = 10_000
_BYTES: Final = 400


class BindingShown(msgspec.Struct, frozen=True, kw_only=True):
    """subject: a user's name, or a group's as its provider calls it. Times: seconds since 1970."""

    id: str
    kind: SubjectKind
    subject: str
    role: str
    namespace: str
    created_at: float
    created_by: str


class Bindings:
    """wall: seconds since 1970. may_lose_admins: somebody is an admin without a token (callers on this machine)."""

    def __init__(self, view: View, revisions: Revisions, wall: Callable[[], float], *, may_lose_admins: bool) -> None:
        self._view = view
        self._revisions = revisions
        self._wall = wall
        self._may_lose_admins = may_lose_admins

    async def create(self, caller: Caller, kind: SubjectKind, subject: str, grant: Grant, actor: Actor) -> BindingShown:
        """Nobody gives what they have not; one that is there already stays as it is. Raises Problem 403, 404, 422."""
        _refuse_for_people(grant)
        refuse_beyond(caller, Scope((grant,)), "bindings:write")
        binding = Binding(
            kind=kind, subject=subject, grant=grant, created_at=self._wall(), created_by=caller.principal.name
        )
        return shown(await self._revisions.submit(_Bind(actor, binding)))

    def list(self, caller: Caller) -> list[BindingShown]:
        """Those of namespaces whose bindings the caller may read, by subject."""
        found = [
            shown(one)
            for one in read_all(self._view.people.get(BINDING, {}), Binding)
            if caller.may("bindings:read", one.grant.namespace)
        ]
        return sorted(found, key=lambda one: (one.kind, one.subject, one.namespace, one.role))

    def of(self, user: str, groups: Iterable[str]) -> tuple[Binding, ...]:
        """A local user's, by name, and those of groups; by namespace and role."""
        subjects = {("user", user), *(("group", group) for group in groups)}
        found = [
            one for one in read_all(self._view.people.get(BINDING, {}), Binding) if (one.kind, one.subject) in subjects
        ]
        return tuple(sorted(found, key=lambda one: (one.grant.namespace, one.grant.role, one.subject)))

    async def delete(self, caller: Caller, binding_id: str, actor: Actor) -> None:
        """Raises Problem 403 for more than the caller's own, 404, 409 for the last admin's."""
        await self._revisions.submit(_Unbind(actor, caller, binding_id, self._wall(), self._may_lose_admins))


class _Bind(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    binding: Binding

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> Binding:
        binding = self.binding
        rows = draft.people_of(BINDING)
        if (known := read(rows, binding.id, Binding)) is not None:
            return known
        if binding.kind == "user" and read(draft.people_of(USER), binding.subject, User) is None:
            names = [user.name for user in read_all(draft.people_of(USER), User)]
            message = f"subject: there is no user {binding.subject}{did_you_mean(binding.subject, names)}"
            raise Problem(
                422,
                "invalid_request",
                "Invalid request",
                detail=message,
                errors=(FieldError(path="subject", code="unknown_name", message=message),),
                mend=f"meshway user create {binding.subject} makes one; a group of a provider: --group PROVIDER:GROUP",
            )
        if sum(record.value is not None for record in rows.values()) >= MAX_BINDINGS:
            raise Problem(409, "too_many_bindings", "Too many bindings", detail=f"there are {MAX_BINDINGS}")
        put_binding(draft, binding)
        draft.acts.wrote(self.actor, 0, (), [told("bind", binding)])
        return binding


class _Unbind(msgspec.Struct, OfPeople, frozen=True):
    actor: Actor
    caller: Caller
    id: str
    now: float
    may_lose_admins: bool

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        binding = read(draft.people_of(BINDING), self.id, Binding)
        if binding is None or not self.caller.may("bindings:write", binding.grant.namespace):
            raise not_found(f"binding {self.id}", "meshway user bindings tells the ids")
        refuse_above(self.caller, Scope((binding.grant,)), "bindings:write")
        before = count_admins(draft, self.now)
        draft.put_person(BINDING, self.id, None, self.now)
        if not self.may_lose_admins:
            keep_an_admin(draft, self.now, before, f"{binding.kind} {binding.subject}")
        draft.acts.wrote(self.actor, 0, (), [told("unbind", binding)])


def put_binding(draft: Draft, binding: Binding) -> None:
    draft.put_person(BINDING, binding.id, encode(binding))


def told(op: str, binding: Binding) -> dict[str, str]:
    """For the audit log."""
    return {
        "op": op,
        binding.kind: binding.subject,
        "role": binding.grant.role,
        "namespace": binding.grant.namespace,
    }


def shown(binding: Binding) -> BindingShown:
    return BindingShown(
        id=binding.id,
        kind=binding.kind,
        subject=binding.subject,
        role=binding.grant.role,
        namespace=binding.grant.namespace,
        created_at=binding.created_at,
        created_by=binding.created_by,
    )


def _refuse_for_people(grant: Grant) -> None:
    if grant.role in NOT_FOR_PEOPLE:
        message = "role: gateway is for gateways, which sign in by tokens and certificates"
        raise invalid_request(message, (FieldError(path="role", code="forbidden_combination", message=message),))
