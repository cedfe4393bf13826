import gc
from typing import Any

import pytest

from gateway.channel import Kept
from gateway.compiler.diff import Refusal
from gateway.compiler.tables import Compiler
from gateway.exchange import MESH
from gateway.feed.state import Changes, Whole
from gateway.plan import Parts
from gateway.routing.table import TablesHolder
from gateway.upstream.transition import Transition
from gateway.worker.apply import MAX_WAITING, Applier, Batch
from gateway.worker.unready import unready_tables
from meshway.snapshot import Change
from tests.parts.calls import call
from tests.parts.changes import document, edge_route, left, running
from tests.parts.conditions import until


class Applied:
    def __init__(self) -> None:
        parts = Parts(now=lambda: 100.0, random=lambda: 0.5)
        self.compiler = Compiler(parts)
        self.holder = TablesHolder(unready_tables(parts))
        self.said: list[tuple[int, list[Refusal]]] = []
        self.pauses = self.resumes = 0
        self.applier = Applier(self.compiler, self.holder, self._on_applied, self._pause, self._resume)

    def _on_applied(self, revision: int, refused: list[Refusal]) -> None:
        self.said.append((revision, refused))

    def _pause(self) -> None:
        self.pauses += 1

    def _resume(self) -> None:
        self.resumes += 1

    def whole(self, revision: int, *entries: Change) -> None:
        self.applier.take(Whole("e1", revision, {entry.key: entry for entry in entries}))

    def change(self, revision: int, *changes: Change) -> None:
        self.applier.take(Changes(revision, list(changes)))

    def eligible(self, cluster: str = "default/books") -> list[str]:
        return [endpoint.id for endpoint in self.holder.tables.clusters[cluster].eligible]

    async def reaches(self, revision: int) -> None:
        await until(lambda: self.holder.tables.revision == revision)


def route(number: int = 0) -> Change:
    rule: dict[str, Any] = {"match": [{"path": {"prefix": f"/{number}"}}], "destinations": [{"service": "books"}]}
    return document("Route", f"r{number}", edge_route(rule))


async def test_before_the_first_tables_every_call_is_refused_with_503() -> None:
    applied = Applied()
    plan = applied.holder.tables.match(call("/anything"))
    assert plan is not None
    reply = plan.request_filters[0](call("/anything"))
    assert (reply.status, reply.reason) == (503, "not_ready")  # type: ignore[union-attr]


async def test_changes_of_instances_are_in_force_when_take_returns() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"))
    await applied.reaches(1)
    applied.change(2, running("books", "b2"))
    assert (applied.holder.tables.revision, applied.eligible()) == (2, ["b1", "b2"])


async def test_an_instance_by_whose_word_routes_are_compiled_does_not_hold_up_the_loop() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1", protocol="grpc"), route())
    await applied.reaches(1)
    applied.change(2, running("books", "b2"))
    assert applied.holder.tables.revision == 1, "they are compiled beside it"
    applied.change(3, running("books", "b3"))
    await applied.reaches(3)
    assert applied.eligible() == ["b1", "b2", "b3"]
    applied.change(4, left("books", "b3"))
    assert applied.holder.tables.revision == 4


async def test_what_comes_while_documents_compile_is_applied_in_order_and_together() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"))
    applied.change(2, running("books", "b2"), route(1))
    applied.change(3, left("books", "b1"))
    applied.change(4, running("books", "b3"))
    assert applied.said == []
    await applied.reaches(4)
    assert applied.eligible() == ["b2", "b3"]
    assert [revision for revision, _ in applied.said] == [1, 4]
    assert applied.holder.tables.match(call("/1")) is not None


async def test_each_version_of_a_document_is_tried_however_fast_they_come() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"))
    applied.change(2, route(1))
    applied.change(3, route(2), running("books", "b2"))
    bad = document(
        "Route", "r1", edge_route({"destinations": [{"service": "books"}], "match": [{"path": {"prefix": "/%2f"}}]})
    )
    applied.change(4, bad)
    applied.change(5, left("books", "b1"))
    await applied.reaches(5)
    assert [revision for revision, _ in applied.said] == [1, 3, 5]
    assert applied.holder.tables.match(call("/1")) is not None, "the last that compiles goes on"


