"""What a worker does with each frame of its supervisor, once it has begun."""

import time
from typing import TYPE_CHECKING

from gateway.channel import (
    Buckets,
    ChannelFrame,
    Drain,
    Gateways,
    GrantFrame,
    IdentityFrame,
    Kept,
    KeySetFrame,
    KeySetsWanted,
    ListenersWanted,
    NonceTold,
    NoSnapshot,
    PairFrame,
    PairsWanted,
    Proven,
    ReopenLogs,
    StoreFrame,
    TransitionFrame,
)
from meshway.snapshot import Question, SecretFrame, SecretsWanted

if TYPE_CHECKING:
    from gateway.worker.worker import Worker


def take(worker: "Worker", frame: ChannelFrame) -> None:
    """What is none of these is of the feed."""
    if isinstance(frame, NoSnapshot):
        worker.listening.open()
    elif isinstance(frame, Drain):
        worker.listening.drain(frame.idle_s, frame.end_s, is_last=frame.is_last)
    elif isinstance(frame, ReopenLogs):
        worker.records.log_file.reopen()
    elif isinstance(frame, ListenersWanted):
        worker.own.want(frame.spots)
    elif isinstance(frame, TransitionFrame):
        worker.applier.take(frame.transition)
    elif isinstance(frame, Kept):
        worker.applier.take(frame)
    elif isinstance(frame, Proven):
        worker.compiler.prove(frame.changes)
    elif isinstance(frame, Gateways):
        _count_gateways(worker, frame)
    elif isinstance(frame, Question):
        worker.answering.take(frame)
    elif not (_take_limits(worker, frame) or _take_credentials(worker, frame)):
        worker.follow(frame)


def _count_gateways(worker: "Worker", frame: Gateways) -> None:
    worker.parts.gateways = frame.live
    worker.serving.heard(frame.heard_s)
    for cluster in worker.holder.tables.clusters.values():
        cluster.share_anew()


def _take_limits(worker: "Worker", frame: ChannelFrame) -> bool:
    """What other processes say of limits. Whether it was that."""
    desks = worker.parts.desks
    if isinstance(frame, GrantFrame):
        desks[frame.scope].answered(frame.number, frame.grants, frame.workers)
    elif isinstance(frame, StoreFrame):
        desks["mesh"].tell(frame.lost, frame.workers)
    elif isinstance(frame, Buckets):
        worker.compiler.limits.adopt(frame.limits, time.monotonic())
    else:
        return False
    return True


def _take_credentials(worker: "Worker", frame: ChannelFrame) -> bool:
    """What the gateway shows, and what callers are judged by. Whether it was that."""
    parts, serving = worker.parts, worker.serving
    if isinstance(frame, SecretFrame):
        parts.secrets.take(frame)
    elif isinstance(frame, SecretsWanted):
        parts.secrets.drop(frame.keys)
    elif isinstance(frame, KeySetFrame):
        parts.keys.take(frame.url, frame.text, frame.confirmed_s)
    elif isinstance(frame, KeySetsWanted):
        parts.keys.drop(frame.urls)
    elif isinstance(frame, NonceTold):
        worker.nonces.told(frame.number, frame.is_fresh)
    elif isinstance(frame, PairFrame):
        serving.pairs.take((frame.namespace, frame.name), frame.pair)
    elif isinstance(frame, PairsWanted):
        serving.pairs.drop(frame.names)
    elif isinstance(frame, IdentityFrame):
        serving.take_identity(frame.pair)
    else:
        return False
    return True
