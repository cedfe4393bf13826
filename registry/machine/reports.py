"""What gateways say: what they run and refused, who answered them, and what they were asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.problem import Problem
from registry.gateways import Gateways, Report
from registry.machine.request import Reply, Request
from registry.manners.json_text import decoder_of, parse_json

if TYPE_CHECKING:
    from registry.leases.leases import Leases
    from registry.questions import Questions


class Reports:
    __slots__ = ("_decode", "_gateways", "_leases", "_questions")

    def __init__(self, gateways: Gateways, leases: Leases, questions: Questions) -> None:
        self._gateways = gateways
        self._leases = leases
        self._questions = questions
        self._decode = decoder_of(Report, "")

    def post(self, request: Request) -> Reply:
        report = self._decode(request.body)
        self._gateways.report(report)
        if report.evidence:
            self._leases.answered([(one.namespace, one.service, one.id) for one in report.evidence])
        return Reply(204)

    def answer(self, request: Request) -> Reply:
        """POST /v1/answers/{id}. A question is forgotten at its deadline, so a late answer finds none."""
        question = request.segments[2]
        if not self._questions.take(question, parse_json(request.body)):
            raise Problem(404, "no_question", "No such question", detail=f"no question {question} waits for an answer")
        return Reply(204)