async def test_a_transition_behind_a_snapshot_waits_for_its_tables() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"), running("books", "b2"))
    applied.applier.take(Transition(kind="check_failed", endpoint=("default", "books", "b1"), reason="timeout"))
    await until(lambda: applied.said and applied.eligible() == ["b2"])


async def test_what_is_kept_holds_before_the_revision_that_takes_it_away_few_or_many() -> None:
    applied = Applied()
    many = [running("books", f"b{number:03d}") for number in range(300)]
    applied.whole(1, *many)
    await applied.reaches(1)
    applied.applier.take(Kept(changes=many[:1]))
    applied.change(2, left("books", "b000"))
    assert (applied.holder.tables.revision, len(applied.eligible())) == (2, 300), "few: at once"
    for at in range(0, 300, 100):
        applied.applier.take(Kept(changes=many[at : at + 100]))
    applied.applier.take(Kept(changes=many[:1]))
    applied.whole(3)
    await applied.reaches(3)
    assert len(applied.eligible()) == 300
    applied.applier.take(Kept(changes=[left("books", f"b{number:03d}") for number in range(300)]))
    await until(lambda: applied.eligible() == [])


@pytest.mark.parametrize("count", [3, 300])
async def test_what_is_kept_is_there_with_the_first_snapshot_and_not_before(count: int) -> None:
    applied = Applied()
    applied.applier.take(Kept(changes=[running("books", f"b{number:03d}") for number in range(count)]))
    applied.whole(1, document("RateLimit", "bad", {"token_bucket": "none"}))
    assert applied.holder.tables.match(call("/")) is not None, "503 not_ready"
    await applied.reaches(1)
    assert len(applied.eligible()) == count
    plan = applied.holder.tables.match(call(host="books", listener=MESH))
    assert plan is not None
    assert len(plan.request_filters) == 1, "it is a first start all the same"


async def test_a_refused_document_is_told_and_the_rest_goes_on() -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"), route(1), document("Route", "bad", {"rules": "none"}))
    await applied.reaches(1)
    assert [(r, [x.name for x in refused]) for r, refused in applied.said] == [(1, ["bad"])]
    assert applied.holder.tables.match(call("/1")) is not None


async def test_a_fault_of_the_compiler_keeps_the_tables_and_is_tried_again_with_the_next_change(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    applied = Applied()
    applied.whole(1, running("books", "b1"))
    await applied.reaches(1)

    def break_down(*arguments: object, **named: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Compiler, "prepare_diff", break_down)
    applied.change(2, route(1))
    await until(lambda: len(applied.said) == 2)
    assert (applied.said[-1][0], applied.said[-1][1][-1].kind) == (1, "Revision")
    assert "a fault" in caplog.text
    assert gc.isenabled()
    monkeypatch.undo()
    applied.change(3, route(2))
    await applied.reaches(3)
    assert applied.holder.tables.match(call("/1")) is not None
    assert applied.said[-1] == (3, [])


async def test_too_much_that_waits_holds_the_channel_back(monkeypatch: pytest.MonkeyPatch) -> None:
    applied = Applied()
    applied.whole(1)
    for revision in range(2, MAX_WAITING + 10):
        applied.change(revision, running("books", "b1"))
    assert applied.pauses == 1
    await applied.reaches(MAX_WAITING + 9)
    assert applied.resumes > 0


def test_a_batch_lets_go_of_what_it_has_read_and_goes_on_from_it() -> None:
    batch = Batch(1, [running("books", "b1"), running("books", "b2")], whole=True)
    batch.read()
    assert not batch.changes
    batch.changes.append(left("books", "b2"))
    [(_, instances)] = batch.read().instances.items()
    assert {identity for identity, instance in instances.items() if instance is not None} == {"b1"}
