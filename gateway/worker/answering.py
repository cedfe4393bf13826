"""What a worker answers to questions of the supervisor: of its tables, its limits, its calls."""

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.channel import Answer
from gateway.telemetry.recent import RECENT, RecentCalls, recent_calls
from gateway.telemetry.recorder import Recorder
from gateway.worker import caching
from gateway.worker.explaining import tell_when_known, told_of
from gateway.worker.states import tables_state
from meshway.call_lines import TAP, TapQuestion
from meshway.explanation import EXPLAIN
from meshway.purge import PURGE, Purge
from meshway.snapshot import Question

if TYPE_CHECKING:
    from gateway.worker.worker import Worker

MOST_SPENT: Final = 900_000  # bytes of an answer that is one frame


class Answering:
    """Of one worker, from its start on. began: monotonic seconds, when it started to keep calls."""

    def __init__(self, worker: "Worker", began: float) -> None:
        self._of = worker
        self._began = began

    def take(self, question: Question) -> None:
        of = self._of
        if question.kind == EXPLAIN:
            tell_when_known(
                of.loop,
                of.parts.desks.values(),
                lambda: told_of(of.compiler.state, question.body, of.node),
                lambda told: of.channel.send(Answer(id=question.id, body=told)),
            )
        elif question.kind == RECENT and of.records.recorder is not None:
            self._answer_recent(question.id, of.records.recorder)
        else:
            of.channel.send(Answer(id=question.id, body=self._body(question)))

    def _body(self, question: Question) -> Any:
        of, now = self._of, time.monotonic()
        if question.kind == "state":
            return tables_state(of.holder.tables, now) | {"connections": of.listening.connections()}
        if question.kind == "limits":
            return of.compiler.limits.spent(now, MOST_SPENT)
        if question.kind == TAP:
            return of.records.tap.answer(msgspec.convert(question.body, TapQuestion), now)
        if question.kind == PURGE:
            return caching.purge(of.compiler.state, msgspec.convert(question.body, Purge))
        return {"error": f"unknown question {question.kind}"}

    def _answer_recent(self, question: str, recorder: Recorder) -> None:
        """Beside the loop: leaving secrets out of two thousand heads takes as long as many calls."""
        of = self._of
        ended, now, wall_s = list(recorder.ended), time.monotonic(), time.time()
        rules = tuple(of.records.counters.rules)

        def read() -> RecentCalls:
            return recent_calls(ended, rules, since=self._began, now=now, wall_s=wall_s)

        of.aside(read, lambda told: of.channel.send(Answer(id=question, body=told)))
