"""The registry's parts put together: each is made of those it knows, and joined to those it does not."""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

from meshway.audit import REGISTRY, RETENTION
from meshway.outbound.guard import guarded_dial
from registry.assembly.callers import callers
from registry.assembly.ground import lay, self_preservation
from registry.assembly.watching import watching
from registry.catalog.catalog import Catalog
from registry.certificates.issuer import Issuer
from registry.checks.checks import Checks
from registry.checks.replicas import Replicas
from registry.core import Core
from registry.dns.server import DnsCounts
from registry.documents.documents import Documents
from registry.documents.secret_frames import SecretFrames
from registry.feed.feed import Feed
from registry.identity.identity import Identity
from registry.identity.kubernetes import TokenReviews
from registry.mesh_settings import audit_age_s, leaf_lifetime_s
from registry.opening import books
from registry.proposals.proposals import Proposals
from registry.questions import Questions
from registry.revisions.acts import Actor, Noted
from registry.revisions.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.assembly.ground import Ground
    from registry.leases.place import AgreedPlace
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
    """Raises StartRefused."""
    ground = await lay(settings, store, shared, place, wall, clock)
    view, revisions, sealing, bus = ground.view, ground.revisions, ground.sealing, ground.bus
    secrets = None if sealing is None else SecretFrames(view, sealing)
    feed = Feed(view, store, live_gateways=live_gateways, secrets=secrets)
    identity = _identity(ground, behind)
    documents = Documents(view, revisions, store, sealing, is_read_only=settings.read_only)
    replicas = Replicas(bus, clock)
    core = Core(
        settings=settings,
        view=view,
        catalog=Catalog(view, revisions, ground.leases),
        documents=documents,
        proposals=Proposals(view, documents, revisions, store, wall),
        leases=ground.leases,
        feed=feed,
        revisions=revisions,
        following=ground.following,
        retention=_retention(ground),
        store=store,
        sealing=sealing,
        identity=identity,
        issuer=Issuer(view, store, identity.custody, revisions, sealing, wall=wall, random=random.random),
        live=ground.live,
        bus=bus,
        notices=ground.notices,
        replicas=replicas,
        checks=_checks(ground, replicas),
        targets=ground.targets,
        books=books(settings, clock),
        dns=DnsCounts(),
        questions=Questions(feed, bus, is_shared=bool(settings.redis_url)),
        callers=callers(ground),
        watching=watching(ground, numbers, lines, calls, identity),
    )
    # What was loaded lives as long as the process; the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    return core


def _identity(ground: Ground, behind: Callable[[int], tuple[str, ...]]) -> Identity:
    settings, view = ground.settings, ground.view
    return Identity(
        view,
        ground.store,
        ground.revisions,
        ground.sealing,
        behind=behind,
        lifetime_s=lambda: leaf_lifetime_s(view),
        wall=ground.wall,
        reviews=TokenReviews(settings) if settings.kubernetes_api else None,
    )


def _checks(ground: Ground, replicas: Replicas) -> Checks:
    settings = ground.settings
    return Checks(
        ground.view,
        ground.revisions.submit,
        replicas,
        guarded_dial(allow_loopback=settings.is_on_loopback, judge=ground.targets.refusal),
        self_preservation=self_preservation(settings),
        clock=ground.clock,
        random=random.random,
    )


def _retention(ground: Ground) -> Retention:
    settings, view = ground.settings, ground.view
    return Retention(
        view,
        ground.store,
        revisions=settings.log_revisions,
        age_s=settings.log_age_s,
        history_age_s=settings.history_age_s,
        audit_age_s=lambda: audit_age_s(view),
        tell=lambda change: ground.revisions.submit(Noted(Actor(REGISTRY, "", RETENTION), change)),
        wall=ground.wall,
        clock=ground.clock,
    )
