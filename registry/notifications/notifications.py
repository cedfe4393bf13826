"""Tells Receivers of alerts, by one registry of all on the store.

What is to be told is in the store before anything is sent: what fires is among the states of alerts, what is over comes
by the inbox, which is written in the transaction of the alert's own end. A message counts as told once the other side
has taken it; a registry that ends in between leaves the rest to the next one, so a message may come twice, and none is
lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from meshway.model.receiver import Receiver
from meshway.problem import Problem, not_found
from meshway.tasks import spawn
from registry.alerts.records import AlertState, packed, silence_of, state_of
from registry.notifications.grouping import (
    FAILING_S,
    begun,
    delivered,
    group_by_of,
    observed,
    refused,
    settled,
    to_tell,
)
from registry.notifications.kept import kept_in
from registry.notifications.message import message_id, trial_alert
from registry.notifications.records import (
    NO_OUTCOME,
    GroupKey,
    Outcome,
    group_labels,
    key_text,
    read_outcome,
)
from registry.notifications.routing import receivers_of
from registry.store.alerts import live_states, silences
from registry.store.interface import StoreUnavailable
from registry.store.notifications import (
    leave_in_inbox,
    outcome_of,
    read_inbox,
    read_outcomes,
    take_from_inbox,
)
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from registry.notifications.kept import Kept
    from registry.notifications.records import ReceiverKey
    from registry.notifications.sending import Sending, Sent
    from registry.store.interface import Store
    from registry.store.steps import Row, Step
    from registry.view.view import View

LOOK_S: Final = 2.0
# So many states of alerts are read in a thread: beside them heartbeats are answered.
_MANY: Final = 500
MOST_AT_ONCE: Final = 8
MOST_TESTS: Final = 2
# Of one Receiver; what would be a further one is told in one group without labels.
MOST_GROUPS: Final = 500
_INBOX_PAGE: Final = 500
_AGAIN_S: Final = 0.5
_WORK: Final = "notifications"
_log = logging.getLogger("registry.notifications")


class Notifications:
    """wall: seconds since 1970. random: uniform in [0, 1). is_muted: whether an alert's rule says that nobody is told
    now."""

    def __init__(
        self, view: View, store: Store, sending: Sending, wall: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.is_muted: Callable[[AlertState], bool] = lambda _: False
        self._view, self._store, self._sending = view, store, sending
        self._wall, self._random = wall, random
        self._held: Kept | None = None
        self._under_way: set[GroupKey] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._woken = asyncio.Event()
        self._tests = 0

    def also(self, alerts: Sequence[AlertState]) -> Sequence[Step]:
        """What belongs into the transaction of these transitions (registry/alerts/records.py)."""
        self._woken.set()
        return [
            leave_in_inbox(alert.id, alert.resolved_at or self._wall(), packed(alert))
            for alert in alerts
            if alert.state == "resolved" and any(True for _ in receivers_of(alert, self._receivers(), frozenset()))
        ]

    async def outcomes(self) -> dict[ReceiverKey, Outcome]:
        """How sending fares, by Receiver; whichever registry sends. Raises StoreUnavailable."""
        ((*rows,),) = await self._store.do([read_outcomes()])
        return dict(read_outcome(outcome_of(row)) for row in rows)

    async def failing(self) -> frozenset[ReceiverKey]:
        """Receivers that have taken no message for an hour of tries. Raises StoreUnavailable."""
        return self._failing(await self.outcomes())

    async def test(self, key: ReceiverKey, by: str) -> Sent:
        """Sends a message that says it is a test, now. Raises Problem 404, 503."""
        receiver = self._receivers().get(key)
        if receiver is None:
            raise not_found(f"Receiver {'/'.join(key)}")
        if self._tests >= MOST_TESTS:
            raise Problem(
                503,
                "busy",
                "Busy",
                detail="others test Receivers just now",
                mend="try again in some seconds",
                headers={"Retry-After": "5"},
            )
        alert = trial_alert(key, by, self._wall())
        self._tests += 1
        try:
            message = message_id(GroupKey(*key, "test"), [alert], alert.active_at)
            return await self._sending.send(key, receiver, {"alert": alert.name}, [alert], message=message)
        finally:
            self._tests -= 1

    async def run(self) -> None:
        """Never ends. What the store does not take is done again."""
        try:
            while True:
                await self._turn_and_wait()
        finally:
            for task in self._telling:
                task.cancel()

    async def _turn_and_wait(self) -> None:
        self._woken.clear()
        try:
            wait_s = await self.turn()
        except StoreUnavailable as error:
            _log.debug("not now: %s", error)
            self._held, wait_s = None, LOOK_S
        except NoRow:
            self._held, wait_s = None, _AGAIN_S  # another registry sends, or has sent meanwhile
        except Exception:
            # A defect in one message is no reason to end a registry that serves a mesh.
            _log.exception("nothing is told for now")
            self._held, wait_s = None, LOOK_S
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return

    async def turn(self) -> float:
        """Looks at what is to be told, and begins to send what is due. Returns after how many seconds to look again.

        Raises StoreUnavailable, NoRow.
        """
        if not await self._store.lead(_WORK):
            self._held = None
            return LOOK_S
        async with self._writing:
            held = self._held = self._held or await kept_in(self._store)
            receivers = self._receivers()
            now = self._wall()
            steps = held.follow(receivers)
            if receivers or held.groups:
                steps += await self._look(held, receivers, now)
            due = [key for key, group in held.groups.items() if group.due_at <= now and key not in self._under_way]
            messages = {}
            for key in due:
                receiver, group = receivers[key.of], held.groups[key]
                if sent := to_tell(group, receiver, now):
                    messages[key] = sent
                    steps += held.change(key, begun(group, sent))
                elif group.members:
                    steps += held.change(key, settled(group, receiver, now))
                else:
                    steps += held.change(key, None)
            if steps:
                await self._store.do(steps)
        for key, sent in messages.items():
            self._under_way.add(key)
            task = spawn(self._tell(key, receivers[key.of], sent), name="alert message")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
        waiting = [group.due_at for key, group in held.groups.items() if key not in self._under_way]
        return min([LOOK_S, *(max(at - now, 0.05) for at in waiting)])

    async def _look(self, held: Kept, receivers: Mapping[ReceiverKey, Receiver], now: float) -> list[Step]:
        """Brings the groups to what alerts are now; answers what is to be written."""
        # In this order: what ends in between is in the inbox, and may be among the live ones besides, never in neither.
        live, muted, inbox = await self._store.do([live_states(), silences(now), read_inbox(_INBOX_PAGE)])
        over = {key: state_of(value) for key, value in inbox}
        states = _states(live) if len(live) < _MANY else await asyncio.to_thread(_states, live)
        firing = [state for state in states if state.state == "firing" and state.id not in over]
        quiet = [silence_of(value) for (value,) in muted]
        failing = self._failing(held.outcomes)
        wanted: dict[GroupKey, dict[str, AlertState]] = {}
        groups_of: dict[ReceiverKey, set[GroupKey]] = {}
        for key in held.groups:
            groups_of.setdefault(key.of, set()).add(key)
        # What fires again counts more than that it was over before.
        for alert in (*over.values(), *firing):
            for receiver_key in receivers_of(alert, receivers, failing):
                key = _group_key(receiver_key, receivers[receiver_key], alert, groups_of)
                wanted.setdefault(key, {})[alert.fingerprint] = alert
        steps: list[Step] = []
        for key in wanted.keys() | held.groups.keys():
            alerts = wanted.get(key, {})
            silenced = {
                name
                for name, alert in alerts.items()
                if self.is_muted(alert) or any(each.covers(alert, now) for each in quiet)
            }
            labels = msgspec.json.decode(key.labels, type=dict[str, str])
            group = observed(held.groups.get(key), alerts, silenced, receivers[key.of], labels, now)
            steps += held.change(key, group)
        return steps + [take_from_inbox(key) for key in over]

    async def _tell(self, key: GroupKey, receiver: Receiver, sent: Mapping[str, AlertState]) -> None:
        try:
            held = self._held
            group = None if held is None else held.groups.get(key)
            if group is None:
                return
            alerts = sorted(sent.values(), key=lambda alert: (alert.state != "firing", alert.active_at))
            message = message_id(key, alerts, group.sent_at or 0.0)
            async with self._room:
                result = await self._sending.send(
                    key.of, receiver, group.labels, alerts, message=message, left_out=group.left_out
                )
            await self._note(key, receiver, sent, result)
        except (StoreUnavailable, NoRow):
            self._held = None  # it is told once more: better twice than never
        finally:
            self._under_way.discard(key)
            self._woken.set()

    async def _note(self, key: GroupKey, receiver: Receiver, sent: Mapping[str, AlertState], result: Sent) -> None:
        """What came of a message. Raises StoreUnavailable, NoRow."""
        async with self._writing:
            held, now = self._held, self._wall()
            group = None if held is None else held.groups.get(key)
            if held is None or group is None:
                return
            dropped = 0
            if result.ok:
                group = delivered(group, sent, receiver, now)
            else:
                group, dropped = refused(group, now, self._random())
            before = held.outcomes.get(key.of, NO_OUTCOME)
            outcome = _outcome(before, result, len(sent), dropped, now)
            _tell_log(key.of, before, outcome)
            await self._store.do([*held.change(key, group), held.note(key.of, outcome)])

    def _failing(self, outcomes: Mapping[ReceiverKey, Outcome]) -> frozenset[ReceiverKey]:
        now = self._wall()
        return frozenset(
            key
            for key, outcome in outcomes.items()
            if outcome.failing_since is not None and now - outcome.failing_since >= FAILING_S
        )

    def _receivers(self) -> dict[ReceiverKey, Receiver]:
        rows = self._view.documents.get(Receiver.__name__, {})
        return {key: row.spec for key, row in rows.items() if isinstance(row.spec, Receiver)}


def _states(rows: Iterable[Row]) -> list[AlertState]:
    return [state_of(value) for (value,) in rows]


def _group_key(
    of: ReceiverKey, receiver: Receiver, alert: AlertState, groups_of: dict[ReceiverKey, set[GroupKey]]
) -> GroupKey:
    key = GroupKey(*of, key_text(group_labels(alert, group_by_of(receiver))))
    known = groups_of.setdefault(of, set())
    if key not in known and len(known) >= MOST_GROUPS:
        return GroupKey(*of, key_text({}))
    known.add(key)
    return key


def _outcome(before: Outcome, result: Sent, alerts: int, dropped: int, now: float) -> Outcome:
    told = replace(before, at=now, ok=result.ok, detail=result.detail, alerts=alerts)
    if result.ok:
        return replace(told, delivered_at=now, failing_since=None, sent=before.sent + 1)
    since = now if before.failing_since is None else before.failing_since
    return replace(told, failing_since=since, failed=before.failed + 1, dropped=before.dropped + dropped)


def _tell_log(key: ReceiverKey, before: Outcome, after: Outcome) -> None:
    if before.failing_since is None and not after.ok:
        _log.warning("Receiver %s/%s takes no message: %s", *key, after.detail)
    elif before.failing_since is not None and after.ok:
        _log.info("Receiver %s/%s takes messages again", *key)
