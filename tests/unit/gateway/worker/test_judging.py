"""Who is judged anew, when, and how much of it in one beat."""

from gateway.plan import Parts
from gateway.routing.connection_table import ConnectionTable
from gateway.routing.table import Tables, TablesHolder
from gateway.worker.judging import Judging
from gateway.worker.streams import Streams
from gateway.worker.unready import unready_tables
from tests.parts.clock import ManualClock

NOBODY = Streams(lambda: (), ManualClock())


def tables(revision: int, before: Tables | None = None) -> Tables:
    """before: of whose Routes they are."""
    made = unready_tables(Parts(now=ManualClock(), random=lambda: 0.5))
    made.revision = revision
    if before is None:
        made.connections = {"bytes": ConnectionTable(())}
    else:
        made.connections, made.edge, made.mesh = before.connections, before.edge, before.mesh
        made.parts = before.parts
    return made


class Judged:
    """by: revisions."""

    def __init__(self) -> None:
        self.by: list[int] = []

    def judge(self, tables: Tables) -> str:
        self.by.append(tables.revision)
        return ""


def test_a_hundred_thousand_are_judged_once_over_many_beats() -> None:
    holder = TablesHolder(tables(1))
    judging = Judging(holder, None, NOBODY)
    carried = [Judged() for _ in range(100_000)]
    holder.carried |= {each.judge for each in carried}
    holder.tables = tables(2)
    judging.begin()
    beats = 0
    while not all(each.by for each in carried):
        judging.beat()
        beats += 1
    assert beats > 2
    judging.beat()
    assert {tuple(each.by) for each in carried} == {(2,)}


def test_nobody_is_judged_where_no_route_has_changed() -> None:
    first = tables(1)
    holder = TablesHolder(first)
    judging, one = Judging(holder, None, NOBODY), Judged()
    holder.carried.add(one.judge)
    holder.tables = tables(2, before=first)
    judging.begin()
    judging.beat()
    assert one.by == []


def test_a_revision_in_the_middle_has_a_turn_of_its_own() -> None:
    holder = TablesHolder(tables(1))
    judging = Judging(holder, None, NOBODY)
    carried = [Judged() for _ in range(20_000)]
    holder.carried |= {each.judge for each in carried}
    holder.tables = tables(2)
    judging.begin()
    judging.beat()
    holder.tables = tables(3)
    judging.begin()
    for _ in range(1_000):
        judging.beat()
    assert {each.by[-1] for each in carried} == {3}
    assert any(each.by == [2, 3] for each in carried)


def test_who_has_left_meanwhile_is_not_asked() -> None:
    holder = TablesHolder(tables(1))
    judging, one = Judging(holder, None, NOBODY), Judged()
    holder.carried.add(one.judge)
    holder.tables = tables(2)
    judging.begin()
    holder.carried.discard(one.judge)
    judging.beat()
    assert one.by == []
