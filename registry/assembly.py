"""The registry's parts put together: each is made of those it knows, and joined to those it does not."""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

from meshway.audit import REGISTRY, RETENTION
from meshway.outbound.guard import guarded_dial
from registry.alerts.alerts import Alerts
from registry.alerts.presence import Ending
from registry.catalog.catalog import Catalog
from registry.certificates.issuer import Issuer
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.checks.targets import targets_of
from registry.core import Core
from registry.dns.server import DnsCounts
from registry.documents.collector_credentials import collector_credentials
from registry.documents.differences import document_changes
from registry.documents.documents import Documents
from registry.documents.reading import read_change, rows_of
from registry.documents.secret_frames import SecretFrames
from registry.documents.secret_texts import SecretTexts
from registry.federation.federation import Federation
from registry.federation.issued_tokens import IssuedTokens
from registry.federation.single_sign_on import SingleSignOn
from registry.feed.feed import Feed
from registry.identity.identity import Identity
from registry.identity.kubernetes import TokenReviews
from registry.identity.publishing import shown_trust
from registry.insight.insight import Insight
from registry.insight.requests import RequestLog
from registry.insight.shared_calls import LEAD as CALLS_LEAD
from registry.insight.shared_calls import SharedCalls
from registry.insight.spans import SpanLog
from registry.leases.leases import Leases
from registry.leases.place import AgreedPlace
from registry.leases.self_preservation import SelfPreservation
from registry.leases.veto import SweepVeto
from registry.logs.forwarding import Forwarding
from registry.logs.logs import LEAD, Logs
from registry.mesh_settings import (
    audit_age_s,
    leaf_lifetime_s,
    logs_kept,
    most_spans,
    points_kept_s,
    public_url,
    settings_of,
)
from registry.notices import Notices
from registry.notifications.notifications import Notifications
from registry.notifications.sending import Sending
from registry.opening import books, live_state, loaded_view, opened_sealing
from registry.people.accounts import Accounts
from registry.people.keeping import PeopleKeeping
from registry.people.preferences import Preferences
from registry.people.session_callers import SessionCallers
from registry.people.sessions import Sessions
from registry.people.throttle import Throttle
from registry.people.users import Users
from registry.proposals.proposals import Proposals
from registry.questions import Questions
from registry.revisions.acts import Actor, Noted
from registry.revisions.following import Following
from registry.revisions.retention import Retention
from registry.revisions.revisions import Revisions
from registry.rights.bindings import Bindings
from registry.rights.bootstrap import FILE_NAME, read_bootstrap
from registry.rights.denials import Denials
from registry.rights.tokens import Tokens
from registry.rights.workloads import Workloads
from registry.rollouts.rollouts import Rollouts
from registry.sign_in import SignIn
from registry.view.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.otlp import Otlp
    from meshway.sealing import Sealing
    from registry.settings import RegistrySettings
    from registry.store.calls import CallStore
    from registry.store.insight import InsightStore
    from registry.store.interface import SharedStore, Store
    from registry.store.logs import LogStore


