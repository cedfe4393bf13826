"""Making, listing and revoking tokens."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import FieldError, Problem, invalid_request, not_found
from registry.revisions.draft import Draft, OfPeople
from registry.rights.last_admin import count_admins, keep_an_admin
from registry.rights.roles import EVERYWHERE, OF_THE_MESH, RIGHTS_OF
from registry.rights.token import Grant, Scope, is_live, mint, principal_of, scope_of
from registry.store.interface import TokenRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence, Set

    from registry.revisions.revisions import Revisions
    from registry.rights.caller import Caller
    from registry.rights.roles import Right
    from registry.view.view import View

# Of those that are neither revoked nor over; MAX_OF_ONE: that name one namespace, so that who may make tokens there
# leaves room for others.
MAX_LIVE: Final = 10_000
MAX_OF_ONE: Final = 1_000
_BYTES: Final = 500


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it is listed: without itself. service: `namespace/name` of the one it registers. Times: seconds since 1970."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    service: str = ""
    created_at: float
    created_by: str
    expires_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None


class NewToken(Token, frozen=True, kw_only=True):
    """The one answer that tells it."""

    token: str


class Tokens:
    """wall: seconds since 1970. may_lose_admins: somebody is an admin without a token (callers on this machine)."""

    def __init__(self, view: View, revisions: Revisions, wall: Callable[[], float], *, may_lose_admins: bool) -> None:
        self._view = view
        self._revisions = revisions
        self._wall = wall
        self._may_lose_admins = may_lose_admins

    async def create(self, caller: Caller, name: str, scope: Scope, *, expires_in_s: float | None) -> NewToken:
        """Nobody gives what they have not. Raises Problem 403, 404, 409 (the name is taken), 422."""
        refuse_beyond(caller, scope)
        minted, now = mint(), self._wall()
        record = TokenRecord(
            id=minted.id,
            name=name,
            digest=minted.digest,
            scope=msgspec.msgpack.encode(scope),
            created_at=now,
            created_by=caller.principal.name,
            expires_at=None if expires_in_s is None else now + expires_in_s,
        )
        await self._revisions.submit(_Create(record, now))
        members = {field: getattr(shown(record), field) for field in Token.__struct_fields__}
        return NewToken(**members, token=minted.text)

    def list(self, caller: Caller) -> list[Token]:
        """Those that lie wholly where the caller may read tokens, oldest first."""
        records = sorted(self._view.tokens.values(), key=lambda record: (record.created_at, record.id))
        return [shown(record) for record in records if _is_within(caller, scope_of(record))]

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """Also when it is revoked already. Raises Problem 403 for more than the caller's own, 404, 409 for the last
        admin's."""
        await self._revisions.submit(_Revoke(token_id, caller, self._wall(), self._may_lose_admins))


class _Create(msgspec.Struct, OfPeople, frozen=True):
    record: TokenRecord
    now: float

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        """Names of live tokens differ: they stand in the history of documents."""
        live = [record for record in draft.all_tokens().values() if is_live(record, self.now)]
        if any(record.name == self.record.name for record in live):
            raise Problem(
                409,
                "name_taken",
                "Name taken",
                detail=f"there is a token {self.record.name} already",
                mend=f"choose another name, or revoke that one: meshway token revoke {self.record.name}",
            )
        if len(live) >= MAX_LIVE:
            raise Problem(
                409,
                "too_many_tokens",
                "Too many tokens",
                detail=f"{MAX_LIVE} tokens are live",
                mend="revoke some: meshway token list",
            )
        if len(live) >= MAX_OF_ONE:
            _refuse_more_of_one(scope_of(self.record).namespaces - {EVERYWHERE}, live)
        draft.put_token(self.record)


class _Revoke(msgspec.Struct, OfPeople, frozen=True):
    id: str
    caller: Caller
    now: float
    may_lose_admins: bool

    @property
    def size(self) -> int:
        return _BYTES

    def judge(self, draft: Draft) -> None:
        records = draft.all_tokens()
        record = records.get(self.id)
        if record is None or not _is_within(self.caller, scope_of(record)):
            raise not_found(f"token {self.id}", "meshway token list tells the ids")
        refuse_above(self.caller, scope_of(record))
        if record.revoked_at is not None:
            return
        before = count_admins(draft, self.now)
        by = self.caller.principal.name
        draft.put_token(msgspec.structs.replace(record, revoked_at=self.now, revoked_by=by))
        if not self.may_lose_admins:
            keep_an_admin(draft, self.now, before, f"token {record.name}")


def _refuse_more_of_one(namespaces: Set[str], live: Sequence[TokenRecord]) -> None:
    """Raises Problem 409."""
    counts = Counter(name for record in live for name in scope_of(record).namespaces)
    full = next((name for name in sorted(namespaces) if counts[name] >= MAX_OF_ONE), None)
    if full is not None:
        raise Problem(
            409,
            "too_many_tokens",
            "Too many tokens",
            detail=f"{MAX_OF_ONE} tokens of namespace {full} are live",
            mend="revoke some: meshway token list",
        )


def refuse_beyond(caller: Caller, scope: Scope, needed: Right = "tokens:write") -> None:
    """needed: to give anything there. Raises Problem 422 for a scope that makes no sense, 401, 403 or 404 for one that
    goes beyond the caller's own."""
    _refuse_senseless(scope)
    refuse_above(caller, scope, needed)


def refuse_above(caller: Caller, scope: Scope, needed: Right = "tokens:write") -> None:
    """Of giving and of taking back alike: whoever could take the admins' roles would be left the highest. Raises
    Problem 401, 403 or 404."""
    for grant in scope.grants:
        caller.require(needed, grant.namespace)
        for right in sorted(RIGHTS_OF[grant.role]):
            caller.require(right, grant.namespace)
    if scope.service:
        namespace = scope.service.partition("/")[0]
        caller.require("tokens:write", namespace)
        caller.require("instances:write", namespace)


def makers_of(principal: str, records: Iterable[TokenRecord]) -> tuple[str, ...]:
    """The principal, and of a token who made it, who made that one's maker, and so on: none of them is another person.

    Of a name that several tokens had one after the other all makers count.
    """
    made_by: dict[str, list[str]] = {}
    for record in records:
        made_by.setdefault(principal_of(record), []).append(record.created_by)
    makers = [principal]
    for one in makers:
        makers += [maker for maker in dict.fromkeys(made_by.get(one, ())) if maker not in makers]
    return tuple(makers)


def shown(record: TokenRecord) -> Token:
    scope = scope_of(record)
    return Token(
        id=record.id,
        name=record.name,
        grants=scope.grants,
        service=scope.service,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        revoked_by=record.revoked_by,
    )


def _refuse_senseless(scope: Scope) -> None:
    errors = [
        FieldError(
            path=f"grants[{at}].namespace",
            code="forbidden_combination",
            message=f"grants[{at}].namespace: {grant.role} is held in all namespaces or not at all: write {EVERYWHERE}",
        )
        for at, grant in enumerate(scope.grants)
        if grant.role in OF_THE_MESH and grant.namespace != EVERYWHERE
    ]
    if not scope.grants and not scope.service:
        message = "grants: is empty, and no service is named: such a token may nothing"
        errors.append(FieldError(path="grants", code="missing", message=message))
    if errors:
        raise invalid_request(errors[0].message, tuple(errors))


def _is_within(caller: Caller, scope: Scope) -> bool:
    return caller.is_admin or all(caller.may("tokens:read", namespace) for namespace in scope.namespaces)
