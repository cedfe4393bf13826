"""Who calls a registry, put together: people with their sessions, tokens of programs, and issuers outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.core import Callers
from registry.federation.federation import Federation
from registry.federation.issued_tokens import IssuedTokens
from registry.federation.single_sign_on import SingleSignOn
from registry.identity.publishing import shown_trust
from registry.people.accounts import Accounts
from registry.people.keeping import PeopleKeeping
from registry.people.preferences import Preferences
from registry.people.session_callers import SessionCallers
from registry.people.sessions import Sessions
from registry.people.throttle import Throttle
from registry.people.users import Users
from registry.rights.bindings import Bindings
from registry.rights.bootstrap import FILE_NAME, read_bootstrap
from registry.rights.denials import Denials
from registry.rights.tokens import Tokens
from registry.rights.workloads import Workloads
from registry.sign_in import SignIn

if TYPE_CHECKING:
    from registry.assembly.ground import Ground


def callers(ground: Ground) -> Callers:
    """Raises StartRefused."""
    view, revisions, sealing, wall = ground.view, ground.revisions, ground.sealing, ground.wall
    may_lose_admins = ground.settings.trusts_loopback
    session_callers = SessionCallers(lambda: view.people, wall)
    sessions = Sessions(view, revisions, session_callers, wall)
    users = Users(view, revisions, wall, may_lose_admins=may_lose_admins)
    denials = Denials(revisions, ground.clock)
    federation = _federation(ground)
    return Callers(
        sign_in=_sign_in(ground, session_callers, federation),
        tokens=Tokens(view, revisions, wall, may_lose_admins=may_lose_admins),
        sessions=sessions,
        session_callers=session_callers,
        bindings=Bindings(view, revisions, wall, may_lose_admins=may_lose_admins),
        users=users,
        accounts=Accounts(users, sessions, revisions, Throttle(ground.clock), sealing, denials.note, wall),
        preferences=Preferences(view, revisions, wall),
        people=PeopleKeeping(view, ground.store, revisions, session_callers, wall),
        denials=denials,
        federation=federation,
        single_sign_on=None
        if federation is None
        else SingleSignOn(federation, sealing, sessions, session_callers.held_by, wall),
    )


def _federation(ground: Ground) -> Federation | None:
    settings = ground.settings
    if settings.oidc_file is None:
        return None
    return Federation(settings.oidc_file, allow_loopback=settings.is_on_loopback, clock=ground.clock, wall=ground.wall)


def _sign_in(ground: Ground, sessions: SessionCallers, federation: Federation | None) -> SignIn:
    """Raises StartRefused. Where callers on this machine are trusted, one of them makes the first token."""
    settings, view, wall = ground.settings, ground.view, ground.wall
    bootstrap = None
    if not settings.trusts_loopback:
        file = settings.bootstrap_token_file or settings.data_dir / FILE_NAME
        bootstrap = read_bootstrap(file, view.tokens.values(), is_told=not settings.has_parent)
    return SignIn(
        lambda: view.tokens,
        wall,
        trusts_loopback=settings.trusts_loopback,
        bootstrap=bootstrap,
        workloads=Workloads(lambda: shown_trust(view), wall),
        sessions=sessions,
        is_encrypted=settings.tls_certificate is not None,
        issued=None if federation is None else IssuedTokens(federation, sessions.held_by, ground.clock, wall),
    )
