"""The registry's parts put together, without a surface."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshway.audit import REGISTRY, RETENTION
from meshway.model import mesh_settings
from meshway.model.document import MESH_NAMESPACE
from meshway.model.mesh_settings import MeshSettings
from meshway.outbound.guard import guarded_dial
from meshway.tasks import spawn
from registry.alerts.alerts import Alerts
from registry.alerts.presence import Ending
from registry.catalog.catalog import Catalog
from registry.certificates.issuer import Issuer
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.checks.targets import Targets, targets_of
from registry.dns.server import DnsCounts
from registry.documents.collector_credentials import collector_credentials
from registry.documents.differences import document_changes
from registry.documents.documents import Documents
from registry.documents.reading import read_change, rows_of
from registry.documents.secret_frames import SecretFrames
from registry.federation.federation import Federation
from registry.federation.issued_tokens import IssuedTokens
from registry.federation.single_sign_on import SingleSignOn
from registry.feed.feed import Feed
from registry.identity.identity import Identity
from registry.identity.kubernetes import TokenReviews
from registry.identity.publishing import shown_trust
from registry.insight.insight import Insight, open_calls, open_numbers
from registry.insight.requests import RequestLog
from registry.insight.rolling import STEPS_S
from registry.insight.shared_calls import LEAD as CALLS_LEAD
from registry.insight.shared_calls import SharedCalls
from registry.insight.spans import SpanLog
from registry.leases.abandoned import AbandonedHolds
from registry.leases.company import Company
from registry.leases.leases import Leases
from registry.leases.place import AgreedPlace
from registry.leases.self_preservation import SelfPreservation
from registry.leases.veto import SweepVeto
from registry.limits.books import MemoryBooks
from registry.live.memory import MemoryBus, MemoryLive
from registry.logs.forwarding import Forwarding
from registry.logs.logs import LEAD, KeptLogs, Logs, open_logs
from registry.notices import Notices
from registry.notifications.notifications import Notifications
from registry.notifications.secret_texts import SecretTexts
from registry.notifications.sending import Sending
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
from registry.revisions.recovery import Recovery
from registry.revisions.retention import Retention
from registry.revisions.revisions import Revisions
from registry.rights.bindings import Bindings
from registry.rights.bootstrap import FILE_NAME, read_bootstrap
from registry.rights.denials import Denials
from registry.rights.following import PeopleFollowing
from registry.rights.tokens import Tokens
from registry.rights.workloads import Workloads
from registry.rollouts.rollouts import Rollouts
from registry.sealing import new_data_key, read_master_key, sealing_of
from registry.settings import StartRefused
from registry.sign_in import SignIn
from registry.store.interface import DataKeyRecord, StoreUnavailable
from registry.store.sqlite import SqliteStore
from registry.view.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from meshway.model.otlp import Otlp
    from meshway.sealing import Sealing
    from registry.limits.books import Books
    from registry.live.interface import Bus, Live, Veto
    from registry.settings import RegistrySettings
    from registry.store.calls import CallStore
    from registry.store.insight import InsightStore
    from registry.store.interface import SharedStore, Store
    from registry.store.logs import LogStore

_CLOSE_S = 10.0
_DATA_KEY = "secrets"
_log = logging.getLogger("registry.core")


@dataclass(slots=True)
class Core:
    """What the surfaces call. following, shared_calls: where other registries write to the same store. sealing: None
    where several registries may share a store and no master key was named. is_stopping: what is under way is answered,
    and nothing new should come."""

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
    insight: Insight
    notifications: Notifications
    logs: Logs
    shared_calls: SharedCalls | None
    rollouts: Rollouts
    alerts: Alerts
    federation: Federation | None
    single_sign_on: SingleSignOn | None
    is_stopping: bool = False

    def missing(self) -> dict[str, str]:
        """Parts that are away, and why. `store`: no writes, `live`: no lease ends; all the rest is served without."""
        parts = {"store": self.store.missing(), "live": self.live.missing()}
        return {part: why for part, why in parts.items() if why is not None}


@asynccontextmanager
async def open_core(
    settings: RegistrySettings,
    *,
    live_gateways: Callable[[], int] = lambda: 1,
    behind: Callable[[int], tuple[str, ...]] = lambda _: (),
    wall: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
    die: Callable[[], None] = lambda: os._exit(70),
) -> AsyncIterator[Core]:
    """Opens the store, migrates, loads, starts committer, sweep, ticks and retention; ends them in order.

    behind: the live gateways that do not run a revision. die: called when one of the tasks ends with an error. Without
    the committer every later write would wait for ever, and without the sweep no lease would ever end, so the process
    goes and its supervisor starts another (70: EX_SOFTWARE of sysexits). Raises StartRefused: one clear line.
    """
    async with (
        open_store(settings) as (store, shared),
        open_numbers(settings) as numbers,
        open_logs(settings, wall) as lines,
        open_calls(settings) as calls,
    ):
        company = None if shared is None else Company(store, has_redis=bool(settings.redis_url))
        if company is not None:
            await company.take()
        place = AgreedPlace(store)
        core = await _assemble(
            settings, store, shared, numbers, lines, calls, place, live_gateways, behind, wall, clock
        )
        await place.settle()
        committer = spawn(core.revisions.run(), name="committer")
        committer.add_done_callback(lambda task: _end_if_failed(task, die))
        background = [
            spawn(core.live.run(), name="leases over replicas"),
            spawn(place.run(), name="place where leases are shared"),
            spawn(core.bus.run(), name="bus"),
            spawn(core.books.run(), name="book of shared limits"),
            spawn(core.leases.run(), name="lease sweep"),
            spawn(AbandonedHolds(store, core.live).run(), name="abandoned holds"),
            spawn(core.replicas.run(), name="replicas"),
            spawn(core.checks.run(), name="health checks"),
            spawn(core.checks.write(), name="findings of health checks"),
            spawn(core.feed.run(), name="feed ticks"),
            spawn(core.retention.run(), name="log retention"),
            spawn(core.identity.run(), name="identities"),
            spawn(core.issuer.run(), name="certificates that the mesh issues"),
            spawn(core.insight.ingest.run(), name="reports of numbers"),
            spawn(core.insight.rolling.run(), name="points of numbers"),
            spawn(core.notifications.run(), name="messages of alerts"),
            spawn(core.logs.intake.run(), name="lines of logs"),
            spawn(core.logs.forwarding.run(), name="logs to a collector"),
            spawn(core.logs.run(), name="retention of logs"),
            spawn(core.rollouts.run(), name="rollouts"),
            spawn(core.alerts.run(), name="alerts"),
            spawn(Recovery(store).run(), name="recovery of the store"),
            spawn(core.people.run(), name="uses of sessions"),
        ]
        if core.following is not None:
            background.append(spawn(core.following.run(), name="store poll"))
            background.append(
                spawn(PeopleFollowing(core.view, store, time.time).run(), name="people of other registries")
            )
        if company is not None:
            background.append(spawn(company.run(), name="lock of those who share leases"))
        if core.shared_calls is not None:
            background.append(spawn(core.shared_calls.run(), name="calls that gateways tell of"))
            background.append(spawn(core.shared_calls.forget(), name="retention of calls"))
        if core.federation is not None:
            background.append(spawn(core.federation.run(), name="keys of issuers outside"))
        for task in background:
            task.add_done_callback(lambda task: _end_if_failed(task, die))
        try:
            yield core
        finally:
            for task in background:
                task.cancel()
            core.revisions.close()
            await asyncio.wait([committer, *background], timeout=_CLOSE_S)


@asynccontextmanager
async def open_store(settings: RegistrySettings) -> AsyncIterator[tuple[Store, SharedStore | None]]:
    """The store, and the same once more when other registries may write to it."""
    if not settings.database_url:
        store = SqliteStore(settings.data_dir, migrate=settings.migrate)
        try:
            yield store, None
        finally:
            await store.close()
        return
    from registry.store.postgres.store import open_postgres  # a tenth of a second, for those who want it

    async with open_postgres(settings.database_url, migrate=settings.migrate) as shared:
        yield shared, shared


async def _assemble(
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
    view = await _loaded_view(settings, store)
    sealing = await _sealing(settings, store)
    following = None if shared is None else Following(view, shared, read=read_change, rows=rows_of)
    revisions = Revisions(view, store, wall=wall, following=following, differences=document_changes)
    live, bus = _live_state(settings, SweepVeto(store), place, clock)
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
        audit_age_s=lambda: _audit_age_s(view),
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
        lifetime_s=lambda: _leaf_lifetime_s(view),
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
        shared_calls = SharedCalls(calls, lambda: store.lead(CALLS_LEAD), wall, lambda: _most_spans(view))
    insight = Insight(
        numbers,
        RequestLog(settings.data_dir / "requests", wall) if shared_calls is None else shared_calls.requests,
        SpanLog(lambda: _most_spans(view)) if shared_calls is None else shared_calls.spans,
        store,
        view,
        wall,
        lambda: _points_kept_s(view),
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
        books=_books(settings, clock),
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
            kept=lambda: _logs_kept(view),
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


async def _loaded_view(settings: RegistrySettings, store: Store) -> View:
    """Raises StartRefused."""
    try:
        loaded = await store.load()
    except StoreUnavailable as error:
        raise StartRefused(f"the store cannot be read: {error}") from error
    view = View(
        epoch=loaded.epoch,
        revision=loaded.revision,
        floor=loaded.floor,
        instance_number=loaded.instance_number,
        at=loaded.at,
        recent_bytes=settings.recent_bytes,
    )
    view.namespaces.update(loaded.namespaces)
    view.load(*rows_of(loaded))
    for once in loaded.onces:
        view.remember_once(once)
    view.know_tokens(loaded.tokens)
    view.know_people(loaded.people)
    view.audit_head = loaded.audit_head
    return view


async def _sealing(settings: RegistrySettings, store: Store) -> Sealing | None:
    """Raises StartRefused."""
    try:
        kept = {record.name: record.wrapped for record in await store.data_keys()}
        if settings.database_url and settings.master_key_file is None:
            # A key in the data folder of one of them would be of no use to the others.
            if kept:
                raise StartRefused(
                    "the store holds sealed secrets: name the key they are sealed by (MESHWAY_MASTER_KEY_FILE)"
                )
            return None
        master_key = await asyncio.to_thread(
            read_master_key, settings.master_key_file, settings.data_dir, is_first=_DATA_KEY not in kept
        )
        if _DATA_KEY not in kept:
            fresh = DataKeyRecord(_DATA_KEY, new_data_key(master_key))
            kept = {record.name: record.wrapped for record in await store.data_keys([fresh])}
    except StoreUnavailable as error:
        raise StartRefused(f"the keys of the store cannot be read: {error}") from error
    return sealing_of(kept[_DATA_KEY], master_key)


async def _endings(identity: Identity) -> list[Ending]:
    """Of those who sign. Raises StoreUnavailable."""
    trust = await identity.custody.read()
    signing = () if trust is None else (*trust.of("root"), *trust.of("intermediate"))
    return [Ending(f"{one.role} {one.id}", one.created_at, one.not_after) for one in signing]


def _leaf_lifetime_s(view: View) -> float:
    return (_settings_of(view).identity or mesh_settings.Identity()).leaf_lifetime


def _audit_age_s(view: View) -> float:
    return (_settings_of(view).retention or mesh_settings.Retention()).audit


def _points_kept_s(view: View) -> dict[int, float]:
    kept = _settings_of(view).retention or mesh_settings.Retention()
    return dict(zip(STEPS_S, (kept.points_10s, kept.points_1m, kept.points_1h), strict=True))


def _most_spans(view: View) -> int:
    return (_settings_of(view).retention or mesh_settings.Retention()).spans


def _logs_kept(view: View) -> KeptLogs:
    kept = _settings_of(view).retention or mesh_settings.Retention()
    return KeptLogs(kept.logs, kept.logs_max)


def _forwarding(settings: RegistrySettings, view: View, sealing: Sealing | None) -> Forwarding:
    def target() -> Otlp | None:
        telemetry = _settings_of(view).telemetry
        return None if telemetry is None else telemetry.forward_logs

    return Forwarding(
        target,
        lambda otlp: collector_credentials(otlp, view, sealing),
        guarded_dial(allow_loopback=settings.is_on_loopback),
    )


def _settings_of(view: View) -> MeshSettings:
    row = view.document((MeshSettings.__name__, MESH_NAMESPACE, mesh_settings.NAME))
    spec = None if row is None else row.spec
    return spec if isinstance(spec, MeshSettings) else MeshSettings()


def _self_preservation(settings: RegistrySettings) -> SelfPreservation:
    return SelfPreservation(
        percent=settings.self_preservation_percent,
        minimum=settings.self_preservation_min,
        max_s=settings.self_preservation_max_s,
    )


def _live_state(
    settings: RegistrySettings, veto: Veto, place: AgreedPlace, clock: Callable[[], float]
) -> tuple[Live, Bus]:
    if not settings.redis_url:
        return MemoryLive(clock), MemoryBus()
    from registry.live.redis import RedisLive
    from registry.live.redis_bus import RedisBus  # a tenth of a second, for those who want it

    return RedisLive(settings.redis_url, clock, veto, place), RedisBus(settings.redis_url, clock)


def _books(settings: RegistrySettings, clock: Callable[[], float]) -> Books:
    if not settings.redis_url:
        return MemoryBooks(clock)
    from registry.limits.redis import RedisBooks

    return RedisBooks(settings.redis_url)


def _end_if_failed(task: asyncio.Task[None], die: Callable[[], None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed; the process ends", task.get_name(), exc_info=task.exception())
        die()
