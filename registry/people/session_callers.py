"""Who calls by a session: looked up for each request, with the rights that its person holds now.

A session is over 12 hours after it was last used and 7 days after it was opened, and as soon as it was ended, or its
user is disabled, deleted or has another password. What was taken from the person is gone at once; what was added waits
until the session has a new id (OWASP Session Management: renew it after any change of privileges), but where it is a
bearer's, whose text no page can have set and no command would renew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.identity import Principal
from registry.rights.caller import Caller
from registry.rights.records import (
    BINDING,
    SESSION,
    USER,
    Session,
    User,
    admins_in,
    by_subject,
    digest_of,
    grants_of,
    read,
)
from registry.view.view import SEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from registry.rights.records import Carrier
    from registry.rights.token import Grant
    from registry.store.interface import PeopleRecord

    People = Mapping[str, Mapping[str, PeopleRecord]]

IDLE_S: Final = 12 * 3600.0
ABSOLUTE_S: Final = 7 * 86_400.0
_NOTHING: Final[dict[str, PeopleRecord]] = {}
_REMEMBERED: Final = 50_000


class Known(msgspec.Struct, frozen=True):
    """has_more: its person holds roles that it was not opened with. must_change: the password, before anything else."""

    session: Session
    caller: Caller
    has_more: bool
    must_change: bool


class SessionCallers:
    """people: as the view holds them. wall: seconds since 1970. used: when each was used last, by digest, until it is
    written down (following.py)."""

    __slots__ = ("_grants", "_known", "_people", "_wall", "used")

    def __init__(self, people: Callable[[], People], wall: Callable[[], float]) -> None:
        self._people = people
        self._wall = wall
        self._known: dict[str, Known] = {}
        self._grants: dict[tuple[str, str], tuple[Grant, ...]] | None = None
        self.used: dict[str, float] = {}

    def caller(self, text: str, carrier: Carrier) -> Caller | None:
        """None: it is no session, or over."""
        digest = digest_of(text)
        known = self.known(digest)
        if known is None or known.session.carrier != carrier:
            return None
        self.used[digest] = self._wall()
        return known.caller

    def known(self, digest: str) -> Known | None:
        """None: it is over."""
        known = self._known.get(digest)
        if known is None:
            known = self._looked_up(digest)
            if known is None:
                return None
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = known
        now = self._wall()
        return known if now < known.session.until and now < self.last_used(digest, known.session) + IDLE_S else None

    def is_still(self, caller: Caller) -> bool:
        """Whether what was begun with it may go on: it is live, and its person's rights are what they were."""
        known = self.known(caller.session)
        if known is None:
            return False
        now = known.caller
        return now is caller or (now.everywhere, now.within) == (caller.everywhere, caller.within)

    def last_used(self, digest: str, session: Session) -> float:
        seen = self._people().get(SEEN, _NOTHING).get(digest)
        return max(session.opened_at, self.used.get(digest, 0.0), 0.0 if seen is None else float(seen.version))

    def held_by(self, groups: Iterable[str]) -> tuple[Grant, ...]:
        """Of a provider's groups, now."""
        bindings = self._bindings()
        return tuple(dict.fromkeys(grant for group in groups for grant in bindings.get(("group", group), ())))

    def has_admin_user(self) -> bool:
        """Whether a user who can sign in may everything."""
        people = self._people()
        return bool(admins_in(people.get(USER, _NOTHING), people.get(BINDING, _NOTHING)))

    def forget(self) -> None:
        """Somebody has come, gone or changed."""
        self._known.clear()
        self._grants = None

    def _looked_up(self, digest: str) -> Known | None:
        people = self._people()
        session = read(people.get(SESSION, _NOTHING), digest, Session)
        if session is None:
            return None
        user = read(people.get(USER, _NOTHING), session.user, User) if session.user else None
        if session.user and (user is None or user.is_disabled or user.mark != session.mark):
            return None
        now = grants_of(self._bindings(), session)
        must_change = user is not None and user.must_change
        counts = now if session.carrier == "bearer" else [grant for grant in now if grant in session.held]
        caller = Caller(
            Principal(session.principal, groups=frozenset(session.groups), method="session"),
            () if must_change else counts,
            expires_at=session.until,
            session=digest,
            confirmed_at=session.confirmed_at,
            must_change=must_change,
        )
        return Known(session, caller, len(counts) < len(now), must_change)

    def _bindings(self) -> dict[tuple[str, str], tuple[Grant, ...]]:
        if self._grants is None:
            self._grants = by_subject(self._people().get(BINDING, _NOTHING))
        return self._grants
