"""What services and gateways tell: lines of logs, single calls, and spans."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from registry.store.tables.metadata import METADATA

# Lines of services' logs, in the shared database; beside the embedded store they are in files of their own
# (registry/store/log_segments.py). A batch is what one registry wrote at once. at: microseconds since 1970.
LOG_BATCHES: Final = Table(
    "log_batches",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
)

# words: of the line, for searches. value: registry/logs/lines.py.
LOG_LINES: Final = Table(
    "log_lines",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("words", TSVECTOR().with_variant(Text, "sqlite"), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("log_lines_by_batch", "batch"),
    Index("log_lines_by_time", "at", "id"),
    Index("log_lines_by_service", "namespace", "service", "at", "id"),
    Index("log_lines_by_trace", "trace_id"),
    Index("log_lines_by_words", "words", postgresql_using="gin"),
)

LOG_TABLES: Final = (LOG_BATCHES, LOG_LINES)

# Messages of gateways of single calls and of spans, and what they hold; of several registries on a shared database. at:
# microseconds since 1970. value: JSON of a CallLine or a Span.
TOLD_BATCHES: Final = Table(
    "told_batches",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("told_batches_once", "kind", "node", "boot", "sequence", unique=True),
)

TOLD_ITEMS: Final = Table(
    "told_items",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Index("told_items_by_batch", "batch"),
    Index("told_items_by_kind", "kind", "id"),
    Index("told_items_by_trace", "trace_id"),
    Index("told_items_by_request", "request_id"),
)

TOLD_TABLES: Final = (TOLD_BATCHES, TOLD_ITEMS)
