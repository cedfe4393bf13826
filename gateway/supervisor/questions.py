"""What a host is asked over the feed, and what it answers: from a worker's running tables, or from tables of a draft.

A draft is compiled here, beside the loop, from what is held and the changes: workers carry calls, the supervisor does
not. What it knows of the host (ejections, failing checks, open breakers) is put in; limits are as at a start.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from random import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from gateway.channel import TransitionFrame, encode
from gateway.compiler.state import State
from gateway.compiler.tables import Compiler
from gateway.explain.explaining import explain_question
from gateway.explain.rehearsing import Clock, Rehearsed, rehearse
from gateway.plan import Parts
from gateway.supervisor.recordings import Recordings
from gateway.telemetry.recent import RECENT, RecentCalls
from gateway.upstream.transition import Transition
from meshway.breakers import BREAKER_RESET, BreakersReset
from meshway.call_lines import MOST_TAPPED, TAP, Tapped
from meshway.explanation import EXPLAIN, CallQuestion
from meshway.purge import PURGE, Purged
from meshway.rehearsal import MOST_CALLS, REHEARSE
from meshway.snapshot import Change, Question
from meshway.tasks import spawn
from meshway.traffic import TRAFFIC, RuleTraffic, Traffic

if TYPE_CHECKING:
    from gateway.supervisor.supervisor import Supervisor

MOST_AT_ONCE: Final = 4  # drafts being compiled or judged
PRUNE_S: Final = 60.0
RECENT_WITHIN_S: Final = 5.0
UNRECORDED: Final = "this gateway records no calls: it runs with --access-log off"
NEVER_DRAWN: Final = 1.0 - 2.0**-53  # of a chance below certainty

_log = logging.getLogger("meshway.gateway.supervisor")


class Held(NamedTuple):
    """What a host knows at one moment."""

    revision: int
    entries: list[Change]
    transitions: list[Transition]


class Questions:
    """host: whose answers these are."""

    def __init__(self, host: "Supervisor") -> None:
        self._host = host
        self._running = 0
        self._recordings = Recordings(host.settings.recorded_folder)

    async def run(self) -> None:
        """Keeps the recorded calls within their bounds, until cancelled."""
        while True:
            await asyncio.to_thread(self._recordings.prune)
            await asyncio.sleep(PRUNE_S)

    def take(self, question: Question) -> None:
        """Answers later, to the registry that is followed now."""
        url = self._host.follower.registry
        if url is None:
            return
        spawn(self._answer(question), name=f"answer {question.kind}")

    async def _answer(self, question: Question) -> None:
        url = self._host.follower.registry
        if url is None:
            return
        body: Any
        if self._running >= MOST_AT_ONCE and question.kind != TAP:
            body = {"error": "the gateway answers other questions now; ask again"}
        else:
            self._running += 1
            try:
                body = await self._told(question)
            except TimeoutError:
                body = {"error": "no worker of the gateway answered in time"}
            except Exception:
                _log.exception("a question of kind %s failed", question.kind)
                body = {"error": "internal error of the gateway, see its log"}
            finally:
                self._running -= 1
        await self._host.reporter.answer(url, question.id, body)

    async def _told(self, question: Question) -> Any:
        if question.kind == BREAKER_RESET:
            return self._reset_breakers(str(question.body["service"]))
        if question.kind == TAP:
            return await self._tapped(question)
        if question.kind == PURGE:
            return await self._purged(question)
        if question.kind == TRAFFIC:
            route, span_s = str(question.body["route"]), float(question.body["last_s"])
            return await asyncio.to_thread(self._traffic, route, span_s, await self._recent())
        if question.kind not in (EXPLAIN, REHEARSE):
            return {"error": f"this gateway cannot answer {question.kind}"}
        changes = [read_change(plain) for plain in question.body["changes"]]
        if question.kind == REHEARSE:
            last_s, held = float(question.body["last_s"]), self.now_held()
            return await asyncio.to_thread(self._rehearse, last_s, held, changes, await self._recent())
        if changes:
            call = msgspec.convert(question.body["call"], CallQuestion)
            return await asyncio.to_thread(self._explain_draft, call, self.now_held(), changes)
        running = self._host.slots.running
        if not running:
            return {"error": "the gateway has no worker that accepts"}
        return await running[0].ask(EXPLAIN, question.deadline_s, question.body["call"])

    def _reset_breakers(self, service: str) -> Any:
        host = self._host
        closed = host.transitions.end_breakers(service)
        host.slots.send_encoded(encode(TransitionFrame(transition=Transition(kind="breaker_reset", cluster=service))))
        host.reporter.changed()
        _log.info("breakers of %s were reset by hand; open were: %s", service, ", ".join(closed) or "none")
        return msgspec.to_builtins(BreakersReset(gateway=host.settings.node_name, closed=closed))

    async def _purged(self, question: Question) -> Any:
        """By all workers, or it is not done: one that does not answer would go on with what is to be forgotten."""
        asked = (each.ask(PURGE, question.deadline_s, question.body) for each in self._host.slots.running)
        answers = sum([int(told) for told in await asyncio.gather(*asked)])
        return msgspec.to_builtins(Purged(gateway=self._host.settings.node_name, answers=answers))

    async def _tapped(self, question: Question) -> Any:
        """Of all workers; one that does not answer in time tells next time."""
        asked = (each.ask(TAP, question.deadline_s, question.body) for each in self._host.slots.running)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        told = msgspec.convert([one for one in answers if not isinstance(one, BaseException)], list[Tapped])
        node = self._host.settings.node_name
        lines = sorted((line for one in told for line in one.lines), key=lambda line: line.time)
        left_out = sum(one.left_out for one in told) + max(0, len(lines) - MOST_TAPPED)
        shown = [msgspec.structs.replace(line, node=node) for line in lines[-MOST_TAPPED:]]
        error = next((one.error for one in told if one.error), "")
        seen = sum(one.seen for one in told)
        return msgspec.to_builtins(Tapped(node=node, lines=shown, seen=seen, left_out=left_out, error=error))

    def _traffic(self, route: str, last_s: float, recent: Sequence[RecentCalls]) -> Any:
        """In a thread."""
        if self._host.settings.access_log == "off":
            return msgspec.to_builtins(Traffic(error=UNRECORDED))
        rules: dict[str, RuleTraffic] = {}
        for call in self._recordings.latest(last_s, MOST_CALLS, recent).recorded:
            if call.route == route:
                known = rules.get(call.rule, RuleTraffic())
                rules[call.rule] = known.with_call(call.seen, call.status, call.reason, call.service)
        return msgspec.to_builtins(Traffic(gateways=[self._host.settings.node_name], rules=rules))

    async def _recent(self) -> list[RecentCalls]:
        """Of every worker, or of none: a span of which one does not tell is not whole."""
        if self._host.settings.access_log == "off":
            return []
        try:
            told = await asyncio.gather(*(each.ask(RECENT, RECENT_WITHIN_S) for each in self._host.slots.running))
        except TimeoutError:
            return []
        return msgspec.convert(told, list[RecentCalls])

    def _rehearse(self, last_s: float, held: Held, changes: Sequence[Change], recent: Sequence[RecentCalls]) -> Any:
        """In a thread."""
        calls, whole_from_s = self._recordings.latest(last_s, MOST_CALLS, recent)
        if self._host.settings.access_log == "off":
            return {"error": UNRECORDED}
        now, then = Clock(), Clock()
        today, _ = self.drafted(held, (), now)
        proposed, refused = self.drafted(held, changes, then)
        if refused:
            return {"error": refused}
        node = self._host.settings.node_name
        told = rehearse(Rehearsed(today, now), Rehearsed(proposed, then), calls, node)
        from_disk = [] if recent else [node]
        return msgspec.to_builtins(msgspec.structs.replace(told, whole_from_s=whole_from_s, from_disk=from_disk))

    def now_held(self) -> Held:
        """On the loop: nothing of it changes any more."""
        host = self._host
        return Held(host.held.revision, list(host.held.changes()), list(host.transitions.in_force()))

    def _explain_draft(self, call: CallQuestion, held: Held, changes: Sequence[Change]) -> Any:
        """In a thread."""
        state, refused = self.drafted(held, changes)
        if refused:
            return {"error": refused}
        try:
            told = explain_question(state, call, time.monotonic(), self._host.settings.node_name, draft=True)
        except ValueError as error:
            return {"error": str(error)}
        return msgspec.to_builtins(told)

    def drafted(self, held: Held, changes: Sequence[Change], clock: Clock | None = None) -> tuple[State, str]:
        """Tables of what is held with the changes, and why they cannot be had, or "". In any thread.

        clock: the time of a recording, in which nothing is left to chance; None: they are of now.
        """
        entries = {change.key: change for change in held.entries}
        for change in changes:
            entries.pop(change.key, None)
            if change.op == "put":
                entries[change.key] = change
        settings = self._host.settings
        if clock is None:
            parts = Parts(now=time.monotonic, random=random, zone=settings.zone)
        else:
            parts = Parts(now=clock, random=lambda: NEVER_DRAWN, wall=clock, zone=settings.zone)
        parts.crosses_namespaces = settings.worker.crosses_namespaces
        compiler = Compiler(parts)
        refusals = compiler.snapshot(held.revision, entries.values())
        for transition in held.transitions if clock is None else ():
            compiler.tables.apply_transition(transition)
        drafts = {change.key for change in changes}
        own = [each for each in refusals if each.key in drafts]
        return compiler.state, f"{own[0].kind} {own[0].namespace}/{own[0].name}: {own[0].reason}" if own else ""


def read_change(plain: dict[str, Any]) -> Change:
    """One of a question's changes."""
    value = msgspec.Raw(msgspec.msgpack.encode(plain.get("value")))
    return Change(plain["op"], plain["kind"], plain["namespace"], plain["name"], value)
