"""The registry's parts, without a surface: what the surfaces call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.alerts.alerts import Alerts
from registry.catalog.catalog import Catalog
from registry.certificates.issuer import Issuer
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.checks.targets import Targets
from registry.dns.server import DnsCounts
from registry.documents.documents import Documents
from registry.federation.federation import Federation
from registry.federation.single_sign_on import SingleSignOn
from registry.feed.feed import Feed
from registry.identity.identity import Identity
from registry.insight.insight import Insight
from registry.insight.shared_calls import SharedCalls
from registry.leases.leases import Leases
from registry.logs.logs import Logs
from registry.notices import Notices
from registry.notifications.notifications import Notifications
from registry.people.accounts import Accounts
from registry.people.keeping import PeopleKeeping
from registry.people.preferences import Preferences
from registry.people.session_callers import SessionCallers
from registry.people.sessions import Sessions
from registry.people.users import Users
from registry.proposals.proposals import Proposals
from registry.questions import Questions
from registry.revisions.following import Following
from registry.revisions.retention import Retention
from registry.revisions.revisions import Revisions
from registry.rights.bindings import Bindings
from registry.rights.denials import Denials
from registry.rights.tokens import Tokens
from registry.rollouts.rollouts import Rollouts
from registry.sign_in import SignIn
from registry.view.view import View

if TYPE_CHECKING:
    from meshway.sealing import Sealing
    from registry.limits.books import Books
    from registry.live.interface import Bus, Live
    from registry.settings import RegistrySettings
    from registry.store.interface import Store


@dataclass(frozen=True, slots=True)
class Callers:
    """Who calls: people with their sessions, tokens of programs. federation, single_sign_on: where issuers outside are
    named."""

    sign_in: SignIn
    tokens: Tokens
    sessions: Sessions
    session_callers: SessionCallers
    bindings: Bindings
    users: Users
    accounts: Accounts
    preferences: Preferences
    people: PeopleKeeping
    denials: Denials
    federation: Federation | None
    single_sign_on: SingleSignOn | None


@dataclass(frozen=True, slots=True)
class Watching:
    """What looks at the mesh. shared_calls: where other registries take gateways' words, too."""

    insight: Insight
    shared_calls: SharedCalls | None
    logs: Logs
    alerts: Alerts
    notifications: Notifications
    rollouts: Rollouts


@dataclass(slots=True)
class Core:
    """What the surfaces call. following: where other registries write to the same store. sealing: None where several
    registries may share a store and no master key was named. is_stopping: what is under way is answered, and nothing
    new should come."""

    settings: RegistrySettings
    view: View
    catalog: Catalog
    documents: Documents
    proposals: Proposals
    leases: Leases
    feed: Feed
    revisions: Revisions
    following: Following | None
    retention: Retention
    store: Store
    sealing: Sealing | None
    identity: Identity
    issuer: Issuer
    live: Live
    bus: Bus
    notices: Notices
    replicas: Replicas
    checks: Checks
    targets: Targets
    books: Books
    dns: DnsCounts
    questions: Questions
    callers: Callers
    watching: Watching
    is_stopping: bool = False

    def missing(self) -> dict[str, str]:
        """Parts that are away, and why. `store`: no writes, `live`: no lease ends; all the rest is served without."""
        parts = {"store": self.store.missing(), "live": self.live.missing()}
        return {part: why for part, why in parts.items() if why is not None}