async def assemble(
    settings: RegistrySettings,
    store: Store,
    shared: SharedStore | None,
    numbers: InsightStore,
    lines: LogStore,
    calls: CallStore | None,
    place: AgreedPlace,
    live_gateways: Callable[[], int],
    behind: Callable[[int], tuple[str, ...]],
    wall: Callable[[], float],
    clock: Callable[[], float],
) -> Core:
    view = await loaded_view(settings, store)
    sealing = await opened_sealing(settings, store)
    following = None if shared is None else Following(view, shared, read=read_change, rows=rows_of)
    revisions = Revisions(view, store, wall=wall, following=following, differences=document_changes)
    live, bus = live_state(settings, SweepVeto(store), place, clock)
    # From here on: every lease the store knows counts as renewed now, unless Redis knows better.
    leases = Leases(
        view,
        live,
        revisions.submit,
        self_preservation=_self_preservation(settings),
        remove_after_s=settings.remove_after_s,
        lead=place.lead,
    )
    await live.catch_up()  # without Redis it serves all the same
    replicas = Replicas(bus, clock)
    targets = targets_of(settings)
    checks = Checks(
        view,
        revisions.submit,
        replicas,
        guarded_dial(allow_loopback=settings.is_on_loopback, judge=targets.refusal),
        self_preservation=_self_preservation(settings),
        clock=clock,
        random=random.random,
    )
    retention = Retention(
        view,
        store,
        revisions=settings.log_revisions,
        age_s=settings.log_age_s,
        history_age_s=settings.history_age_s,
        audit_age_s=lambda: audit_age_s(view),
        tell=lambda change: revisions.submit(Noted(Actor(REGISTRY, "", RETENTION), change)),
        wall=wall,
        clock=clock,
    )
    feed = Feed(
        view, store, live_gateways=live_gateways, secrets=None if sealing is None else SecretFrames(view, sealing)
    )
    identity = Identity(
        view,
        store,
        revisions,
        sealing,
        behind=behind,
        lifetime_s=lambda: leaf_lifetime_s(view),
        wall=wall,
        reviews=TokenReviews(settings) if settings.kubernetes_api else None,
    )
    session_callers = SessionCallers(lambda: view.people, wall)
    sessions = Sessions(view, revisions, session_callers, wall)
    documents = Documents(view, revisions, store, sealing, is_read_only=settings.read_only)
    federation = None
    if settings.oidc_file is not None:
        federation = Federation(settings.oidc_file, allow_loopback=settings.is_on_loopback, clock=clock, wall=wall)
    shared_calls = None
    if calls is not None:
        shared_calls = SharedCalls(calls, lambda: store.lead(CALLS_LEAD), wall, lambda: most_spans(view))
    insight = Insight(
        numbers,
        RequestLog(settings.data_dir / "requests", wall) if shared_calls is None else shared_calls.requests,
        SpanLog(lambda: most_spans(view)) if shared_calls is None else shared_calls.spans,
        store,
        view,
        wall,
        lambda: points_kept_s(view),
    )
    alerts = Alerts(
        view,
        store,
        insight.reading,
        revisions,
        holds=lambda: leases.holds,
        endings=lambda: _endings(identity),
        clock=clock,
        wall=wall,
    )
    notifications = Notifications(
        view,
        store,
        Sending(
            guarded_dial(allow_loopback=settings.is_on_loopback, judge=targets.own_refusal),
            SecretTexts(view, sealing),
            targets.closed,
            wall,
            lambda: public_url(view),
            allow_loopback=settings.is_on_loopback,
        ),
        wall,
        random.random,
    )
    notices = Notices(bus)
    alerts.on_change(lambda namespaces: notices.tell("alerts", namespaces))
    notifications.is_muted = alerts.is_muted
    alerts.evaluator.also.append(notifications.also)
    alerts.evaluator.failing = notifications.failing
    users = Users(view, revisions, wall, may_lose_admins=settings.trusts_loopback)
    denials = Denials(revisions, clock)
    # What was loaded lives as long as the process; the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    return Core(
        settings=settings,
        view=view,
        catalog=Catalog(view, revisions, leases),
        documents=documents,
        proposals=Proposals(view, documents, revisions, store, wall),
        leases=leases,
        feed=feed,
        revisions=revisions,
        following=following,
        retention=retention,
        store=store,
        sealing=sealing,
        identity=identity,
        issuer=Issuer(view, store, identity.custody, revisions, sealing, wall=wall, random=random.random),
        live=live,
        bus=bus,
        notices=notices,
        replicas=replicas,
        checks=checks,
        targets=targets,
        books=books(settings, clock),
        dns=DnsCounts(),
        questions=Questions(feed, bus, is_shared=bool(settings.redis_url)),
        sign_in=_sign_in(
            settings,
            view,
            session_callers,
            None if federation is None else IssuedTokens(federation, session_callers.held_by, clock, wall),
            wall,
        ),
        tokens=Tokens(view, revisions, wall, may_lose_admins=settings.trusts_loopback),
        sessions=sessions,
        session_callers=session_callers,
        bindings=Bindings(view, revisions, wall, may_lose_admins=settings.trusts_loopback),
        people=PeopleKeeping(view, store, revisions, session_callers, wall),
        insight=insight,
        rollouts=Rollouts(
            view,
            insight.reading,
            revisions,
            lambda: store.lead("rollouts"),
            wall,
            lambda namespaces: notices.tell("rollouts", namespaces),
        ),
        shared_calls=shared_calls,
        logs=Logs(
            lines,
            _forwarding(settings, view, sealing),
            kept=lambda: logs_kept(view),
            lead=lambda: store.lead(LEAD),
            wall=wall,
            clock=clock,
        ),
        alerts=alerts,
        notifications=notifications,
        federation=federation,
        single_sign_on=None
        if federation is None
        else SingleSignOn(federation, sealing, sessions, session_callers.held_by, wall),
        users=users,
        accounts=Accounts(users, sessions, revisions, Throttle(clock), sealing, denials.note, wall),
        preferences=Preferences(view, revisions, wall),
        denials=denials,
    )


def _sign_in(
    settings: RegistrySettings,
    view: View,
    sessions: SessionCallers,
    issued: IssuedTokens | None,
    wall: Callable[[], float],
) -> SignIn:
    """Raises StartRefused. Where callers on this machine are trusted, one of them makes the first token."""
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
        issued=issued,
    )


async def _endings(identity: Identity) -> list[Ending]:
    """Of those who sign. Raises StoreUnavailable."""
    trust = await identity.custody.read()
    signing = () if trust is None else (*trust.of("root"), *trust.of("intermediate"))
    return [Ending(f"{one.role} {one.id}", one.created_at, one.not_after) for one in signing]


def _forwarding(settings: RegistrySettings, view: View, sealing: Sealing | None) -> Forwarding:
    secrets = SecretTexts(view, sealing)

    def target() -> Otlp | None:
        telemetry = settings_of(view).telemetry
        return None if telemetry is None else telemetry.forward_logs

    return Forwarding(
        target,
        lambda otlp: collector_credentials(otlp, secrets),
        guarded_dial(allow_loopback=settings.is_on_loopback),
    )


def _self_preservation(settings: RegistrySettings) -> SelfPreservation:
    return SelfPreservation(
        percent=settings.self_preservation_percent,
        minimum=settings.self_preservation_min,
        max_s=settings.self_preservation_max_s,
    )
