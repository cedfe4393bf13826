"""Statements about numbers of calls, the same for PostgreSQL and the embedded store's file of its own."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from sqlalchemy import BigInteger, Float, LargeBinary, Text, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import BindParameter

from registry.store.steps import Query, Row, Step
from registry.store.tables.insight import INSIGHT_LAST_USED, INSIGHT_POINTS, INSIGHT_POSITIONS, INSIGHT_REPORTS


class InsightStore(Protocol):
    """Where numbers are kept. Both may raise StoreUnavailable."""

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        """All of the steps in one transaction, and the rows of each. Raises NoRow, and then nothing was done."""

    async def read(self, steps: Sequence[Step]) -> list[list[Row]]:
        """As they stood at one moment."""

    async def close(self) -> None: ...


class PointKey(NamedTuple):
    """Of a row of `insight_points`."""

    step_s: int
    at: int
    section: str
    part: str


_POS: Final = INSIGHT_POSITIONS.c
_REPORT: Final = INSIGHT_REPORTS.c
_POINT: Final = INSIGHT_POINTS.c
_USED: Final = INSIGHT_LAST_USED.c


def _text(name: str) -> BindParameter[str]:
    return bindparam(name, type_=Text)


def _whole(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


_position: Final = insert(INSIGHT_POSITIONS).values(
    node=_text("of_node"),
    boot=_text("of_boot"),
    sequence=_whole("number"),
    taken=_text("taking"),
    at=bindparam("moment", type_=Float),
)
_TAKE: Final = Query(
    _position.on_conflict_do_update(
        index_elements=[_POS.node, _POS.boot],
        set_={name: _position.excluded[name] for name in ("sequence", "taken", "at")},
        where=_POS.sequence < _position.excluded.sequence,
    ).returning(_POS.sequence)
)
# Only behind a position that this very taking has set: a report that was counted before adds nothing.
_KEEP: Final = Query(
    insert(INSIGHT_REPORTS).from_select(
        ["node", "boot", "sequence", "at", "value"],
        select(
            _POS.node,
            _POS.boot,
            _POS.sequence,
            _whole("slot").label("at"),
            bindparam("packed", type_=LargeBinary).label("value"),
        ).where(_POS.node == _text("of_node"), _POS.boot == _text("of_boot"), _POS.taken == _text("taking")),
    )
)
_REPORTS: Final = Query(
    select(_REPORT.node, _REPORT.boot, _REPORT.sequence, _REPORT.at, _REPORT.value)
    .where(_REPORT.at >= _whole("first"), _REPORT.at < _whole("end"))
    .order_by(_REPORT.at)
)
_REPORT_KEYS: Final = Query(
    select(_REPORT.node, _REPORT.boot, _REPORT.sequence, _REPORT.at)
    .where(_REPORT.at >= _whole("first"), _REPORT.at < _whole("end"))
    .order_by(_REPORT.at)
)
_REPORT_VALUE: Final = Query(
    select(_REPORT.value).where(
        _REPORT.node == _text("of_node"), _REPORT.boot == _text("of_boot"), _REPORT.sequence == _whole("number")
    )
)
_REPORT_SLOTS: Final = Query(
    select(_REPORT.at).where(_REPORT.at < _whole("end")).distinct().order_by(_REPORT.at).limit(_whole("count"))
)
_FORGET_REPORT: Final = Query(
    delete(INSIGHT_REPORTS)
    .where(_REPORT.node == _text("of_node"), _REPORT.boot == _text("of_boot"), _REPORT.sequence == _whole("number"))
    .returning(_REPORT.sequence)
)
_ADD_POINT: Final = Query(
    insert(INSIGHT_POINTS).values({column.name: bindparam(column.name, type_=column.type) for column in _POINT})
)
_KEY: Final = and_(
    _POINT.step_s == _whole("which_step"),
    _POINT.at == _whole("which_at"),
    _POINT.section == _text("which_section"),
    _POINT.part == _text("which_part"),
)
_ROLLED: Final = Query(
    update(INSIGHT_POINTS).values(is_rolled=True).where(_KEY, _POINT.is_rolled.is_(False)).returning(_POINT.at)
)
_VALUE: Final = Query(select(_POINT.value).where(_KEY))
_TO_ROLL: Final = Query(
    select(_POINT.at)
    .where(_POINT.step_s == _whole("of_step"), _POINT.is_rolled.is_(False), _POINT.at < _whole("end"))
    .distinct()
    .order_by(_POINT.at)
    .limit(_whole("count"))
)
_UNROLLED: Final = Query(
    select(_POINT.step_s, _POINT.at, _POINT.section, _POINT.part).where(
        _POINT.step_s == _whole("of_step"),
        _POINT.is_rolled.is_(False),
        _POINT.at >= _whole("first"),
        _POINT.at < _whole("end"),
    )
)
# Of a span: the points of a step, and of finer ones what is in no point of it yet.
_WITHIN: Final = Query(
    select(_POINT.step_s, _POINT.at, _POINT.section, _POINT.part)
    .where(
        or_(
            _POINT.step_s == _whole("of_step"),
            and_(_POINT.step_s < _whole("of_step"), _POINT.is_rolled.is_(False)),
        ),
        _POINT.section == _text("of_section"),
        _POINT.at >= _whole("first"),
        _POINT.at < _whole("end"),
    )
    .order_by(_POINT.at)
)
_FORGET_POINTS: Final = Query(
    delete(INSIGHT_POINTS).where(_POINT.step_s == _whole("of_step"), _POINT.at < _whole("end"))
)
_FORGET_ROLLED: Final = Query(
    delete(INSIGHT_POINTS).where(
        _POINT.step_s == _whole("of_step"), _POINT.at < _whole("end"), _POINT.is_rolled.is_(True)
    )
)
_FORGET_POSITIONS: Final = Query(delete(INSIGHT_POSITIONS).where(_POS.at < bindparam("moment", type_=Float)))
_SIZES: Final = Query(
    select(_POINT.step_s, func.sum(_POINT.size), func.min(_POINT.at), func.max(_POINT.at)).group_by(_POINT.step_s)
)
_use: Final = insert(INSIGHT_LAST_USED).values(route=_text("of_route"), rule=_text("of_rule"), at=_whole("slot"))
_USE: Final = Query(
    _use.on_conflict_do_update(
        index_elements=[_USED.route, _USED.rule],
        set_={"at": _use.excluded.at},
        where=_USED.at < _use.excluded.at,
    )
)
_USES: Final = Query(select(_USED.route, _USED.rule, _USED.at))
_FORGET_USES: Final = Query(delete(INSIGHT_LAST_USED).where(_USED.at < _whole("end")))


def take_report(
    node: str, boot: str, sequence: int, *, taking: str, moment: float, slot: int, packed: bytes
) -> tuple[Step, Step]:
    """The first one has a row unless the report was counted before. taking: a word of this taking alone. slot: the 10 s
    it belongs to."""
    of = {"of_node": node, "of_boot": boot, "taking": taking}
    return Step(_TAKE, of | {"number": sequence, "moment": moment}), Step(_KEEP, of | {"slot": slot, "packed": packed})


def reports_within(first: int, end: int) -> Step:
    """node, boot, sequence, at, value."""
    return Step(_REPORTS, {"first": first, "end": end})


def report_keys_within(first: int, end: int) -> Step:
    """node, boot, sequence, at."""
    return Step(_REPORT_KEYS, {"first": first, "end": end})


def report_value(node: str, boot: str, sequence: int) -> Step:
    return Step(_REPORT_VALUE, {"of_node": node, "of_boot": boot, "number": sequence})


def report_slots(end: int, count: int) -> Step:
    """The 10 s before `end` that have reports."""
    return Step(_REPORT_SLOTS, {"end": end, "count": count})


def forget_report(node: str, boot: str, sequence: int) -> Step:
    """It is in a point now."""
    return Step(_FORGET_REPORT, {"of_node": node, "of_boot": boot, "number": sequence}, needs_row=True)


def add_point(key: PointKey, value: bytes) -> Step:
    values = key._asdict() | {"is_rolled": False, "size": len(value), "value": value}
    return Step(_ADD_POINT, values)


def mark_rolled(key: PointKey) -> Step:
    """A coarser point holds it too."""
    return Step(_ROLLED, _named(key), needs_row=True)


def point_value(key: PointKey) -> Step:
    return Step(_VALUE, _named(key))


def times_to_roll(step_s: int, end: int, count: int) -> Step:
    """`at` of points that are in no coarser one yet."""
    return Step(_TO_ROLL, {"of_step": step_s, "end": end, "count": count})


def unrolled(step_s: int, first: int, end: int) -> Step:
    """Their keys."""
    return Step(_UNROLLED, {"of_step": step_s, "first": first, "end": end})


def points_within(step_s: int, section: str, first: int, end: int) -> Step:
    """Keys of all that add up to the span's numbers, but for reports that are in no point yet."""
    return Step(_WITHIN, {"of_step": step_s, "of_section": section, "first": first, "end": end})


def forget_points(step_s: int, end: int) -> Step:
    return Step(_FORGET_POINTS, {"of_step": step_s, "end": end})


def forget_rolled(step_s: int, end: int) -> Step:
    """Points that a coarser one holds too."""
    return Step(_FORGET_ROLLED, {"of_step": step_s, "end": end})


def forget_positions(before: float) -> Step:
    return Step(_FORGET_POSITIONS, {"moment": before})


def sizes() -> Step:
    """step_s, bytes, the first and the last `at`."""
    return Step(_SIZES)


def note_use(route: str, rule: str, slot: int) -> Step:
    return Step(_USE, {"of_route": route, "of_rule": rule, "slot": slot})


def uses() -> Step:
    """route, rule, at."""
    return Step(_USES)


def forget_uses(end: int) -> Step:
    return Step(_FORGET_USES, {"end": end})


def _named(key: PointKey) -> dict[str, object]:
    return {f"which_{name.removesuffix('_s')}": value for name, value in key._asdict().items()}
