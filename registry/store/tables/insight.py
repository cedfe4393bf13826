"""Numbers that gateways report. In the shared database; beside the embedded store they are in a file of their own
(registry/store/insight_file.py), so that no flood of them slows a commit.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text

from registry.store.tables.metadata import METADATA

# The last report that was counted, of each process that counts. taken: what the taker of the report called its taking.
INSIGHT_POSITIONS: Final = Table(
    "insight_positions",
    METADATA,
    Column("node", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("taken", Text, nullable=False),
    Column("at", Float, nullable=False),
)

# Reports that are in no point yet. at: the 10 s they belong to. value: registry/insight/packing.py.
INSIGHT_REPORTS: Final = Table(
    "insight_reports",
    METADATA,
    Column("node", Text, primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("insight_reports_by_time", "at"),
)

# step_s: how much time a point covers, from `at` on. section: of meshway/telemetry.py. part: several points of one time
# add up, since reports come late. is_rolled: a coarser point holds it too. size: bytes of value.
INSIGHT_POINTS: Final = Table(
    "insight_points",
    METADATA,
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("section", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("is_rolled", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("insight_points_to_roll", "step_s", "is_rolled", "at"),
)

# When a Route's rule had a call last: the begin of the 10 s. And a Consumer's credential: route is `consumer NS/NAME`.
INSIGHT_LAST_USED: Final = Table(
    "insight_last_used",
    METADATA,
    Column("route", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

INSIGHT_TABLES: Final = (INSIGHT_POSITIONS, INSIGHT_REPORTS, INSIGHT_POINTS, INSIGHT_LAST_USED)
