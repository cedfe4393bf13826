"""What every part of a registry stands on: its view of the store, the way to write, and the leases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.checks.targets import targets_of
from registry.documents.differences import document_changes
from registry.documents.reading import read_change, rows_of
from registry.leases.leases import Leases
from registry.leases.self_preservation import SelfPreservation
from registry.leases.veto import SweepVeto
from registry.notices import Notices
from registry.opening import live_state, loaded_view, opened_sealing
from registry.revisions.following import Following
from registry.revisions.revisions import Revisions

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.sealing import Sealing
    from registry.checks.targets import Targets
    from registry.leases.place import AgreedPlace
    from registry.live.interface import Bus, Live
    from registry.settings import RegistrySettings
    from registry.store.interface import SharedStore, Store
    from registry.view.view import View


@dataclass(frozen=True, slots=True)
class Ground:
    """following: where other registries write to the same store. sealing: None where secrets are not kept. wall:
    seconds since 1970; clock: monotonic seconds."""

    settings: RegistrySettings
    store: Store
    view: View
    sealing: Sealing | None
    following: Following | None
    revisions: Revisions
    live: Live
    bus: Bus
    leases: Leases
    notices: Notices
    targets: Targets
    wall: Callable[[], float]
    clock: Callable[[], float]


async def lay(
    settings: RegistrySettings,
    store: Store,
    shared: SharedStore | None,
    place: AgreedPlace,
    wall: Callable[[], float],
    clock: Callable[[], float],
) -> Ground:
    """Raises StartRefused."""
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
        self_preservation=self_preservation(settings),
        remove_after_s=settings.remove_after_s,
        lead=place.lead,
    )
    await live.catch_up()  # without Redis it serves all the same
    return Ground(
        settings=settings,
        store=store,
        view=view,
        sealing=sealing,
        following=following,
        revisions=revisions,
        live=live,
        bus=bus,
        leases=leases,
        notices=Notices(bus),
        targets=targets_of(settings),
        wall=wall,
        clock=clock,
    )


def self_preservation(settings: RegistrySettings) -> SelfPreservation:
    return SelfPreservation(
        percent=settings.self_preservation_percent,
        minimum=settings.self_preservation_min,
        max_s=settings.self_preservation_max_s,
    )
