"""Somebody must stay who may everything: without one nobody could make another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.problem import Problem
from registry.rights.records import BINDING, USER, admins_in
from registry.rights.token import live_admins

if TYPE_CHECKING:
    from registry.revisions.acts import Actor
    from registry.revisions.draft import Draft
    from registry.rights.records import User


def count_admins(draft: Draft, now: float) -> int:
    """Tokens that are live, and users who can sign in. now: seconds since 1970."""
    users = admins_in(draft.people_of(USER), draft.people_of(BINDING))
    return len(live_admins(draft.all_tokens().values(), now)) + len(users)


def keep_oneself(draft: Draft, was_admin: bool, actor: Actor, user: User) -> None:
    """Called once a user was taken away: who is the only person who is admin stays, whatever tokens programs have.

    was_admin: the user was one who may everything. Raises Problem 409.
    """
    if not was_admin or actor.principal != user.principal:
        return
    if not admins_in(draft.people_of(USER), draft.people_of(BINDING)):
        raise Problem(
            409,
            "last_admin",
            "The last admin",
            detail=f"you are {user.name}, the only person who is admin: nobody could let you in again",
            mend="make another first: meshway user create NAME --role admin -A",
        )


def keep_an_admin(draft: Draft, now: float, before: int, what: str) -> None:
    """Called once something was taken away. before: how many there were. what: that was to be taken away.

    Raises Problem 409.
    """
    if before and not count_admins(draft, now):
        raise Problem(
            409,
            "last_admin",
            "The last admin",
            detail=f"{what} is the only admin: without it nobody could make another",
            mend="make another first: meshway token create NAME --role admin, or meshway user create NAME --role admin",
        )
